"""The detectors there are. To add one: write its file, and add one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from badc_assets.detectors.command.detector import CommandDetector, CommandSettings
from badc_assets.detectors.energy.detector import EnergyDetector, EnergySettings
from badc_assets.detectors.hawkears.detector import HawkEarsDetector
from badc_assets.detectors.hawkears.settings import HawkEarsSettings
from badc_assets.detectors.protocol import Detector
from badc_assets.detectors.stub import StubDetector, StubSettings
from badc_assets.detectors.transformers.detector import TransformersDetector
from badc_assets.detectors.transformers.settings import TransformersSettings


@dataclass(frozen=True)
class DetectorEntry:
    """How a detector is configured and made. Both must be cheap to import; `make` loads no weights."""

    settings: type[BaseModel]
    make: Callable[[Any], Detector]
    summary: str
    needs: str = "nothing"


DETECTORS: dict[str, DetectorEntry] = {
    "energy": DetectorEntry(EnergySettings, EnergyDetector, "time-frequency events above the noise floor; no model"),
    "transformers": DetectorEntry(
        TransformersSettings,
        TransformersDetector,
        "any audio-classification model of Hugging Face transformers",
        "`model`: a folder, or hf:OWNER/NAME once `badc detectors setup transformers` has fetched it",
    ),
    "hawkears": DetectorEntry(
        HawkEarsSettings,
        HawkEarsDetector,
        "HawkEars, Canadian birds; generations 1 and 2",
        "HawkEars' own environment: `badc detectors setup hawkears` makes one (7 GB); its checkpoints",
    ),
    "command": DetectorEntry(
        CommandSettings,
        CommandDetector,
        "any program, for each chunk or each recording",
        "`command`: the program; docs/detector-command.md says what it must do",
    ),
    "stub": DetectorEntry(StubSettings, StubDetector, "finds nothing; for trying out a set-up"),
}


def make_detector(name: str, settings: BaseModel) -> Detector:
    """The detector of this name. `settings` is of the type that its entry names."""
    return DETECTORS[name].make(settings)
