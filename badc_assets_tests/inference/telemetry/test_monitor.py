"""What the monitor counts, keeps and forgets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.inference.telemetry.monitor import (
    HISTORY,
    MAX_WORKERS,
    OTHERS,
    PALETTE,
    Monitor,
    WorkerRow,
    sorted_rows,
    sparkline,
)
from badc_assets.inference.telemetry.reader import LogFollower


def event(chunk: str, status: str, *, worker: str = "gpu-0", runtime: float | None = None, **details: object) -> bytes:
    values = {
        "chunk_id": chunk,
        "gpu_index": 0 if worker.startswith("gpu") else None,
        "gpu_name": "Card" if worker.startswith("gpu") else None,
        "status": status,
        "timestamp": "2026-01-02T03:04:05.000000+00:00",
        "finished_at": None,
        "runtime_s": runtime,
        "details": {"worker": worker, **details},
    }
    return json.dumps(values).encode() + b"\n"


def metrics(utilisation: int, used: int) -> dict[str, object]:
    after = {"index": 0, "utilization": utilisation, "memory_used_mb": used, "memory_total_mb": 8000}
    return {"before": None, "after": after}


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.jsonl"


def append(log, *lines: bytes) -> None:
    with log.open("ab") as file:
        file.write(b"".join(lines))


def test_a_row_counts_what_became_of_chunks_and_attempts(log):
    append(
        log,
        event("a", "start", attempt=1),
        event("a", "success", runtime=2.0, attempt=1),
        event("b", "start", attempt=1),
        event("b", "failure", runtime=0.1, attempt=1, backoff_s=2),
        event("b", "start", attempt=2),
        event("b", "failure", runtime=0.1, attempt=2, backoff_s=None),
        event("", "sample", gpu_metrics=metrics(80, 700)),
        event("", "sample", gpu_metrics=metrics(20, 900)),
        event("c", "start", worker="cpu-0", attempt=1),
        event("c", "success", worker="cpu-0", attempt=1, runtime=4.0),
        event("d", "success", worker="cpu-0", attempt=1, runtime=6.0),
    )
    monitor = Monitor(LogFollower(log), 3)
    monitor.refresh()
    gpu, cpu = monitor.rows["gpu-0"], monitor.rows["cpu-0"]
    assert (gpu.events, gpu.successes, gpu.failures, gpu.retries, gpu.failed_attempts) == (6, 1, 1, 1, 2)
    assert (gpu.utilisation.low, gpu.utilisation.mean, gpu.utilisation.high) == (20, 50, 80)
    assert gpu.memory_mb.high == 900
    assert gpu.gpu_name == "Card"
    assert gpu.last is not None
    assert (gpu.last.status, gpu.last.chunk_id) == ("failure", "b")
    assert cpu.runtime.mean == 5.0
    assert cpu.utilisation.mean is None
    assert [event.chunk_id for event in monitor.tail] == ["c", "c", "d"]


def test_a_refresh_adds_what_is_new_and_only_that(log):
    append(log, event("a", "success", runtime=1.0))
    monitor = Monitor(LogFollower(log), 5)
    monitor.refresh()
    monitor.refresh()
    assert monitor.rows["gpu-0"].successes == 1
    append(log, event("b", "success", runtime=1.0)[:20])
    monitor.refresh()
    assert monitor.rows["gpu-0"].successes == 1
    append(log, event("b", "success", runtime=1.0)[20:])
    monitor.refresh()
    assert monitor.rows["gpu-0"].successes == 2


@pytest.mark.parametrize("remains", [b"", event("z", "start", worker="cpu-3")])
def test_a_log_written_anew_is_counted_anew(log, remains):
    append(log, event("a", "success"), b"damage\n")
    monitor = Monitor(LogFollower(log), 5)
    monitor.refresh()
    assert monitor.damaged_lines == 1
    log.write_bytes(remains)
    monitor.refresh()
    assert list(monitor.rows) == (["cpu-3"] if remains else [])
    assert monitor.damaged_lines == 0
    assert len(monitor.tail) == (1 if remains else 0)


def test_nothing_grows_with_the_log(log):
    append(log, *(event(f"c{number}", "start", worker=f"w{number}") for number in range(3 * MAX_WORKERS)))
    append(log, *(event("", "sample", gpu_metrics=metrics(number, 1)) for number in range(100)))
    monitor = Monitor(LogFollower(log), 7)
    monitor.refresh()
    assert len(monitor.rows) == MAX_WORKERS + 1
    assert monitor.rows[OTHERS].events == 2 * MAX_WORKERS
    assert len(monitor.tail) == 7
    assert list(monitor.rows[OTHERS].utilisation.recent) == [100 - HISTORY + number for number in range(HISTORY)]


def test_small_plots():
    assert sparkline([]) == ""
    assert sparkline([0, 0, 50, 50, 100, 100], 0, 100) == " =@"
    assert sparkline([7]) == sparkline([7, 7]) == PALETTE[4]
    assert sparkline([1, 2, 2, 3, 3]) == sparkline([0, 1, 1, 2, 2])
    assert len(sparkline([1.0] * HISTORY)) == HISTORY / 2
    assert sparkline([500.0, 500.0, -5.0, -5.0], 0, 100) == PALETTE[-1] + PALETTE[0]


@given(st.lists(st.floats(-1e9, 1e9), max_size=HISTORY), st.none() | st.floats(-10, 10), st.none() | st.floats(-10, 10))
def test_any_numbers_can_be_plotted(values, low, high):
    plot = sparkline(values, low, high)
    assert set(plot) <= set(PALETTE)
    assert len(plot) == (len(values) + 1) // 2


def test_workers_are_in_the_order_of_their_numbers():
    names = ["gpu-10", "gpu-2", "cpu-1", "odd", "gpu-٣", "gpu-99999999999"]
    ordered = [row.worker for row in sorted_rows([WorkerRow(name) for name in names])]
    assert ordered.index("cpu-1") == 0
    assert ordered.index("gpu-2") < ordered.index("gpu-10")
    assert sorted(ordered) == sorted(names)
