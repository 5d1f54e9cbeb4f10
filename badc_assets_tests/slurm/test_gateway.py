"""SLURM's answers, as its commands of version 22.05 gave them, and what is made of commands that say nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from badc_assets.errors import BadcError
from badc_assets.slurm.gateway import (
    SlurmCommands,
    SlurmSilent,
    SubmitRefused,
    is_final_refusal,
    parse_accounting,
    parse_job,
    parse_queue,
)
from badc_assets.slurm.states import TaskId, TaskState

JOB = (
    "JobId=3 ArrayJobId=1 ArrayTaskId=1 JobName=badc-x UserId=root(0) JobState=FAILED Reason=JobLaunchFailure "
    "Requeue=1 Restarts=2 ExitCode=0:9 AllocNode:Sid=localhost:5716 NodeList=node7 BatchHost=node7 Power=\n"
)


def test_the_queue_is_read():
    states = parse_queue("1|1|FAILED|JobLaunchFailure\n1|0|RUNNING|None\n8|N/A|RUNNING|None\nnonsense\n")
    assert states == {TaskId("1", 1): TaskState("FAILED", "JobLaunchFailure"), TaskId("1", 0): TaskState("RUNNING")}


def test_a_job_is_read():
    assert parse_job(JOB) == TaskState("FAILED", "JobLaunchFailure", 0, 9, "node7", 2)
    assert parse_job("slurm_load_jobs error") is None


def test_accounting_is_read():
    assert parse_accounting("CANCELLED by 1000|0:15|n1\n") == TaskState("CANCELLED", "by 1000", 0, 15, "n1")
    assert parse_accounting("") is None


@pytest.mark.parametrize(
    ("name", "is_live"),
    [("PENDING", True), ("REQUEUED", True), ("A_NEW_WORD", True), ("PREEMPTED", False), ("VANISHED", False)],
)
def test_what_is_live(name: str, is_live: bool):
    assert TaskState(name).is_live == is_live


def test_a_task_that_waits_for_a_person():
    assert TaskState("PENDING", "JobHeldUser").is_held
    assert TaskState("REQUEUE_HOLD").is_held
    assert not TaskState("PENDING", "Resources").is_held


@pytest.mark.parametrize(
    ("text", "is_final"),
    [
        ("sbatch: error: Batch job submission failed: Invalid partition name specified", True),
        ("sbatch: error: Batch job submission failed: Requested node configuration is not available", True),
        ("sbatch: error: Memory specification can not be satisfied", True),
        ("sbatch: error: Batch job submission failed: Invalid job array specification", True),
        ("sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates "
         "accounting/QOS policy (job submit limit, user's size and/or time limits)", False),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", False),
        ("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)", False),
        ("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying", False),
    ],
)  # fmt: skip
def test_refusals(text: str, is_final: bool):
    assert is_final_refusal(text) == is_final


@pytest.fixture
def program(tmp_path: Path, monkeypatch):
    """Puts a script in the place of a command."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return put


def test_submission(program, tmp_path):
    program("sbatch", 'echo "$@" > "$(dirname "$0")/said"; echo "4711;cluster"')
    assert SlurmCommands().submit(tmp_path / "x.sh") == "4711"
    assert (tmp_path / "said").read_text() == f"--parsable {tmp_path / 'x.sh'}\n"


def test_refused_and_silent(program, tmp_path):
    program("sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    with pytest.raises(SubmitRefused) as refused:
        SlurmCommands().submit(tmp_path / "x.sh")
    assert refused.value.is_final
    program("sbatch", "echo 'sbatch: error: Socket timed out on send/recv operation' >&2; exit 1")
    with pytest.raises(SlurmSilent):
        SlurmCommands().submit(tmp_path / "x.sh")


def test_a_queue_that_is_lost_and_one_that_has_forgotten(program):
    program("squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(SlurmSilent, match="Unable to contact"):
        SlurmCommands().tasks(["1"])
    program("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert SlurmCommands().tasks(["1"]) == {}
    program("squeue", "sleep 5")
    with pytest.raises(SlurmSilent, match="no answer"):
        SlurmCommands(timeout_s=0.2).tasks(["1"])


def test_a_forgotten_job_is_looked_up_in_the_accounts(program):
    program("scontrol", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    program("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert SlurmCommands().detail(TaskId("1", 0)) is None
    program("sacct", "echo 'TIMEOUT|0:0|n1'")
    assert SlurmCommands().detail(TaskId("1", 0)) == TaskState("TIMEOUT", node="n1")


def test_the_newest_of_our_jobs(program):
    program("squeue", "printf '9\\n10\\n10\\n'")
    assert SlurmCommands().find("badc-x") == "10"
    program("squeue", "true")
    assert SlurmCommands().find("badc-x") is None


def test_partitions_and_limits(program):
    program("sinfo", "echo 'gpu|up|2|gpu:2|infinite'; echo 'old|down|1|(null)|1:00:00'")
    up, down = SlurmCommands().partitions()
    assert (up.name, up.is_up, up.gres, down.is_up, down.gres) == ("gpu", True, "gpu:2", False, "")
    program("scontrol", "echo 'MaxArraySize            = 51'")
    assert SlurmCommands().max_array_size() == 51


def test_no_slurm_here(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BadcError, match="sbatch: cannot be started"):
        SlurmCommands().submit(Path("x"))
