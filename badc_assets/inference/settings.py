"""How detectors are run. `min_score` and `channel` change results, `allow_partial_chunks` which recordings have one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class InferenceSettings(BaseModel):
    """Settings of the engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_windows: int = Field(32, ge=1, le=4096, description="Windows scored at once by window detectors.")
    block_s: float = Field(10.0, ge=0.1, le=600, description="Seconds of sound read at a time.")
    min_score: float = Field(
        0.1, ge=0, le=1, description="Window scores below this are not stored. Changes results of window detectors."
    )
    channel: int | None = Field(
        None, ge=0, le=63, description="Channel to analyse, from 0. Default: the mean of all. Changes results."
    )
    allow_partial_chunks: bool = Field(
        False, description="Analyse recordings whose chunking has not completed, if they have a manifest."
    )
