"""Take over what an earlier run did according to its summary, ours or BADC's: its chunks need no second analysis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from badc_assets.chunks.manifest import Chunk
from badc_assets.detectors.command.output import read_detection_json
from badc_assets.errors import BadcError
from badc_assets.files import exclusive
from badc_assets.inference.journal import ChunkRecord, JournalWriter, read_journal
from badc_assets.inference.opening import DatasetOpening, Opening, OpenRecording, Wanted
from badc_assets.inference.telemetry.run_summary import read_summary
from badc_assets.inference.telemetry.summary_file import Job
from badc_assets.layout import Layout


@dataclass(frozen=True)
class Resumed:
    """How many chunks were taken over from which summary, and which could not be: chunk id -> why. Those are analysed again."""

    chunks: int
    not_taken: Mapping[str, str]
    summary: Path

    def __str__(self) -> str:
        return "\n".join([f"{self.chunks} chunks taken over from {self.summary}", *self.not_taken.values()])


def resume_from_summary(
    layout: Layout, recording_ids: Iterable[str], wanted: Wanted, summary: Path, opening: Opening | None = None
) -> Resumed:
    """Put the successes that `summary` names into the journals of these recordings: those of the dataset unless `opening` gives
    others.

    BADC's results are detection JSON files; one that is not there any more, or is damaged, counts for nothing. Of our own
    runs everything is in the journals already. Raises BadcError when the file is no summary.
    """
    jobs = {chunk_id: job for chunk_id, job in read_summary(summary).jobs.items() if job.status == "success"}
    taken, problems = 0, dict[str, str]()
    for recording_id in recording_ids:
        with exclusive(layout.locks / "infer" / f"{recording_id}.lock"):
            recording = (opening or DatasetOpening(layout)).find(recording_id, wanted)
            if isinstance(recording, OpenRecording):
                taken += _taken_over(layout, recording, jobs, problems)
    return Resumed(taken, problems, summary)


def _taken_over(layout: Layout, recording: OpenRecording, jobs: Mapping[str, Job], problems: dict[str, str]) -> int:
    folder = layout.journal_dir(recording.recording_id)
    known = read_journal(folder, recording.keys.raw)
    records = []
    for chunk in recording.chunks:
        job = jobs.get(chunk.chunk_id)
        if job is None or chunk.chunk_id in known or not (job.output or "").endswith(".json"):
            continue
        try:
            records.append(_record(layout, chunk, job))
        except BadcError as error:
            problems[chunk.chunk_id] = str(error)
    if records:
        with JournalWriter(folder / f"{recording.keys.raw}.resumed.jsonl") as journal:
            journal.append(records)
    return len(records)


def _record(layout: Layout, chunk: Chunk, job: Job) -> ChunkRecord:
    output = Path(job.output or "")
    # BADC's relative paths count from where it was started: mostly the dataset.
    places = [layout.output / output, layout.dataset / output, Path.cwd() / output]
    path = next((place for place in places if place.is_file()), places[0])
    if not path.is_file():
        raise BadcError(path, "is named in the summary and is not there", "its chunk is analysed again")
    found = read_detection_json(path, chunk.end_ms - chunk.start_ms)
    shift = chunk.start_ms
    events = [replace(event, start_ms=event.start_ms + shift, end_ms=event.end_ms + shift) for event in found]
    return ChunkRecord(chunk.chunk_id, events, attempts=job.attempts, worker=job.worker)
