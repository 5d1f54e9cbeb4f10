"""The commands as a user types them, in their own processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.sounds import noise, write_sound

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PER_RECORDING = "recordings,chunk_manifest,chunk_status,detections"


@pytest.fixture
def home(tmp_path):
    """A folder to work in, with an instance of its own."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, folder)
    return folder


class Shell:
    def __init__(self, home: Path, dataset: Path) -> None:
        self.home = home
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("BADC_", "DAGSTER_"))}
        self.environment = {**clean, "BADC_DATASET": str(dataset), "DAGSTER_HOME": str(home), "BADC_CHUNKING__LENGTH_S": "2",
                            "DAGSTER_MODULE_NAME": "badc_assets.definitions"}  # fmt: skip

    def start(self, *command: str, **settings: str) -> subprocess.Popen:
        return subprocess.Popen(
            [str(BIN / command[0]), *command[1:]], cwd=self.home, env={**self.environment, **settings},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    def __call__(self, *command: str, **settings: str) -> tuple[int, str]:
        process = self.start(*command, **settings)
        output, _ = process.communicate(timeout=240)
        return process.returncode, output


def test_run_records_what_is_bad_finishes_the_rest_and_redoes_nothing(home, tmp_path):
    dataset = make_dataset(tmp_path / "data", 3, bad=(1,))
    bad = dataset.recording_ids[1]
    shell = Shell(home, tmp_path / "data")

    status, output = shell("badc", "run")
    assert status == 1
    assert f"1 of 3 recordings were left out: {bad}" in output.replace("\n", " ")
    assert "Traceback" not in output
    for good in (dataset.recording_ids[0], dataset.recording_ids[2]):
        assert dataset.layout.detections(good).is_file()
    assert (dataset.layout.report_dir / "index.html").is_file()

    status, output = shell("badc", "status")
    assert status == 0
    assert f"{bad}: quarantined: unreadable" in output.replace("\n", " ")

    write_sound(dataset.layout.source(f"audio/{bad}.wav"), noise(5))
    status, output = shell("badc", "run", "--bundles")
    assert status == 0, output
    assert "Processing recordings (1)" in output
    assert "Writing report bundles (3)" in output

    status, output = shell("badc", "run", "--bundles")
    assert status == 0, output
    assert "Processing recordings: nothing to do" in output
    assert "Writing report bundles: nothing to do" in output
    assert "Report: up to date" in output


def test_dg_commands_work_from_the_repository(tmp_path):
    """Dagster's own commands are those of the README, which CI runs as they stand there."""
    shell = Shell(REPOSITORY, tmp_path)
    shell.environment["DAGSTER_HOME"] = str(tmp_path)
    shell.environment.pop("DAGSTER_MODULE_NAME")
    status, output = shell("dg", "check", "defs")
    assert status == 0, output[-3000:]


def test_kill_9_of_a_range_run_loses_nothing_that_was_finished(home, tmp_path):
    dataset = make_dataset(tmp_path / "data", 20, seconds=30)
    shell = Shell(home, tmp_path / "data")
    status, output = shell("dagster", "asset", "materialize", "--select", "recording_catalog")
    assert status == 0, output
    ends = f"{dataset.recording_ids[0]}...{dataset.recording_ids[-1]}"
    victim = shell.start("dagster", "asset", "materialize", "--select", PER_RECORDING, "--partition-range", ends)
    deadline = time.monotonic() + 120
    while not dataset.layout.effort(dataset.recording_ids[3]).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    finished = {r: dataset.layout.detections(r).stat().st_mtime_ns for r in dataset.recording_ids[:3]}
    assert not dataset.layout.detections(dataset.recording_ids[-1]).exists()

    # The killed run still holds the slot of its pool: the next one, however it is started, must take it over.
    last = dataset.recording_ids[-1]
    status, output = shell("dagster", "asset", "materialize", "--select", PER_RECORDING, "--partition", last)
    assert status == 0, output[-3000:]
    status, output = shell("badc", "run")
    assert status == 0, output
    assert all(dataset.layout.detections(recording).is_file() for recording in dataset.recording_ids)
    assert {r: dataset.layout.detections(r).stat().st_mtime_ns for r in finished} == finished


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"BADC_DATASET": "/nowhere/at/all"}, "/nowhere/at/all"),
        ({"BADC_CHUNKING__LENGHT_S": "3"}, "did you mean 'length_s'"),
        ({"DAGSTER_HOME": "/nowhere"}, "there is no dagster.yaml"),
    ],
)
def test_what_a_user_can_get_wrong_is_one_line(home, tmp_path, settings, says):
    status, output = Shell(home, tmp_path)("badc", "run", **settings)
    assert status == 1
    assert says in output
    assert "Traceback" not in output


def test_config_shows_every_setting(home, tmp_path):
    status, output = Shell(home, tmp_path)("badc", "config")
    assert status == 0
    assert "chunking.length_s" in output
    assert "detectors.energy.threshold_db" in output
