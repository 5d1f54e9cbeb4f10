"""What the doctor finds outside Dagster, and what it mends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from badc_assets.chunks.interrupted import REASON
from badc_assets.chunks.status import lock_file, read_status, write_status
from badc_assets.errors import BadcError
from badc_assets.files import SCRATCH, exclusive
from badc_assets.inference import scratch
from badc_assets.inference.devices.gpus import Gpu
from badc_assets.inference.devices.leases import lease_gpus, this_process
from badc_assets.upkeep.doctor import Surroundings, examinations
from badc_assets.upkeep.examination import Ailment, Diagnosis, Examination, examine
from badc_assets_tests.datasets import fixed_clock, make_dataset
from badc_assets_tests.git import require_programs, run_in

CARD = Gpu(0, "GPU-aaaa", "a card", 1000)


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def dataset(tmp_path):
    made = make_dataset(tmp_path / "data", 2)
    made.chunk()
    return made


def diagnosis(dataset, name: str, *, fix=False, gpus=(), lease_folder=Path("/nowhere"), least_free_gb=0.0) -> Diagnosis:
    every = examinations(dataset.layout, Surroundings(gpus, lease_folder), fixed_clock, least_free_gb=least_free_gb)
    (found,) = examine([one for one in every if one.name == name], fix=fix)
    return found


def test_a_healthy_dataset_has_no_ailments(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "MEMORY", tmp_path / "nothing")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    every = examinations(dataset.layout, Surroundings((), tmp_path), fixed_clock, least_free_gb=0)
    assert {one.name: one.state for one in examine(every, fix=False)} == dict.fromkeys((e.name for e in every), "ok")


def test_a_status_of_a_dead_writer_is_reset_and_that_of_a_living_one_is_not(dataset):
    dead, living = dataset.recording_ids
    for name in (dead, living):
        status = read_status(dataset.layout, name)
        assert status is not None
        write_status(dataset.layout, replace(status, status="in_progress"))
    with exclusive(lock_file(dataset.layout, living)):
        found = diagnosis(dataset, "chunk statuses")
        assert found.state == "problem"
        assert found.can_be_fixed
        assert dead in found.ailments[0].problem
        assert living not in found.ailments[0].problem
        assert diagnosis(dataset, "chunk statuses", fix=True).state == "fixed"
        status = read_status(dataset.layout, living)
        assert status is not None
        assert status.status == "in_progress"
    status = read_status(dataset.layout, dead)
    assert status is not None
    assert (status.status, status.error) == ("failed", REASON)


def test_scratch_of_dead_processes_is_removed_and_that_of_living_ones_is_not(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "MEMORY", tmp_path / "memory")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, used = tmp_path / f"{SCRATCH}{dead_pid()}-x", tmp_path / f"{SCRATCH}{os.getpid()}-x"
    left.mkdir()
    used.mkdir()
    assert diagnosis(dataset, "scratch folders").state == "problem"
    assert left.exists()
    assert diagnosis(dataset, "scratch folders", fix=True).state == "fixed"
    assert not left.exists()
    assert used.exists()


def test_files_that_killed_processes_began_are_removed(dataset):
    folder = dataset.layout.aggregate_table("x").parent
    folder.mkdir(parents=True)
    left, used = folder / f".effort.parquet.{dead_pid()}.ab.tmp", folder / f".effort.parquet.{os.getpid()}.cd.tmp"
    left.touch()
    used.touch()
    assert diagnosis(dataset, "unfinished files", fix=True).state == "fixed"
    assert not left.exists()
    assert used.exists()


def test_a_full_disk_is_a_problem_that_only_a_person_can_mend(dataset):
    found = diagnosis(dataset, "disk space", fix=True, least_free_gb=10**9)
    assert found.state == "problem"
    assert not found.can_be_fixed


def test_a_repository_whose_user_git_does_not_know(dataset, tmp_path, monkeypatch):
    require_programs("git")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    assert diagnosis(dataset, "git identity").state == "ok"
    run_in(dataset.layout.dataset, "git", "init", "-q")
    found = diagnosis(dataset, "git identity")
    assert found.state == "problem"
    assert "git config" in found.ailments[0].remedy
    monkeypatch.setenv("GIT_COMMITTER_NAME", "somebody")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "a@b")
    assert diagnosis(dataset, "git identity").state == "ok"


def test_programs_are_missed_only_where_they_are_needed(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert diagnosis(dataset, "programs").state == "ok"
    (dataset.layout.dataset / ".git").mkdir()
    assert len(diagnosis(dataset, "programs").ailments) == 3


KEEPS_A_LEASE = """
import os, subprocess, sys
from pathlib import Path
from badc_assets.inference.devices.gpus import Gpu
from badc_assets.inference.devices.leases import lease_gpus, this_process
(lease,) = lease_gpus([Gpu(0, "GPU-aaaa", "a card", 1000)], 1, Path(sys.argv[1]), this_process("the-run"))
child = subprocess.Popen(["sleep", "60"], pass_fds=[lease.fileno()], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
"""


def test_a_card_that_a_dead_runs_child_keeps_is_named_with_the_child(dataset, tmp_path):
    folder = tmp_path / "leases"
    answer = subprocess.run(
        [sys.executable, "-c", KEEPS_A_LEASE, str(folder)], stdout=subprocess.PIPE, text=True, check=True
    )
    child = int(answer.stdout)
    try:
        found = diagnosis(dataset, "GPU leases", gpus=(CARD,), lease_folder=folder)
        assert found.state == "problem"
        assert "the-run" in found.ailments[0].problem
        assert str(child) in found.ailments[0].problem
    finally:
        os.kill(child, 9)
    deadline = time.monotonic() + 10
    while diagnosis(dataset, "GPU leases", gpus=(CARD,), lease_folder=folder).state != "ok":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with lease_gpus([CARD], 1, folder, this_process())[0]:
        assert diagnosis(dataset, "GPU leases", gpus=(CARD,), lease_folder=folder).state == "ok"


def test_what_cannot_be_looked_at_is_a_problem_and_stops_nothing():
    def broken() -> list[Ailment]:
        raise BadcError("place", "cannot be read", "mend it")

    first, second = examine([Examination("a", broken), Examination("b", list)], fix=True)
    assert (first.state, first.ailments[0].remedy) == ("problem", "mend it")
    assert second.state == "ok"
