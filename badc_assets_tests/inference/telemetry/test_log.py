"""The event log: BADC's keys in BADC's order, whole lines whatever happens, and nothing written through a link."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from badc_assets.detectors.protocol import Device
from badc_assets.errors import BadcError
from badc_assets.inference.devices.gpus import GpuSample
from badc_assets.inference.telemetry.log import TelemetryLog
from badc_assets.layout import Layout

CPU = Device("cpu", 2)
GPU = Device("cuda", 2, 1, "GPU-1", "Quadro RTX 4000", 8192)
NOW = "2026-11-20T23:08:07.626555+00:00"
CHUNK = {"chunk_id": "R_chunk_0_60000", "recording_id": "R", "attempt": 1}
SAMPLE = GpuSample("GPU-1", 0.0, 61, 700, 8192, 88.5, 4.0)


def make(path: Path, runner: str = "energy") -> TelemetryLog:
    return TelemetryLog(path, runner, lambda: datetime(2026, 11, 20, 23, 8, 7, 626555, UTC))


@pytest.fixture
def log(tmp_path):
    with make(tmp_path / "deep/run.jsonl") as opened:
        yield opened


def test_a_start_is_badcs_line(log):
    log.started(**CHUNK, worker="gpu-1", device=GPU)
    assert log.path.read_text() == (
        '{"chunk_id": "R_chunk_0_60000", "gpu_index": 1, "gpu_name": "Quadro RTX 4000", "status": "start", '
        f'"timestamp": "{NOW}", "finished_at": null, "runtime_s": null, '
        '"details": {"attempt": 1, "recording_id": "R", "worker": "gpu-1"}}\n'
    )


def test_a_failure_is_badcs_line(log):
    log.failed(**CHUNK, worker="cpu-0", device=CPU, runtime_s=0.5, error="x" * 600 + "end", backoff_s=2, returncode=7)
    event = json.loads(log.path.read_text())
    assert list(event.items())[:7] == [
        ("chunk_id", "R_chunk_0_60000"),
        ("gpu_index", None),
        ("gpu_name", None),
        ("status", "failure"),
        ("timestamp", NOW),
        ("finished_at", NOW),
        ("runtime_s", 0.5),
    ]
    assert list(event["details"].items()) == [
        ("attempt", 1),
        ("returncode", 7),
        ("stderr", "x" * 497 + "end"),
        ("gpu_metrics", {"before": None, "after": None}),
        ("backoff_s", 2),
        ("recording_id", "R"),
        ("worker", "cpu-0"),
    ]


@pytest.mark.parametrize(
    ("runner", "keys"),
    [
        ("stub", ["attempt", "output", "runner", "recording_id", "worker"]),
        ("energy", ["attempt", "output", "runner", "stdout", "gpu_metrics", "recording_id", "worker"]),
    ],
)
def test_a_success_has_badcs_details(tmp_path, runner, keys):
    sample = None if runner == "stub" else SAMPLE
    with make(tmp_path / "log.jsonl", runner) as log:
        log.succeeded(**CHUNK, worker="gpu-1", device=GPU, runtime_s=1.0, output="o.parquet", stdout="hi", after=sample)
    details = json.loads((tmp_path / "log.jsonl").read_text())["details"]
    assert list(details) == keys
    assert (details["output"], details["runner"], details.get("stdout")) == (
        "o.parquet",
        runner,
        None if runner == "stub" else "hi",
    )
    if sample:
        after = {"index": 1, "utilization": 61, "memory_used_mb": 700, "memory_total_mb": 8192}
        assert details["gpu_metrics"] == {"before": None, "after": after}
        assert list(details["gpu_metrics"]["after"]) == list(after)


def test_a_sample_can_be_read_by_badcs_monitor(log):
    log.sampled(worker="gpu-1", device=GPU, sample=SAMPLE)
    event = json.loads(log.path.read_text())
    assert (event["chunk_id"], event["status"], event["runtime_s"]) == ("", "sample", None)
    assert event["gpu_index"] == 1
    assert event["details"]["gpu_metrics"]["after"]["utilization"] == 61
    assert event["details"]["power_w"] == 88.5


def test_a_log_goes_on_where_it_ended(tmp_path):
    path = tmp_path / "log.jsonl"
    for _ in range(2):
        with make(path) as log:
            log.started(**CHUNK, worker="cpu-0", device=CPU)
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 2


def test_a_line_that_a_kill_left_half_written_spoils_no_other(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"chunk_id": "half')
    with make(path) as log:
        log.started(**CHUNK, worker="cpu-0", device=CPU)
    half, whole = path.read_text().splitlines()
    assert half == '{"chunk_id": "half'
    assert json.loads(whole)["status"] == "start"


def test_lines_of_many_threads_stay_whole(log):
    def write() -> None:
        for _ in range(200):
            log.started(**CHUNK, worker="cpu-0", device=CPU)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = log.path.read_text().splitlines()
    assert len(lines) == 800
    assert {json.loads(line)["status"] for line in lines} == {"start"}


def test_odd_names_are_escaped_not_refused(log):
    log.started(chunk_id="a\nb\udcff", recording_id="R", attempt=1, worker="cpu-0", device=CPU)
    (line,) = log.path.read_text().splitlines()
    assert json.loads(line)["chunk_id"] == "a\nb\udcff"


def test_a_link_is_not_followed(tmp_path):
    stored = tmp_path / "annex-object"
    stored.write_text("kept\n")
    (tmp_path / "log.jsonl").symlink_to(stored)
    with pytest.raises(BadcError, match="is a link"):
        make(tmp_path / "log.jsonl")
    assert stored.read_text() == "kept\n"


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadcError, match="cannot be written"):
        make(tmp_path / "file/log.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tmp_path, log):
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._descriptor)
    os.close(full)
    with pytest.raises(BadcError, match="No space left"):
        log.started(**CHUNK, worker="cpu-0", device=CPU)


def test_logs_lie_where_badc_has_them(tmp_path):
    layout = Layout(tmp_path / "data", tmp_path / "data/audio", tmp_path / "out")
    assert layout.telemetry_dir == tmp_path / "out/artifacts/telemetry/infer"


def test_the_size_is_that_of_badcs_logs(shared_data, tmp_path):
    """BADC's own stub run of 60 chunks: 44,143 bytes. Ours, less what we add, differs by the digits of the seconds only."""
    index = json.loads((shared_data / "badc_fixtures/annex_index.json").read_text())
    recording = "GNWT-290_20230331_235938"
    base = f"artifacts/infer/tmp_bundle/{recording}/"
    chunks = [
        path.removeprefix(base).removesuffix(".json")
        for path in index
        if path.startswith(base) and path.endswith(".json")
    ]
    assert len(chunks) == 60
    with make(tmp_path / "log.jsonl", "stub") as log:
        for chunk in chunks:
            where = {"chunk_id": chunk, "recording_id": "R", "attempt": 1, "worker": "gpu-1", "device": GPU}
            log.started(**where)
            log.succeeded(**where, runtime_s=0.00034567890123456, output=f"artifacts/infer/{recording}/{chunk}.json")
    ours = (tmp_path / "log.jsonl").read_text().replace(', "recording_id": "R", "worker": "gpu-1"', "")
    assert abs(len(ours) - index[f"artifacts/telemetry/tmp_bundle/infer/{recording}.jsonl"]["size"]) <= 3 * len(chunks)
