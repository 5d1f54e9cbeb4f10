"""What the user decides about recordings."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from badc_assets.files import stable_hash


class RecordingSettings(BaseModel):
    """How recordings with faults are treated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    truncated: Literal["quarantine", "flag"] = Field(
        default="quarantine",
        description="A file that ends before its header says: `quarantine` leaves it out until somebody has looked at "
        "it, `flag` analyses what is there and marks the recording.",
    )

    @property
    def digest(self) -> str:
        """Changes when the facts of some recording would."""
        return stable_hash(self.model_dump(mode="json"))
