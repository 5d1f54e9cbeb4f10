"""The stub runs like a detector, finds nothing, and says that it is a stub."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from badc_assets.detectors.protocol import WindowDetector
from badc_assets.detectors.stub import StubDetector, StubSettings


def test_scores_are_zero_for_any_sound() -> None:
    detector = StubDetector(StubSettings())
    assert isinstance(detector, WindowDetector)
    samples = detector.info.window_ms * (detector.info.sample_rate_hz or 0) // 1000
    windows = np.random.default_rng(0).standard_normal((5, samples)).astype(np.float32)
    scores = detector.score(windows)
    assert scores.shape == (5, len(detector.info.labels))
    assert scores.dtype == np.float32
    assert not scores.any()
    assert detector.score(windows[:0]).shape == (0, 1)


def test_results_are_marked_as_meaningless() -> None:
    info = StubDetector(StubSettings()).info
    assert info.is_stub
    assert [label.code for label in info.labels] == ["STUB"]
    assert info.model_version.startswith("stub-1+")


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError):
        StubSettings.model_validate({"threshold": 1})
