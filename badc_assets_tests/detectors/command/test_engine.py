"""The command detector once through the engine: the dataset's tables hold what the program wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from badc_assets.detectors.command.detector import CommandDetector, CommandSettings
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.detectors.command.programs import program
from badc_assets_tests.inference.runs import effort, rows, run

LOUD = """
import array, wave
with wave.open(sys.argv[sys.argv.index("--input") + 1]) as sound:
    step = sound.getframerate() // 10
    samples = array.array("h", sound.readframes(sound.getnframes()))
loud = [number for number in range(len(samples) // step) if max(samples[number * step:(number + 1) * step]) > 5000]
write(json.dumps([{"timestamp_ms": 100 * n, "end_ms": 100 * n + 100, "label": "LOUD", "confidence": 0.5} for n in loud]))
"""
FAILS_ONCE = """
marker = os.path.join(os.path.dirname(__file__), "tried")
if not os.path.exists(marker):
    open(marker, "w").close()
    sys.exit("licence server is busy")
write("[]")
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("unit", ["chunk", "recording"])
def test_detections_stand_at_their_time_in_the_recording(tmp_path: Path, unit: str) -> None:
    dataset = make_dataset(tmp_path / "data", 1)
    dataset.chunk()
    words = program(tmp_path / "bin", LOUD)
    detector = CommandDetector(CommandSettings.model_validate({"command": words, "unit": unit}))
    (outcome,) = run(dataset, detector)
    assert outcome.is_complete, outcome.reason
    found = rows(dataset, dataset.recording_ids[0])
    assert [row["absolute_time_ms"] for row in found] == list(range(1000, 2000, 100))
    assert {(row["label"], row["weights_sha256"]) for row in found} == {("LOUD", detector.info.weights_sha256)}
    assert [row["status"] for row in effort(dataset, dataset.recording_ids[0])] == ["ok", "empty", "empty"]


def test_a_program_that_fails_is_tried_again_and_one_without_result_is_not(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "data", 1)
    dataset.chunk()
    words = program(tmp_path / "bin", FAILS_ONCE)
    (outcome,) = run(dataset, CommandDetector(CommandSettings.model_validate({"command": words})), max_retries=1)
    assert outcome.is_complete, outcome.reason
    count = "with open(__file__ + '.runs', 'a') as runs: runs.write('.')"
    words = program(tmp_path / "bin", count, name="silent.py")
    (outcome,) = run(dataset, CommandDetector(CommandSettings.model_validate({"command": words})), max_retries=3)
    assert not outcome.is_complete
    assert "wrote no output file" in outcome.reason
    assert (tmp_path / "bin" / "silent.py.runs").read_text() == "..."
    assert {row["status"] for row in effort(dataset, dataset.recording_ids[0])} == {"failed"}
