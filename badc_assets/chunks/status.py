"""The chunking status of a recording: BADC's `.chunk_status.json`, with what is needed to tell stale from current."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from badc_assets.chunks.quality.verdict import Verdict
from badc_assets.files import exclusive, write_json
from badc_assets.layout import Layout

State = Literal["in_progress", "completed", "failed"]


class Clock(Protocol):
    def __call__(self) -> datetime:
        """The present time with a time zone."""
        ...


@dataclass(frozen=True)
class Writer:
    """The process that wrote a status. Whether it still lives is told by the lock, not by the number."""

    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)


@dataclass(frozen=True)
class ChunkStatus:
    """Status of one recording's chunks. The fields up to `error` are BADC's; paths are relative to the dataset.

    `content_key`, `settings_digest` and `manifest_digest` say which audio, which chunking and which rows the status is about,
    `quality_digest` by which limits the sound was judged. `unusable_chunks` counts those that the limits quarantine.
    """

    recording_id: str
    audio_path: str
    chunk_output_dir: str
    manifest_path: str
    chunk_duration: float
    overlap: float
    updated_at: str
    status: State
    started_at: str
    completed_at: str | None = None
    manifest_rows: int | None = None
    duration_s: float | None = None
    error: str | None = None
    content_key: str = ""
    settings_digest: str = ""
    manifest_digest: str = ""
    quality_digest: str = ""
    quality: Verdict | None = None
    unusable_chunks: int = 0
    writer: Writer | None = None

    @property
    def is_quarantined(self) -> bool:
        """The sound was read, and is of no use."""
        return self.quality is not None and self.quality.status == "quarantined"

    @property
    def quality_reason(self) -> str:
        """What is wrong with the sound in one line; empty when nothing is, or nothing is known."""
        return self.quality.reason if self.quality is not None else ""

    def to_json(self) -> dict[str, Any]:
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return values | ({"quality": self.quality.to_json()} if self.quality is not None else {})


def write_status(layout: Layout, status: ChunkStatus) -> None:
    write_json(layout.chunk_status(status.recording_id), status.to_json())


def read_status(layout: Layout, recording_id: str) -> ChunkStatus | None:
    """The stored status; None when there is none, or when the file is not a status (as in BADC, that counts as none)."""
    path = layout.chunk_status(recording_id)
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_bytes())
        writer, quality = value.pop("writer", None), value.pop("quality", None)
        known = {name: value[name] for name in ChunkStatus.__dataclass_fields__ if name in value}
        return ChunkStatus(
            **known,
            writer=Writer(**writer) if writer else None,
            quality=Verdict.from_json(quality) if quality else None,
        )
    except (ValueError, TypeError, AttributeError, KeyError):
        return None


def is_completed(layout: Layout, recording_id: str) -> bool:
    """Whether the stored status says `completed`, of whatever audio and settings."""
    status = read_status(layout, recording_id)
    return status is not None and status.status == "completed"


def lock_file(layout: Layout, recording_id: str) -> Path:
    """Held by whoever writes the chunks of this recording."""
    return layout.locks / "chunks" / f"{recording_id}.lock"


def is_interrupted(layout: Layout, recording_id: str) -> bool:
    """True when the status says `in_progress` but its writer is dead: nobody holds the recording's lock.

    Advisory locks reach every process on one host, and across hosts where the file system passes them on
    (NFSv4, Lustre with flock).
    """
    status = read_status(layout, recording_id)
    if status is None or status.status != "in_progress":
        return False
    with exclusive(lock_file(layout, recording_id), wait=False) as is_free:
        return is_free
