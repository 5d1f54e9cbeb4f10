"""The file of a recording's quality: its numbers, those of its chunks, what the limits said of them, and a small picture."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from badc_assets.audio.measures.meter import Measures
from badc_assets.audio.measures.spectrum import PICTURE_LOW_HZ
from badc_assets.chunks.manifest import Chunk
from badc_assets.chunks.quality.limits import QualityLimits
from badc_assets.chunks.quality.numbers import SoundQuality, quality_of
from badc_assets.chunks.quality.verdict import Verdict, judge
from badc_assets.errors import BadcError
from badc_assets.files import stable_hash, write_json
from badc_assets.layout import Layout

QUALITY_VERSION = 1
"""Raise it when the numbers are made otherwise: then recordings are read again."""

_PICTURE_LOWEST_DB, _PICTURE_STEP_DB = -140.0, 0.5


@dataclass(frozen=True)
class Picture:
    """Levels over time and frequency: shape (rows, columns), lowest frequency first, dB of full scale per hertz.

    Rows are equally wide in octaves from `low_hz` to `high_hz`.
    """

    levels: NDArray[np.float32]
    seconds_per_column: int
    low_hz: float
    high_hz: float


@dataclass(frozen=True)
class RecordingQuality:
    """The numbers of a recording as a whole and of each chunk, by chunk id, in order.

    `verdicts` are the status and reason of each chunk as they were stored; empty before that.
    """

    recording: SoundQuality
    chunks: Mapping[str, SoundQuality]
    picture: Picture
    verdicts: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def unusable(self) -> frozenset[str]:
        """The ids of the chunks that were quarantined when this was stored."""
        return frozenset(name for name, (status, _) in self.verdicts.items() if status == "quarantined")

    def judged(self, limits: QualityLimits) -> JudgedQuality:
        return JudgedQuality(
            judge(self.recording, limits), {name: judge(each, limits) for name, each in self.chunks.items()}
        )


@dataclass(frozen=True)
class JudgedQuality:
    recording: Verdict
    chunks: Mapping[str, Verdict]

    @property
    def unusable(self) -> frozenset[str]:
        """The ids of quarantined chunks."""
        return frozenset(name for name, verdict in self.chunks.items() if verdict.status == "quarantined")


def quality_digest(limits: QualityLimits) -> str:
    """Changes when verdicts may."""
    return stable_hash([QUALITY_VERSION, limits.digest])


def recording_quality(measures: Measures, chunks: Sequence[Chunk]) -> RecordingQuality:
    """The numbers of a whole recording and of its chunks."""
    return RecordingQuality(
        quality_of(measures, 0, measures.seconds * 1000),
        {chunk.chunk_id: quality_of(measures, chunk.start_ms, chunk.end_ms) for chunk in chunks},
        Picture(measures.picture, measures.seconds_per_column, PICTURE_LOW_HZ, measures.rate_hz / 2),
    )


def write_quality(layout: Layout, recording_id: str, quality: RecordingQuality, judged: JudgedQuality) -> None:
    """Write it atomically. Raises BadcError when the place cannot be written."""
    names = SoundQuality.__dataclass_fields__
    write_json(
        layout.quality(recording_id),
        {
            "version": QUALITY_VERSION,
            "recording_id": recording_id,
            "recording": quality.recording.to_json() | judged.recording.to_json(),
            "chunks": {
                "chunk_id": list(quality.chunks),
                **{name: [getattr(each, name) for each in quality.chunks.values()] for name in names},
                "status": [judged.chunks[name].status for name in quality.chunks],
                "reason": [judged.chunks[name].reason for name in quality.chunks],
            },
            "picture": _packed(quality.picture),
        },
    )


def read_quality(layout: Layout, recording_id: str) -> RecordingQuality:
    """Raises BadcError when there is none, it is of another version, or it is damaged: then chunk the recording again."""
    path, remedy = layout.quality(recording_id), "materialize chunk_manifest for this recording"
    if not path.is_file():
        raise BadcError(path, "there are no numbers of quality", remedy)
    try:
        value = json.loads(path.read_bytes())
        if value["version"] != QUALITY_VERSION:
            raise BadcError(path, f"is of version {value['version']}, not {QUALITY_VERSION}", remedy)
        names = SoundQuality.__dataclass_fields__
        columns = zip(*(value["chunks"][name] for name in names), strict=True)
        chunks = [SoundQuality(*row) for row in columns]
        ids, verdicts = (
            value["chunks"]["chunk_id"],
            zip(*(value["chunks"][k] for k in ("status", "reason")), strict=True),
        )
        return RecordingQuality(
            SoundQuality(**{name: value["recording"][name] for name in names}),
            dict(zip(ids, chunks, strict=True)),
            _unpacked(value["picture"]),
            dict(zip(ids, verdicts, strict=True)),
        )
    except (ValueError, TypeError, KeyError, zlib.error) as error:
        raise BadcError(path, f"is damaged ({type(error).__name__}: {error})", remedy) from error


def _packed(picture: Picture) -> dict[str, Any]:
    steps = np.clip(np.round((picture.levels - _PICTURE_LOWEST_DB) / _PICTURE_STEP_DB), 0, 255).astype(np.uint8)
    return {
        "rows": len(steps),
        "seconds_per_column": picture.seconds_per_column,
        "low_hz": picture.low_hz,
        "high_hz": picture.high_hz,
        "levels": base64.b64encode(zlib.compress(steps.tobytes())).decode(),
    }


def _unpacked(value: dict[str, Any]) -> Picture:
    steps = np.frombuffer(zlib.decompress(base64.b64decode(value["levels"])), np.uint8).reshape(value["rows"], -1)
    levels = steps.astype(np.float32) * _PICTURE_STEP_DB + _PICTURE_LOWEST_DB
    return Picture(levels, value["seconds_per_column"], value["low_hz"], value["high_hz"])
