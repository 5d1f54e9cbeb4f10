"""Every detector passes the contract."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from badc_assets.detectors.command.detector import CommandDetector, CommandSettings
from badc_assets.detectors.energy.detector import EnergyDetector, EnergySettings
from badc_assets.detectors.stub import StubDetector, StubSettings
from badc_assets_tests.detector_contract import (
    FileDetectorContract,
    StreamDetectorContract,
    WindowDetectorContract,
)
from badc_assets_tests.detectors.command.programs import program
from badc_assets_tests.detectors.sounds import other_value


class TestStub(WindowDetectorContract):
    make = StubDetector
    finds_something = False

    @pytest.fixture
    def settings(self) -> StubSettings:
        return StubSettings()


class TestEnergy(StreamDetectorContract):
    make = EnergyDetector

    @pytest.fixture
    def settings(self) -> EnergySettings:
        return EnergySettings.model_validate({"floor_window_s": 4})

    @pytest.fixture
    def changes(self, settings: EnergySettings) -> Mapping[str, object]:
        return {name: other_value(value) for name, value in settings.model_dump().items()}


LOUD = """
import array, wave
source = sys.argv[sys.argv.index("--input") + 1]
with wave.open(source) as sound:
    step = sound.getframerate() // 10
    samples = array.array("h", sound.readframes(sound.getnframes()))
loud = [number for number in range(len(samples) // step) if max(samples[number * step:(number + 1) * step]) > 3000]
rows = [{"timestamp_ms": 100 * n, "end_ms": 100 * n + 100, "label": "LOUD", "confidence": 0.5} for n in loud]
write(json.dumps(rows))
"""


class _OfAProgram(FileDetectorContract):
    make = CommandDetector
    unit = "chunk"

    @pytest.fixture
    def settings(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandSettings:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        return CommandSettings.model_validate({"command": program(tmp_path / "bin", LOUD), "unit": self.unit})

    @pytest.fixture
    def changes(self, settings: CommandSettings) -> Mapping[str, object]:
        others = {"chunk": "recording", "recording": "chunk"}
        return {
            "command": (*settings.command, "--more"),
            "unit": others[self.unit],
            "format": "json",
            "environment": {"LEVEL": "3"},
            "version": "2",
        }

    @pytest.fixture
    def neutral(self) -> Mapping[str, object]:
        return {"timeout_s": 60, "uses_gpu": True}


class TestCommandOnChunks(_OfAProgram):
    pass


class TestCommandOnRecordings(_OfAProgram):
    unit = "recording"
