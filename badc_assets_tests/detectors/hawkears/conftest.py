"""An environment with the stand-in for HawkEars, a root with checkpoints, and detectors that use them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from badc_assets.detectors.hawkears.detector import HawkEarsDetector
from badc_assets.detectors.protocol import Device
from badc_assets_tests.detectors.hawkears.environment import make_environment, make_root, settings_of


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    return make_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def root(tmp_path) -> Path:
    return make_root(tmp_path / "root")


@pytest.fixture
def made(python, root) -> Iterator:
    """Makes loaded detectors, and closes them."""
    detectors: list[HawkEarsDetector] = []

    def make(device: Device | None = None, **values) -> HawkEarsDetector:
        detectors.append(HawkEarsDetector(settings_of(python, root, **values)))
        detectors[-1].load(device or Device())
        return detectors[-1]

    yield make
    for detector in detectors:
        detector.close()
