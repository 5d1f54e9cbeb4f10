"""How recordings are divided into chunks."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from badc_assets.chunks.quality.limits import QualityLimits
from badc_assets.files import stable_hash


class ChunkSettings(BaseModel):
    """Fixed-length chunks, each starting `length_s - overlap_s` after the one before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length_s: float = Field(60.0, ge=0.1, le=86_400, description="Length of a chunk in seconds.")
    overlap_s: float = Field(0.0, ge=0, description="How many seconds of a chunk the next one repeats.")
    quality: QualityLimits = QualityLimits()

    @model_validator(mode="after")
    def _overlap_is_shorter(self) -> ChunkSettings:
        if self.step_ms < 1:
            raise ValueError(f"overlap_s ({self.overlap_s}) must be shorter than length_s ({self.length_s})")
        return self

    @property
    def length_ms(self) -> int:
        return round(self.length_s * 1000)

    @property
    def overlap_ms(self) -> int:
        return round(self.overlap_s * 1000)

    @property
    def step_ms(self) -> int:
        return self.length_ms - self.overlap_ms

    @property
    def digest(self) -> str:
        """Changes when, and only when, chunk borders would."""
        return stable_hash({"length_ms": self.length_ms, "overlap_ms": self.overlap_ms})
