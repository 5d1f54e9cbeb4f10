"""The summary of a run: what became of each chunk, over all attempts, in BADC's two files.

`<log>.summary.json` says for each chunk whether it succeeded and how; `<log>.summary.json.workers.csv` counts by worker. BADC
wrote them only when everything went well. Here they can be written at any moment, and a run that goes on from an earlier
one keeps its successes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from badc_assets.files import atomic_path, write_text
from badc_assets.inference.telemetry.summary_file import Job, WorkerCount, parsed_summary, workers_csv, write_summary

WRITE_EVERY_S = 5.0
MAX_RECORDS = 4096
"""So many different fates of chunks are looked through for one to share."""
LONGEST_SHARE = 0.05
"""Of a run's time, what writing summaries may take: after a slow write the next one waits accordingly."""


class RunSummary:
    """What became of the chunks of a run. `telemetry_log` is the log's name as it stands in the file; `workers` are listed
    even where they did nothing.

    Chunks of one recording that went alike share one record, so a million chunks need little memory.
    """

    def __init__(
        self, telemetry_log: str, workers: Sequence[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.telemetry_log = telemetry_log
        self._workers = list(workers)
        self._jobs: dict[str, Job] = {}
        self._records: dict[Job, Job] = {}
        self._clock = clock
        self._next_write = clock() + WRITE_EVERY_S

    @property
    def jobs(self) -> Mapping[str, Job]:
        """Chunk id -> what became of it, in the order in which they ended."""
        return self._jobs

    def succeeded(
        self,
        chunk_id: str,
        *,
        recording_id: str,
        worker: str,
        attempts: int,
        output: str,
        last_backoff_s: float | None = None,
        last_error: str | None = None,
    ) -> None:
        """A chunk is done, after `attempts` attempts (1: at once)."""
        job = Job("success", attempts, attempts - 1, output, worker, recording_id, last_backoff_s, last_error)
        self.put(chunk_id, job)

    def failed(
        self,
        chunk_id: str,
        *,
        recording_id: str,
        worker: str,
        attempts: int,
        error: str,
        last_backoff_s: float | None = None,
    ) -> None:
        """A chunk failed for good. A success that is known of it already stays."""
        known = self._jobs.get(chunk_id)
        if known is None or known.status == "failure":
            job = Job("failure", attempts, attempts - 1, None, worker, recording_id, last_backoff_s, error, error)
            self.put(chunk_id, job)

    def put(self, chunk_id: str, job: Job) -> None:
        """Record a chunk as it is given."""
        if len(self._records) >= MAX_RECORDS:
            self._records.clear()
        self._jobs[chunk_id] = self._records.setdefault(job, job)

    def merge(self, earlier: RunSummary) -> None:
        """Take over what an earlier attempt at the same work knows, where this one knows nothing better."""
        mine, self._jobs = self._jobs, {}
        for chunk_id, job in earlier.jobs.items():
            self.put(chunk_id, job)
        for chunk_id, job in mine.items():
            known = self._jobs.get(chunk_id)
            if known is None or job.status == "success" or known.status == "failure":
                self._jobs[chunk_id] = job

    def successes(self) -> Iterator[tuple[str | None, str]]:
        """(recording id, chunk id) of what need not be done again."""
        return ((job.recording_id, chunk_id) for chunk_id, job in self._jobs.items() if job.status == "success")

    def worker_counts(self) -> dict[str, WorkerCount]:
        """Worker -> its part in what `jobs` says, by name."""
        counts = {worker: WorkerCount() for worker in self._workers}
        for job in self._jobs.values():
            count = counts.setdefault(job.worker, WorkerCount())
            count.retries += job.retries
            if job.status == "success":
                count.success += 1
            else:
                count.failure += 1
                count.failed_retries += job.retries
        return dict(sorted(counts.items()))

    def write(self, log: Path) -> None:
        """Write both files beside `log`, each whole or not at all. Raises BadcError when that fails."""
        started = self._clock()
        counts = self.worker_counts()
        path = summary_path(log)
        with atomic_path(path) as temporary, temporary.open("w", encoding="ascii", newline="") as file:
            write_summary(file, self.telemetry_log, counts, self._jobs)
        write_text(workers_path(log), workers_csv(counts))
        ended = self._clock()
        self._next_write = ended + max(WRITE_EVERY_S, (ended - started) / LONGEST_SHARE)

    def write_if_due(self, log: Path) -> bool:
        """Write when the last time is long enough ago: WRITE_EVERY_S, and more where writing is slow. To be called often."""
        if self._clock() < self._next_write:
            return False
        self.write(log)
        return True


def summary_path(log: Path) -> Path:
    """BADC's place for the summary of a log."""
    return log.with_name(log.name + ".summary.json")


def workers_path(log: Path) -> Path:
    """BADC's place for the counts by worker."""
    return log.with_name(log.name + ".summary.json.workers.csv")


def read_summary(path: Path) -> RunSummary:
    """A summary of ours or of any version of BADC. Raises BadcError when the file is no summary."""
    telemetry_log, workers, jobs = parsed_summary(path)
    summary = RunSummary(telemetry_log, workers)
    for chunk_id, job in jobs.items():
        summary.put(chunk_id, job)
    return summary
