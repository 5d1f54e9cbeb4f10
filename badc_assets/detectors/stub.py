"""A detector that finds nothing. It takes sound through the whole path without a model; its results mean nothing."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from badc_assets.detectors.protocol import DetectorInfo, Float32, Label
from badc_assets.files import stable_hash


class StubSettings(BaseModel):
    """The stub has nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StubDetector:
    """A window detector whose every score is zero. `info.is_stub` lets everything downstream say so."""

    def __init__(self, settings: StubSettings) -> None:
        self._info = DetectorInfo(
            name="stub",
            version="1",
            kind="window",
            labels=(Label("STUB", "Stub, no meaning"),),
            settings_hash=stable_hash(settings.model_dump()),
            sample_rate_hz=16_000,
            window_ms=3_000,
            hop_ms=3_000,
            is_stub=True,
        )

    @property
    def info(self) -> DetectorInfo:
        return self._info

    def score(self, windows: Float32) -> Float32:
        """Zeros, shape (batch, labels), for windows of shape (batch, samples)."""
        return np.zeros((len(windows), len(self._info.labels)), dtype=np.float32)
