"""`badc infer run` as a user types it."""

from __future__ import annotations

from badc_assets_tests.cli.same_process import SameProcess
from badc_assets_tests.cli.test_commands import home
from badc_assets_tests.datasets import make_dataset

__all__ = ["home"]


def test_recordings_are_analysed_once_and_what_is_left_out_is_said(home, tmp_path):
    dataset = make_dataset(tmp_path / "data", 3, bad=(1,))
    dataset.chunk()
    bad = dataset.recording_ids[1]
    shell = SameProcess(home, tmp_path / "data")
    status, output = shell("badc", "infer", "run", "--cpu-workers", "2")
    assert status == 1
    assert "3 recordings: 0 had results already, 1 were left out" in output
    assert f"{bad}: unreadable" in output
    assert "Traceback" not in output

    good = [str(dataset.layout.manifest(one)) for one in dataset.recording_ids if one != bad]
    log = tmp_path / "log.jsonl"
    status, output = shell("badc", "infer", "run", *good)
    assert status == 0
    assert "2 recordings: 2 had results already, 0 were left out" in output
    status, output = shell("badc", "infer", "run", *good, "--detector", "stub", "--telemetry-log", str(log))
    assert status == 0
    assert len(log.read_text().splitlines()) == 2 * 2 * 3
    status, output = shell("badc", "infer", "monitor", "--log", str(log))
    assert status == 0
    assert "cpu-0" in output


def test_a_file_that_is_no_manifest_is_refused_in_one_line(home, tmp_path):
    dataset = make_dataset(tmp_path / "data", 1)
    dataset.chunk()
    stranger = tmp_path / "r.csv"
    stranger.write_text("recording_id\n")
    status, output = SameProcess(home, tmp_path / "data")("badc", "infer", "run", str(stranger))
    assert status == 1
    (line,) = output.splitlines()
    assert f"{stranger}: not a chunk manifest" in line


def test_a_summary_that_is_none_is_refused_in_one_line(home, tmp_path):
    dataset = make_dataset(tmp_path / "data", 1)
    dataset.chunk()
    summary = tmp_path / "s.json"
    summary.write_text("{")
    status, output = SameProcess(home, tmp_path / "data")("badc", "infer", "run", "--resume-summary", str(summary))
    assert status == 1
    assert str(summary) in output
    assert "Traceback" not in output
