"""Files that may not be read, folders that may not be written, and disks that are full, through the whole graph."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from badc_assets.detections.store import status_path
from badc_assets.errors import BadcError
from badc_assets.files import write_text
from badc_assets.recordings.current import require_catalog
from badc_assets.recordings.facts import read_facts
from badc_assets.reports.database import new_database
from badc_assets.reports.progress import dataset_progress
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import PER_RECORDING, failure_text, materialized, run_assets
from badc_assets_tests.instances import new_instance
from badc_assets_tests.sounds import noise, write_sound
from badc_assets_tests.whole_runs import analysed, results, run_all, shown, temporary_files

KIB = 1024


@pytest.fixture
def instance():
    """An instance on disk that goes away."""
    with new_instance() as fresh:
        yield fresh


def give_up_root() -> None:
    """Take from this process what lets root pass every permission (capset, `man 2 capset`); from others nothing."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        version_3 = (ctypes.c_uint32 * 2)(0x20080522, 0)
        if libc.capset(version_3, (ctypes.c_uint32 * 6)()):
            raise OSError(ctypes.get_errno(), "capset failed")


def run_all_as_user(project, instance: dg.DagsterInstance, answer: Path) -> list[str]:
    """`run_all` in a process without root's powers; what the failed stages said."""
    work = multiprocessing.get_context("fork").Process(target=_run_as_user, args=(project, instance.get_ref(), answer))
    work.start()
    work.join(240)
    assert work.exitcode == 0
    return answer.read_text().split("\0")[:-1]


def _run_as_user(project, instance_ref, answer: Path) -> None:
    give_up_root()
    with dg.DagsterInstance.from_ref(instance_ref) as instance:
        answer.write_text("".join(f"{said}\0" for said in run_all(project, instance)))


@contextmanager
def modes(*changes: tuple[Path, int]):
    """Other permissions for a while."""
    before = [(path, path.stat().st_mode) for path, _ in changes]
    for path, mode in changes:
        path.chmod(mode)
    try:
        yield
    finally:
        for path, mode in reversed(before):
            path.chmod(mode)


def test_what_may_not_be_read_is_recorded_and_the_rest_finished(tmp_path, instance):
    dataset = make_dataset(tmp_path, 3)
    first, forbidden, last = dataset.recording_ids
    hidden = write_sound(tmp_path / "audio" / "hidden" / "inside.wav", noise(5, seed=9))
    closed = [(tmp_path / "audio" / f"{forbidden}.wav", 0o000), (hidden.parent, 0o000)]
    with modes(*closed):
        (said,) = run_all_as_user(dataset.project, instance, tmp_path / "said")
    assert forbidden in said
    assert analysed(dataset.layout, dataset.recording_ids) == {first, last} == materialized(instance, "detections")
    catalog = require_catalog(dataset.layout)
    assert set(catalog.all_ids) == set(dataset.recording_ids)
    assert any(p.startswith("audio/hidden/: this folder cannot be read") for p in catalog.problems)
    facts = read_facts(dataset.layout, forbidden)
    assert facts and facts.reason == "no_permission: may not be read; give this user permission to read it"
    assert dataset_progress(dataset.layout, catalog.entries).broken == {forbidden: f"quarantined: {facts.reason}"}

    assert run_all(dataset.project, instance) == []
    assert len(analysed(dataset.layout, [*dataset.recording_ids, "hidden__inside"])) == 4


@pytest.mark.parametrize("stage", ["nothing yet", "detections"])
def test_an_output_folder_that_may_not_be_written_is_one_line(tmp_path, instance, capfd, stage):
    dataset = make_dataset(tmp_path / "data", 2, output=tmp_path / "out")
    layout = dataset.layout
    layout.output.mkdir()
    closed, named = layout.output, layout.locks / "catalog.lock"
    if stage == "detections":
        run_assets(dataset.project, instance, ["recording_catalog"])
        run_assets(dataset.project, instance, PER_RECORDING, dataset.recording_ids[:1])
        closed, named = layout.output / "artifacts/infer", status_path(layout, dataset.recording_ids[1])
    capfd.readouterr()
    with modes((closed, 0o555)):
        said = run_all_as_user(dataset.project, instance, tmp_path / "said")
    text = capfd.readouterr().err
    assert any(f"{named}: cannot be written (Permission denied); " in one for one in said)
    if stage == "nothing yet":
        assert len(said) == 1
        assert shown(tmp_path / "log", text).startswith(f"{named}: cannot be written (Permission denied); ")
    else:
        assert analysed(layout, dataset.recording_ids) == {dataset.recording_ids[0]}
    assert run_all(dataset.project, instance) == []
    assert analysed(layout, dataset.recording_ids) == set(dataset.recording_ids)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root on Linux")
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_all_but(disk: Path, free_bytes: int) -> None:
    room = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(room.f_bavail * room.f_bsize - free_bytes))


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)


def test_a_disk_that_is_full_in_the_middle(tmp_path, small_disk, instance, capfd):
    dataset = make_dataset(tmp_path / "data", 8, output=small_disk)
    layout = dataset.layout
    assert run_assets(dataset.project, instance, ["recording_catalog"]).success
    first = run_assets(
        dataset.project, instance, ["recordings", "chunk_manifest", "chunk_status"], dataset.recording_ids
    )
    assert first.success
    fill_all_but(small_disk, 80 * KIB)
    capfd.readouterr()
    result = run_assets(dataset.project, instance, ["detections"], dataset.recording_ids)
    line = shown(tmp_path / "log", capfd.readouterr().err)

    assert not result.success
    assert "No space left" in failure_text(result)
    assert line.startswith(f"{small_disk}/artifacts/")
    assert "cannot be written" in line
    assert "No space left" in line
    finished = analysed(layout, dataset.recording_ids)
    assert 1 <= len(finished) < 8
    assert finished == materialized(instance, "detections")
    assert temporary_files(small_disk) == []
    before = {recording: layout.detections(recording).stat().st_mtime_ns for recording in finished}

    enlarge(small_disk)
    assert run_all(dataset.project, instance) == []
    assert analysed(layout, dataset.recording_ids) == set(dataset.recording_ids)
    assert {recording: layout.detections(recording).stat().st_mtime_ns for recording in finished} == before
    untouched = make_dataset(tmp_path / "again", 8)
    run_all(untouched.project, instance)
    assert [results(layout, r) for r in dataset.recording_ids] == [
        results(untouched.layout, r) for r in dataset.recording_ids
    ]


def test_a_disk_that_is_full_when_the_tables_are_made(tmp_path, small_disk, instance, capfd):
    dataset = make_dataset(tmp_path / "data", 2, output=small_disk)
    assert run_all(dataset.project, instance) == []
    page = (dataset.layout.report_dir / "index.html").read_bytes()
    database = dataset.layout.database.read_bytes()
    fill_all_but(small_disk, 36 * KIB)
    capfd.readouterr()
    result = run_assets(dataset.project, instance, ["detection_aggregates", "dataset_report"])
    line = shown(tmp_path / "log", capfd.readouterr().err)
    assert not result.success
    assert line.startswith(f"{small_disk}/artifacts/aggregate/")
    assert "cannot be written" in line
    assert "No space left" in line
    assert dataset.layout.database.read_bytes() == database
    assert (dataset.layout.report_dir / "index.html").read_bytes() == page
    assert temporary_files(small_disk) == []
    enlarge(small_disk)
    assert run_assets(dataset.project, instance, ["detection_aggregates", "dataset_report"]).success


def test_a_disk_that_is_full_in_the_middle_of_a_database(small_disk):
    place = small_disk / "badc.duckdb"
    place.write_text("the old one")
    with (
        pytest.raises(BadcError, match=r"badc.duckdb: cannot be written .*No space left"),
        new_database(place) as temporary,
        duckdb.connect(str(temporary)) as connection,
    ):
        connection.execute("CREATE TABLE much AS SELECT random() FROM range(1_000_000)")
    assert [path.name for path in small_disk.iterdir()] == ["badc.duckdb"]
    assert place.read_text() == "the old one"


def test_a_disk_that_is_full_keeps_the_old_file_and_nothing_else(small_disk):
    place = small_disk / "table.csv"
    write_text(place, "the old one")
    with pytest.raises(BadcError, match=r"table.csv: cannot be written .No space left"):
        write_text(place, "x" * 3_000_000)
    assert [path.name for path in small_disk.iterdir()] == ["table.csv"]
    assert place.read_text() == "the old one"
