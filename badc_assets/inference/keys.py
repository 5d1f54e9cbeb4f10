"""What decides a result, as hashes: equal key, equal result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from badc_assets.chunks.manifest import Chunk, manifest_digest
from badc_assets.detections.rules import DetectionRules
from badc_assets.detectors.protocol import DetectorInfo
from badc_assets.files import stable_hash
from badc_assets.inference.settings import InferenceSettings

ENGINE_VERSION = "2"
"""Part of every result key: raise it when the engine would give other results for the same detector."""


@dataclass(frozen=True)
class ResultKeys:
    """`raw` decides what the detector finds in a recording, `result` what of that becomes detections."""

    raw: str
    result: str


def result_keys(
    chunks: Sequence[Chunk], info: DetectorInfo, settings: InferenceSettings, rules: DetectionRules
) -> ResultKeys:
    """The keys of a recording: its samples, the detector, the engine, and the rules."""
    raw = stable_hash([manifest_digest(chunks), _raw_digest(info, settings)])
    return ResultKeys(raw, stable_hash([raw, rules.digest]))


def engine_digest(info: DetectorInfo, settings: InferenceSettings, rules: DetectionRules) -> str:
    """Hash of everything but the recording that decides a result."""
    return stable_hash([_raw_digest(info, settings), rules.digest])


def _raw_digest(info: DetectorInfo, settings: InferenceSettings) -> str:
    detector = [info.name, info.version, info.settings_hash, info.weights_sha256]
    unit = "chunk, repeats joined" if info.unit == "chunk" else info.unit
    windows = [info.window_ms, info.hop_ms, info.tail, unit]
    score_floor = settings.min_score if info.kind == "window" else None
    return stable_hash([ENGINE_VERSION, detector, windows, score_floor, settings.channel])
