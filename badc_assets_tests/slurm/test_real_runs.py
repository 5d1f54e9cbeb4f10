"""Runs of Dagster whose detections are made by tasks of a real SLURM, from the command line to the table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from badc_assets.slurm.abandoned import open_submissions
from badc_assets.slurm.submission import Submission, all_submissions
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import materialized, run_assets
from badc_assets_tests.instances import new_instance
from badc_assets_tests.slurm.real_slurm import until
from badc_assets_tests.slurm.test_real_tasks import CHUNKS, calls, process_of, same_as_alone

pytestmark = pytest.mark.system

PROFILE = """
poll_s = 0.3
[cpu]
mem = "500M"
time = "00:10:00"
partition = "none"
[array]
audio_hours_per_task = 0.001
"""


class Project:
    """A dataset whose catalogue is known to an instance, and a project file that sends its detections to SLURM."""

    def __init__(self, folder: Path, program: Path, count: int) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        (folder / "cluster.toml").write_text(PROFILE)
        self.dataset = make_dataset(
            folder / "data", count, seconds=2 * CHUNKS, detector="command",
            detectors={"command": {"command": [str(program)]}},
            slurm={"profile": folder / "cluster.toml", "steps": {"detections": {"partition": "low", "gres": "gpu:1"}}},
        )  # fmt: skip
        self.dataset.chunk()
        (folder / "badc.toml").write_text(
            f'dataset = "{folder}/data"\ndetector = "command"\nchunking.length_s = 2\n'
            f'detectors.command.command = ["{program}"]\n'
            f'[slurm]\nprofile = "{folder}/cluster.toml"\n'
            '[slurm.steps.detections]\npartition = "low"\ngres = "gpu:1"\n'
        )
        with new_instance(self.home) as instance:
            assert run_assets(self.dataset.project, instance, ["recording_catalog"]).success
            settings = {"storage": {"custom": {
                "module": "badc_assets.defs.sqlite_storage", "class": "KeptSqliteStorage",
                "config": {"base_dir": str(self.home / "storage")}}}, "telemetry": {"enabled": False}}  # fmt: skip
            (self.home / "dagster.yaml").write_text(json.dumps(settings))

    @property
    def ids(self) -> tuple[str, ...]:
        return self.dataset.recording_ids

    def start(self, *selection: str) -> subprocess.Popen[str]:
        """`dagster asset materialize` over all recordings."""
        command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "badc_assets.definitions",
                   "--select", ",".join(selection), "--partition-range", f"{self.ids[0]}...{self.ids[-1]}"]  # fmt: skip
        environment = {**os.environ, "DAGSTER_HOME": str(self.home), "BADC_PROJECT": str(self.folder / "badc.toml")}
        with (self.folder / "out.txt").open("w") as out:
            return subprocess.Popen(
                command, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True, start_new_session=True
            )

    @property
    def printed(self) -> str:
        return (self.folder / "out.txt").read_text()


@pytest.fixture
def project(tmp_path, program) -> Project:
    return Project(tmp_path, program, 2)


def step_process(run: subprocess.Popen[str]) -> int:
    """The process of the step that runs now."""
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    (step,) = [int(child) for child in children if b"execute_step" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return step


def test_detections_are_made_on_nodes_and_everything_else_here(slurm, project, program):
    (program.parent / "seconds").write_text("0")
    run = project.start("detections")
    assert run.wait(120) == 0, project.printed
    (submission,) = all_submissions(project.dataset.layout)
    script = submission.script.read_text()
    assert "#SBATCH --partition=low\n" in script, "the tag of the asset goes over the profile"
    assert "#SBATCH --array=0-1\n" in script
    with new_instance(project.home) as instance:
        assert materialized(instance, "detections") == set(project.ids)
        (made, *_) = instance.get_run_records(limit=1)
        assert made.dagster_run.status == dg.DagsterRunStatus.SUCCESS
    same_as_alone(project.dataset, project.folder / "alone", program)


def test_a_run_that_is_told_to_stop_leaves_no_task(slurm, project, program):
    (program.parent / "seconds").write_text("30")
    run = project.start("detections")
    until(lambda: calls(program) >= 2, "the detector")
    run.send_signal(signal.SIGINT)
    run.wait(60)
    assert slurm.live_tasks() == []
    assert open_submissions(project.dataset.layout) == []


def test_a_step_that_is_killed_is_begun_again_and_goes_on(slurm, project, program):
    run = project.start("detections")
    until(lambda: calls(program) >= 3, "the detector")
    (program.parent / "seconds").write_text("60")
    os.kill(step_process(run), signal.SIGKILL)
    (left_behind,) = all_submissions(project.dataset.layout)
    until(lambda: left_behind.is_closed, "the executor")
    (program.parent / "seconds").write_text("0")
    assert run.wait(120) == 0, project.printed
    assert len(all_submissions(project.dataset.layout)) == 2
    assert calls(program) <= len(project.ids) * (CHUNKS + 1)
    same_as_alone(project.dataset, project.folder / "alone", program)


def test_finished_recordings_are_known_while_others_are_under_way(slurm, tmp_path, program):
    """And the log of a task that fails for good is in the error."""
    (tmp_path / "cluster.toml").write_text(PROFILE)
    project = Project(tmp_path, program, 2)
    (tmp_path / "cluster.toml").write_text(PROFILE + "throttle = 1\n[retry]\nattempts = 1\n")
    run = project.start("detections")
    with new_instance(project.home) as instance:
        until(lambda: materialized(instance, "detections"), "the first recording", at_most_s=60)
    assert run.poll() is None
    (program.parent / "seconds").write_text("30")
    (submission,) = all_submissions(project.dataset.layout)
    until(lambda: kill_task(submission, 1), "the second task")
    assert run.wait(90) != 0
    assert "1 of 2 recordings were left out" in project.printed
    assert "Log: " in project.printed
    with new_instance(project.home) as instance:
        assert len(materialized(instance, "detections")) == 1


def kill_task(submission: Submission, number: int) -> bool:
    try:
        os.kill(process_of(submission, number), signal.SIGKILL)
    except AssertionError:
        return False
    return True


def test_the_tag_of_a_run_goes_over_that_of_the_asset(slurm, project, program):
    (program.parent / "seconds").write_text("0")
    from badc_assets.definitions import build_definitions

    job = dg.define_asset_job("job", selection=dg.AssetSelection.assets("detections"))
    merged = dg.Definitions.merge(build_definitions(project.dataset.project), dg.Definitions(jobs=[job]))
    with new_instance(project.home) as instance:
        done = merged.resolve_job_def("job").execute_in_process(
            instance=instance, partition_key=project.ids[0], tags={"badc/slurm": '{"time": "00:03:00", "mem": "200M"}'}
        )
    assert done.success
    (submission,) = all_submissions(project.dataset.layout)
    script = submission.script.read_text()
    for line in ("--time=00:03:00", "--mem=200M", "--partition=low", "--gres=gpu:1"):
        assert f"#SBATCH {line}\n" in script
