"""`badc chunk probe`: measured with a detector and remembered, or an estimate that says that it is one."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from badc_assets.cli.main import app
from badc_assets.errors import BadcError
from badc_assets_tests.sounds import noise, write_sound

KEYS = [
    "timestamp",
    "audio",
    "duration_s",
    "estimated_vram_mb",
    "fits",
    "reason",
    "gpu_index",
    "gpu_name",
    "memory_limit_mb",
]


@pytest.fixture(autouse=True)
def audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording of 20 s, and a cache that nobody else uses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("BADC_DATASET", str(tmp_path / "no-project"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BADC_INFERENCE__DEVICE", "cpu")
    write_sound(tmp_path / "R.wav", noise(20, seed=1))
    return tmp_path / "R.wav"


def probe(*options: object) -> Result:
    result = CliRunner().invoke(app, ["chunk", "probe", "R.wav", *map(str, options)])
    if isinstance(result.exception, BadcError):
        raise result.exception
    return result


def lines(folder: Path) -> list[dict]:
    (log,) = folder.glob("artifacts/telemetry/chunk_probe/R_*.jsonl")
    return [json.loads(line) for line in log.read_text().splitlines()]


def runner(tmp_path: Path, most_bytes: int) -> str:
    """A program that cannot take chunks of more than so many bytes."""
    script = tmp_path / "runner.py"
    script.write_text(
        "import os, sys\n"
        f"if os.path.getsize(sys.argv[2]) > {most_bytes}: sys.exit('out of memory')\n"
        "open(sys.argv[4], 'w').write('[]')\n"
    )
    return shlex.join([sys.executable, str(script)])


def test_the_longest_chunk_is_measured_logged_and_remembered(tmp_path, monkeypatch):
    rate = noise(1, seed=1).shape[0]
    monkeypatch.setenv("BADC_DETECTORS__COMMAND__COMMAND", runner(tmp_path, 11 * rate * 2 + 44))
    result = probe("--detector", "command", "--initial-duration", 4, "--tolerance", 1, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["strategy"], found["detector"], found["device"]) == ("measured", "command", "cpu")
    assert 10 <= found["duration_s"] <= 11
    assert found["seconds_per_hour"] > 0
    tried = [(trial["duration_s"], trial["fits"]) for trial in found["trials"]]
    assert tried[:3] == [(4, True), (8, True), (16, False)]
    logged = lines(tmp_path)
    assert [(line["duration_s"], line["fits"]) for line in logged] == tried
    assert list(logged[0])[: len(KEYS)] == KEYS
    assert logged[0]["peak_memory_mb"] > 1
    assert "ended with status 1" in logged[2]["reason"]

    (tmp_path / "runner.py").touch()
    remembered = probe("--detector", "command", "--initial-duration", 4, "--tolerance", 1)
    assert "measured before" in remembered.output
    assert len(lines(tmp_path)) == len(tried)


def test_a_detector_that_takes_all_is_tried_up_to_the_end(tmp_path):
    result = probe("--detector", "energy", "--initial-duration", 5, "--log", "my.jsonl")
    assert result.exit_code == 0, result.output
    assert "chunks of up to 20 s fit with energy on cpu" in result.output
    assert "an hour of sound takes" in result.output
    assert [json.loads(line)["duration_s"] for line in Path("my.jsonl").read_text().splitlines()] == [5, 10, 20]


def test_the_time_is_not_that_of_the_first_chunk_alone():
    assert probe("--detector", "energy", "--max-duration", 5, "--log", "my.jsonl").exit_code == 0
    assert [json.loads(line)["duration_s"] for line in Path("my.jsonl").read_text().splitlines()] == [5, 5]


def test_where_no_chunk_fits_that_is_the_exit_status(tmp_path, monkeypatch):
    monkeypatch.setenv("BADC_DETECTORS__COMMAND__COMMAND", runner(tmp_path, 0))
    result = probe("--detector", "command", "--initial-duration", 4)
    assert result.exit_code == 1
    assert "no chunk fits" in result.output
    assert not (tmp_path / "cache/badc_assets/chunk_lengths.json").exists()


@pytest.mark.parametrize("options", [("--estimate",), ("--detector", "stub"), ("--detector", "transformers")])
def test_an_estimate_says_that_it_is_one(tmp_path, options):
    result = probe(*options)
    assert result.exit_code == 0, result.output
    assert "chunks of up to 20 s fit: an ESTIMATE (memory_estimator_v1)" in result.output
    assert [list(line) for line in lines(tmp_path)] == [KEYS]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--tolerance", 0), "--tolerance: must be at least"),
        (("--detector", "nobody"), "there is no detector"),
        (("--gpu-index", 77, "--estimate"), "there is no GPU 77"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(options, says):
    with pytest.raises(BadcError, match=says):
        probe(*options)
