"""What became of a recording in the engine's hands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from badc_assets.detections.store import ResultStatus


@dataclass(frozen=True)
class DetectionOutcome:
    """What became of one recording: results (new or reused), a failed analysis, or a refusal at the gate with its reason.

    `is_orphan`: the recording is gone from the dataset, or its content is not here; results that it had are kept and no others
    are expected of it now. `log` is the end of what the program that was to analyse it printed, where that is worth reading.
    """

    recording_id: str
    result: ResultStatus | None
    was_reused: bool = False
    refused: str = ""
    is_orphan: bool = False
    log: str = ""

    @property
    def is_complete(self) -> bool:
        return self.result is not None and self.result.is_complete

    @property
    def reason(self) -> str:
        """Why there are no complete results; empty when there are."""
        return self.refused or (self.result.error if self.result else "")
