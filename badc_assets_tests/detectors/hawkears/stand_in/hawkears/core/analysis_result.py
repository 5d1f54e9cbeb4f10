"""What `analyze` returns."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class InferenceDetection:
    recording_path: Path
    species: str
    start_time: float
    end_time: float
    score: float


@dataclass(frozen=True)
class AnalysisResult:
    detections: tuple[InferenceDetection, ...]
    recording_count: int
