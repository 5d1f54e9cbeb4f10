"""What the user decides about recordings."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RecordingSettings(BaseModel):
    """How recordings with faults are treated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    truncated: Literal["quarantine", "flag"] = Field(
        default="quarantine",
        description="A file that ends before its header says: `quarantine` leaves it out until somebody has looked at "
        "it, `flag` analyses what is there and marks the recording.",
    )
