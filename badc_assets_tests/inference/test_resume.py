"""What an earlier run did is taken over: from our journals, and from BADC's summaries and detection JSON."""

from __future__ import annotations

import json
import shutil

import pytest

from badc_assets.chunks.manifest import read_manifest
from badc_assets.detections.rules import DetectionRules
from badc_assets.errors import BadcError
from badc_assets.inference.opening import Wanted
from badc_assets.inference.resume import resume_from_summary
from badc_assets.inference.settings import InferenceSettings
from badc_assets.inference.telemetry.run_log import TelemetryRunLog
from badc_assets.inference.telemetry.run_summary import read_summary, summary_path
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.inference.detectors import LoudWindows, Trouble
from badc_assets_tests.inference.runs import found, run


@pytest.fixture
def dataset(tmp_path):
    made = make_dataset(tmp_path / "data", 2, seconds=5)
    made.chunk()
    return made


def wanted(dataset):
    return Wanted(dataset.project.chunking, InferenceSettings(), LoudWindows.info, DetectionRules())


def badc_summary(dataset, folder, *, damaged=()):
    """The first recording as BADC leaves it behind when it has been analysed: an event in each chunk, and the summary."""
    jobs = {}
    first = dataset.recording_ids[0]
    for number, chunk in enumerate(read_manifest(dataset.layout.manifest(first))):
        output = folder / f"{chunk.chunk_id}.json"
        event = {"timestamp_ms": 100, "end_ms": 600, "label_code": "RUGR", "label_name": "Ruffed Grouse",
                 "label": "RUGR", "confidence": 0.5 + number / 10}  # fmt: skip
        value = {"chunk_id": chunk.chunk_id, "recording_id": first, "status": "ok", "detections": [event]}
        output.parent.mkdir(exist_ok=True)
        output.write_text("{" if number in damaged else json.dumps(value))
        jobs[chunk.chunk_id] = {
            "status": "success",
            "attempts": 1,
            "retries": 0,
            "output": str(output),
            "worker": "gpu-0",
        }
    path = folder / "log.jsonl.summary.json"
    path.write_text(json.dumps({"telemetry_log": "log.jsonl", "workers": {}, "jobs": jobs}))
    return path


def test_chunks_that_badc_has_done_are_not_done_again(dataset, tmp_path):
    summary = badc_summary(dataset, tmp_path / "badc")
    resumed = resume_from_summary(dataset.layout, dataset.recording_ids, wanted(dataset), summary)
    assert (resumed.chunks, resumed.not_taken) == (3, {})
    assert all(outcome.is_complete for outcome in run(dataset, LoudWindows()))
    first, second = dataset.recording_ids
    assert [row[:4] for row in found(dataset, first)] == [
        (100, 600, "RUGR", 0.5), (2100, 2600, "RUGR", 0.6), (4100, 4600, "RUGR", 0.7)
    ]  # fmt: skip
    assert {row[2] for row in found(dataset, second)} == {"TONE"}


def test_outputs_that_are_gone_or_damaged_are_named_and_their_chunks_analysed(dataset, tmp_path):
    summary = badc_summary(dataset, tmp_path / "badc", damaged=[1])
    next((tmp_path / "badc").glob("*_0_2000.json")).unlink()
    resumed = resume_from_summary(dataset.layout, dataset.recording_ids, wanted(dataset), summary)
    assert resumed.chunks == 1
    assert len(resumed.not_taken) == 2
    assert any("is not there" in problem for problem in resumed.not_taken.values())
    run(dataset, LoudWindows())
    assert [row[2] for row in found(dataset, dataset.recording_ids[0])] == ["TONE", "TONE", "TONE", "RUGR"]


def test_a_file_that_is_no_summary_is_refused(dataset, tmp_path):
    path = tmp_path / "no.summary.json"
    path.write_text("[]")
    with pytest.raises(BadcError):
        resume_from_summary(dataset.layout, dataset.recording_ids, wanted(dataset), path)


class TestTelemetry:
    """The log, the summary and the table of workers of real runs."""

    def logged(self, dataset, path, detector, **settings):
        log = TelemetryRunLog(path, detector.info.name, dataset.layout)
        run(dataset, detector, log=log, **settings)
        return [json.loads(line) for line in path.read_text().splitlines()]

    def test_every_chunk_starts_and_ends_in_the_log(self, dataset, tmp_path):
        events = self.logged(dataset, tmp_path / "log.jsonl", LoudWindows())
        chunks = {
            chunk.chunk_id for one in dataset.recording_ids for chunk in read_manifest(dataset.layout.manifest(one))
        }
        for status in ("start", "success"):
            assert {event["chunk_id"] for event in events if event["status"] == status} == chunks
        summary = read_summary(summary_path(tmp_path / "log.jsonl"))
        assert {chunk_id for _, chunk_id in summary.successes()} == chunks
        assert (tmp_path / "log.jsonl.summary.json.workers.csv").read_bytes() == (
            b"worker,jobs,success,failure,retries,failed_retries\r\ncpu-0,6,6,0,0,0\r\n"
        )

    def test_a_run_that_fails_has_them_too_and_the_next_adds_to_them(self, dataset, tmp_path):
        path = tmp_path / "log.jsonl"
        events = self.logged(dataset, path, Trouble("raise", tmp_path / "diary"), max_retries=1)
        failures = [event for event in events if event["status"] == "failure"]
        assert {event["details"]["backoff_s"] for event in failures} == {0.0, None}
        assert all("too loud" in event["details"]["stderr"] for event in failures)
        jobs = read_summary(summary_path(path)).jobs
        assert sorted(job.status for job in jobs.values()) == ["failure"] * 2 + ["success"] * 4
        self.logged(dataset, path, Trouble("raise", tmp_path / "diary", times=0), max_retries=1)
        jobs = read_summary(summary_path(path)).jobs
        assert [job.status for job in jobs.values()] == ["success"] * 6

    def test_a_worker_that_dies_is_in_the_log(self, dataset, tmp_path):
        events = self.logged(dataset, tmp_path / "log.jsonl", Trouble("die", tmp_path / "diary", times=1))
        assert any("SIGKILL" in e["details"]["stderr"] for e in events if e["status"] == "failure")
        assert not shutil.which("nvidia-smi") or all(e["gpu_index"] is None for e in events)
