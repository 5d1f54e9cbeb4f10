"""The text of a run's summary: BADC's JSON and CSV, written byte for byte alike, and read in all their versions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from badc_assets.errors import BadcError
from badc_assets.inference.telemetry.reader import number

MAX_TEXTS = 1024
"""Entries that are alike are put into words once, as long as there are no more than these."""


@dataclass(frozen=True, slots=True)
class Job:
    """What became of one chunk. `retries` are the attempts after the first.

    `output` is the file with its results; a failure has none, but an `error`. `last_backoff_s` and `last_error` are of the
    last attempt that failed. `recording_id` is None in old files, which did not say it.
    """

    status: Literal["success", "failure"]
    attempts: int
    retries: int
    output: str | None
    worker: str
    recording_id: str | None = None
    last_backoff_s: float | None = None
    last_error: str | None = None
    error: str | None = None


@dataclass
class WorkerCount:
    """A worker's chunks, its attempts after a first, and those of them that belong to chunks which failed in the end."""

    success: int = 0
    failure: int = 0
    retries: int = 0
    failed_retries: int = 0


def write_summary(
    file: IO[str], telemetry_log: str, counts: Mapping[str, WorkerCount], jobs: Mapping[str, Job]
) -> None:
    """The same text as json.dumps with an indent of 2, which is slow and needs all of it in memory."""
    workers = {worker: vars(count) for worker, count in counts.items()}
    file.write('{\n  "telemetry_log": ' + json.dumps(telemetry_log))
    file.write(',\n  "workers": ' + _indented(workers, 1))
    file.write(',\n  "jobs": {')
    texts: dict[Job, str] = {}
    separator = "\n    "
    for chunk_id, job in jobs.items():
        text = texts.get(job)
        if text is None:
            if len(texts) >= MAX_TEXTS:
                texts.clear()
            text = texts[job] = _indented(_job_values(job), 2)
        file.write(f"{separator}{json.dumps(chunk_id)}: {text}")
        separator = ",\n    "
    file.write("\n  }\n}" if jobs else "}\n}")


def _job_values(job: Job) -> dict[str, Any]:
    values: dict[str, Any] = {
        "status": job.status,
        "attempts": job.attempts,
        "retries": job.retries,
        "output": job.output,
        "worker": job.worker,
        "recording_id": job.recording_id,
        "last_backoff_s": job.last_backoff_s,
        "last_error": job.last_error,
    }
    return values if job.status == "success" else {**values, "error": job.error}


def _indented(values: Mapping[str, Any], level: int) -> str:
    return json.dumps(values, indent=2).replace("\n", "\n" + "  " * level)


def workers_csv(counts: Mapping[str, WorkerCount]) -> str:
    """With CRLF, as BADC has it in this file only."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(("worker", "jobs", "success", "failure", "retries", "failed_retries"))
    for worker, count in counts.items():
        jobs = count.success + count.failure
        name = worker.encode("utf-8", "backslashreplace").decode()
        writer.writerow((name, jobs, count.success, count.failure, count.retries, count.failed_retries))
    return text.getvalue()


def parsed_summary(path: Path) -> tuple[str, list[str], dict[str, Job]]:
    """Log, workers and jobs of a summary of ours or of any version of BADC. Raises BadcError when the file is none.

    Entries without `recording_id`, `last_backoff_s` or `last_error` are from before BADC wrote these.
    """
    try:
        # Entries become records as they are met: a million dicts would need gigabytes.
        values = json.loads(path.read_text("utf-8"), object_hook=_record_if_job)
    except OSError as error:
        raise BadcError(path, f"cannot be read ({error.strerror or error})", "name another summary") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    jobs = values.get("jobs") if isinstance(values, dict) else None
    if not isinstance(jobs, dict):
        raise _damaged(path, "there are no jobs in it")
    for chunk_id, job in jobs.items():
        if not isinstance(job, Job):
            raise _damaged(path, f"its entry {chunk_id!r} is of an unknown form")
    workers = values.get("workers")
    return str(values.get("telemetry_log", "")), list(workers) if isinstance(workers, dict) else [], jobs


def _record_if_job(values: dict[str, Any]) -> Any:
    """The record of an entry, or the values as they are where they are none."""
    status = values.get("status")
    if status not in ("success", "failure"):
        return values
    attempts, retries = values.get("attempts", 1), values.get("retries", 0)
    backoff = values.get("last_backoff_s")
    names = ("output", "worker", "recording_id", "last_error", "error")
    texts = {name: values.get(name) for name in names}
    is_sound = (
        all(type(count) is int and 0 <= count < 2**31 for count in (attempts, retries))
        and (backoff is None or number(backoff) is not None)
        and all(text is None or isinstance(text, str) for text in texts.values())
    )
    if not is_sound:
        return values
    return Job(
        status,
        attempts,
        retries,
        texts["output"],
        texts["worker"] or "",
        texts["recording_id"],
        backoff,
        texts["last_error"],
        texts["error"],
    )


def _damaged(path: Path, reason: str) -> BadcError:
    return BadcError(path, f"is not the summary of a run ({reason})", "remove it; what is done is known without it")
