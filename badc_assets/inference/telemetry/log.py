"""The event log of a run: one JSON object a line, appended as things happen, in the format of BADC.

Keys, in this order: `chunk_id`, `gpu_index`, `gpu_name`, `status`, `timestamp`, `finished_at`, `runtime_s`, `details`. What
BADC had no place for stands at the end of `details`: `recording_id` and `worker`. Statuses are BADC's `start`, `success`
and `failure`, and `sample` for a look at a GPU between chunks. A sample has an empty `chunk_id` and carries its figures
where BADC puts them (`details.gpu_metrics.after`), so BADC's monitor draws them; its counts know only the other three.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from badc_assets.detectors.protocol import Device
from badc_assets.errors import BadcError
from badc_assets.inference.devices.gpus import GpuSample

TAIL_CHARACTERS = 500
"""How much of a program's output and of an error is kept, from its end."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class TelemetryLog:
    """Appends events to `path`. Each is one `write`, so a reader never sees two lines mixed, and a kill costs one line.

    `runner` is the detector's name. Safe to use from threads. Every method raises BadcError when the file cannot be written.
    """

    def __init__(self, path: Path, runner: str, clock: Callable[[], datetime] = utc_now) -> None:
        self.path = path
        self._runner = runner
        self._clock = clock
        self._descriptor = _opened(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def started(self, *, chunk_id: str, recording_id: str, worker: str, device: Device, attempt: int) -> None:
        """An attempt at a chunk begins; the first is 1."""
        self._append(chunk_id, device, "start", {"attempt": attempt, **_where(recording_id, worker)})

    def succeeded(
        self,
        *,
        chunk_id: str,
        recording_id: str,
        worker: str,
        device: Device,
        attempt: int,
        runtime_s: float,
        output: str,
        stdout: str = "",
        before: GpuSample | None = None,
        after: GpuSample | None = None,
    ) -> None:
        """A chunk is done. `output` is the file with its results, `stdout` what a program printed."""
        details: dict[str, Any] = {"attempt": attempt, "output": output, "runner": self._runner}
        if self._runner != "stub":
            details["stdout"] = stdout[-TAIL_CHARACTERS:]
        if before or after:
            details["gpu_metrics"] = _metrics(device, before, after)
        self._append(chunk_id, device, "success", {**details, **_where(recording_id, worker)}, runtime_s)

    def failed(
        self,
        *,
        chunk_id: str,
        recording_id: str,
        worker: str,
        device: Device,
        attempt: int,
        runtime_s: float,
        error: str,
        backoff_s: float | None,
        returncode: int | None = None,
        before: GpuSample | None = None,
        after: GpuSample | None = None,
    ) -> None:
        """An attempt failed. `backoff_s` is the wait before the next one, None when it was the last."""
        details = {
            "attempt": attempt,
            "returncode": returncode,
            "stderr": error[-TAIL_CHARACTERS:],
            "gpu_metrics": _metrics(device, before, after),
            "backoff_s": backoff_s,
        }
        self._append(chunk_id, device, "failure", {**details, **_where(recording_id, worker)}, runtime_s)

    def sampled(self, *, worker: str, device: Device, sample: GpuSample) -> None:
        """How busy a worker's GPU is at this moment."""
        details = {"gpu_metrics": _metrics(device, None, sample), "power_w": sample.power_w, "worker": worker}
        self._append("", device, "sample", details)

    def _append(
        self, chunk_id: str, device: Device, status: str, details: Mapping[str, Any], runtime_s: float | None = None
    ) -> None:
        now = self._clock().isoformat()
        on_gpu = device.kind == "cuda"
        event = {
            "chunk_id": chunk_id,
            "gpu_index": device.index if on_gpu else None,
            "gpu_name": device.name if on_gpu else None,
            "status": status,
            "timestamp": now,
            "finished_at": None if runtime_s is None else now,
            "runtime_s": runtime_s,
            "details": details,
        }
        line = json.dumps(event).encode() + b"\n"
        try:
            written = os.write(self._descriptor, line)
        except OSError as error:
            raise _unwritable(self.path, error.strerror or str(error)) from error
        if written < len(line):
            raise _unwritable(self.path, "the disk is full")


def _where(recording_id: str, worker: str) -> dict[str, str]:
    return {"recording_id": recording_id, "worker": worker}


def _metrics(device: Device, before: GpuSample | None, after: GpuSample | None) -> dict[str, Any]:
    return {"before": _figures(device, before), "after": _figures(device, after)}


def _figures(device: Device, sample: GpuSample | None) -> dict[str, Any] | None:
    if sample is None:
        return None
    return {
        "index": device.index,
        "utilization": sample.utilisation,
        "memory_used_mb": sample.memory_used_mb,
        "memory_total_mb": sample.memory_total_mb,
    }


def _opened(path: Path) -> int:
    """The log, open to append. A line that a killed run left half written is ended first, or it would spoil the next.

    A link is refused: in a DataLad dataset it leads to a stored version, which root could overwrite.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            raise BadcError(path, "is a link, and a log is not written through one", "`git annex unlock` or rename it")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            os.write(descriptor, b"\n")
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error
    return descriptor


def _unwritable(path: Path, reason: str) -> BadcError:
    return BadcError(path, f"cannot be written ({reason})", "free space or make the folder writable")
