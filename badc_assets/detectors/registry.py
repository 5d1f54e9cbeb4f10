"""The detectors there are. To add one: write its file, and add one line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from badc_assets.detectors.protocol import Detector


@dataclass(frozen=True)
class DetectorEntry:
    """How a detector is configured and made. Places are `module:name`, below this folder: nothing is imported before it is
    needed, since every command and every step looks into this table. Making a detector loads no weights.
    """

    settings_place: str
    detector_place: str
    summary: str
    needs: str = "nothing"

    @property
    def settings(self) -> type[BaseModel]:
        return _imported(self.settings_place)

    @property
    def make(self) -> Callable[[Any], Detector]:
        return _imported(self.detector_place)


def _imported(place: str) -> Any:
    module, name = place.split(":")
    return getattr(import_module(f"badc_assets.detectors.{module}"), name)


DETECTORS: dict[str, DetectorEntry] = {
    "energy": DetectorEntry(
        "energy.settings:EnergySettings",
        "energy.detector:EnergyDetector",
        "time-frequency events above the noise floor; no model",
    ),
    "transformers": DetectorEntry(
        "transformers.settings:TransformersSettings",
        "transformers.detector:TransformersDetector",
        "any audio-classification model of Hugging Face transformers",
        "`model`: a folder, or hf:OWNER/NAME once `badc detectors setup transformers` has fetched it",
    ),
    "hawkears": DetectorEntry(
        "hawkears.settings:HawkEarsSettings",
        "hawkears.detector:HawkEarsDetector",
        "HawkEars, Canadian birds; generations 1 and 2",
        "HawkEars' own environment: `badc detectors setup hawkears` makes one (7 GB); its checkpoints",
    ),
    "command": DetectorEntry(
        "command.detector:CommandSettings",
        "command.detector:CommandDetector",
        "any program, for each chunk or each recording",
        "`command`: the program; docs/detector-command.md says what it must do",
    ),
    "stub": DetectorEntry("stub:StubSettings", "stub:StubDetector", "finds nothing; for trying out a set-up"),
}


def make_detector(name: str, settings: BaseModel) -> Detector:
    """The detector of this name. `settings` is of the type that its entry names."""
    return DETECTORS[name].make(settings)
