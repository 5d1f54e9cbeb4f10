"""`badc run` that is stopped, and two of them at once on the same recordings."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import dagster as dg

from badc_assets_tests.cli.test_commands import Shell, home
from badc_assets_tests.datasets import Dataset, make_dataset
from badc_assets_tests.instances import new_instance
from badc_assets_tests.whole_runs import analysed, results, run_all, temporary_files

__all__ = ["home"]


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.005)


def alive(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (entry / "stat").exists():
            state, _, _, its_session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found.append(int(entry.name))
    return found


def times(dataset: Dataset) -> dict[str, int]:
    finished = analysed(dataset.layout, dataset.recording_ids)
    return {recording: dataset.layout.detections(recording).stat().st_mtime_ns for recording in finished}


COUNT = 24


def test_stopped_twice_then_finished_by_two_at_once(home, tmp_path):
    dataset = make_dataset(tmp_path / "data", COUNT, seconds=30)
    shell = Shell(home, tmp_path / "data")
    done: dict[str, int] = {}
    for number, status, watched in ((signal.SIGTERM, 143, 3), (signal.SIGINT, 130, 10)):
        victim = shell.start("badc", "run")
        wait_for(dataset.layout.effort(dataset.recording_ids[watched]))
        if number == signal.SIGTERM:
            victim.send_signal(number)
        else:
            os.killpg(victim.pid, number)  # as a terminal does it
        output, _ = victim.communicate(timeout=60)
        assert victim.returncode == status, output
        assert "Stopped. What was finished is kept; run it again to go on." in output
        assert "Traceback" not in output
        assert alive(victim.pid) == []
        assert temporary_files(tmp_path / "data") == []
        before, done = done, times(dataset)
        assert watched <= len(done) < COUNT
        assert before.items() <= done.items()

    both = [shell.start("badc", "run") for _ in range(2)]
    for process in both:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
        assert "Traceback" not in output
    assert len(times(dataset)) == COUNT
    assert done.items() <= times(dataset).items()
    counts = analyses(home)
    assert set(counts) == set(dataset.recording_ids)
    assert max(counts.values()) == 1

    alone = make_dataset(tmp_path / "alone", COUNT, seconds=30)
    with new_instance() as instance:
        assert run_all(alone.project, instance) == []
    for recording in dataset.recording_ids:
        assert results(dataset.layout, recording) == results(alone.layout, recording)


def analyses(home: Path) -> dict[str, int]:
    """How often each recording was analysed: materializations that are not about results found unchanged.

    It is 0 for one that was finished, but not reported any more, when its run was stopped.
    """
    os.environ["DAGSTER_HOME"] = str(home)
    before = Path.cwd()
    os.chdir(home)
    try:
        with dg.DagsterInstance.get() as instance:
            records = instance.fetch_materializations(dg.AssetKey("detections"), limit=500).records
    finally:
        os.chdir(before)
        del os.environ["DAGSTER_HOME"]
    counts: Counter[str] = Counter()
    for record in records:
        event = record.asset_materialization
        assert event and event.partition
        counts[event.partition] += not event.metadata["unchanged"].value
    return dict(counts)


def test_an_error_is_one_line_whatever_the_name_of_the_folder(home, tmp_path):
    dataset = make_dataset(tmp_path / "new\nline [bold] [/red]", 1)
    dataset.examine()
    dataset.layout.catalog.write_bytes(b"PAR1")
    process = Shell(home, dataset.layout.dataset).start("badc", "status")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    (line,) = output.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(": is damaged or no catalogue; delete it and scan again; results are kept")
    assert r"/new\nline [bold] [/red]/artifacts/recordings/catalog.parquet" in line
