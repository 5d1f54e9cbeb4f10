"""The detectors there are. To add one: write its file, and add one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from badc_assets.detectors.energy import EnergyDetector, EnergySettings
from badc_assets.detectors.protocol import Detector
from badc_assets.detectors.stub import StubDetector, StubSettings


@dataclass(frozen=True)
class DetectorEntry:
    """How a detector is configured and made. `make` may load weights; `settings` must be cheap to import."""

    settings: type[BaseModel]
    make: Callable[[Any], Detector]
    summary: str


DETECTORS: dict[str, DetectorEntry] = {
    "energy": DetectorEntry(EnergySettings, EnergyDetector, "time-frequency events above the noise floor; no model"),
    "stub": DetectorEntry(StubSettings, StubDetector, "finds nothing; for trying out a set-up"),
}


def make_detector(name: str, settings: BaseModel) -> Detector:
    """The detector of this name. `settings` is of the type that its entry names."""
    return DETECTORS[name].make(settings)
