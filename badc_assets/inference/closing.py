"""After a recording was analysed: its journal becomes tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from badc_assets.chunks.manifest import Chunk, manifest_digest
from badc_assets.chunks.status import Clock, is_completed
from badc_assets.detections.raw import raw_tables, read_raw_events
from badc_assets.detections.repeats import without_repeats
from badc_assets.detections.rules import DetectionRules
from badc_assets.detections.store import ResultStatus, read_table, write_results
from badc_assets.detections.tables import (
    Analysed,
    Columns,
    Placed,
    Trace,
    detection_columns,
    effort_rows,
    place,
)
from badc_assets.detectors.protocol import Event
from badc_assets.errors import BadcError
from badc_assets.inference.journal import ChunkRecord, read_journal, remove_journal
from badc_assets.inference.opening import OpenRecording, OtherRules
from badc_assets.inference.sound import MixPower
from badc_assets.layout import Layout
from badc_assets.recordings.model import RecordingFacts

ROWS_AT_A_TIME = 20_000
"""Detections that are turned into a table at once: memory for a busy day must not grow with its rows' text."""


@dataclass(frozen=True)
class GpuUse:
    """What a GPU did while it worked: its mean power and the most memory that was in use; None where it does not tell."""

    mean_power_w: float | None
    peak_memory_mb: float | None


@dataclass(frozen=True)
class Found:
    """What a detector found in a recording, and what of it the rules leave, each with its chunk."""

    events: Sequence[Event]
    placed: Sequence[Placed]


@dataclass(frozen=True)
class Closing:
    """Turns finished recordings into results. `gpu_use` tells of a worker, by name, what its GPU did; None on the CPU."""

    layout: Layout
    rules: DetectionRules
    trace: Trace
    clock: Clock
    gpu_use: Callable[[str], GpuUse | None]

    def close(self, recording: OpenRecording) -> ResultStatus:
        """Write the results of a recording of which every chunk is in the journal (or that has an error)."""
        layout, facts = self.layout, recording.facts
        folder = layout.journal_dir(recording.recording_id)
        records = read_journal(folder, recording.keys.raw)
        error = recording.error or _error_of_all(recording, records.values())
        analysed = {
            chunk.chunk_id: _analysed(records.get(chunk.chunk_id), error or recording.unusable.get(chunk.chunk_id, ""))
            for chunk in recording.chunks
        }
        failures = [how.error for how in analysed.values() if how.error]
        of_files = [] if error else [(self._events(chunks, records), chunks) for chunks in recording.by_file]
        found = Found(
            [event for events, _ in of_files for event in events],
            [each for events, chunks in of_files for each in self._chosen(events, chunks)],
        )
        seconds = [(records[c].worker, records[c].seconds) for c in analysed if c in records]
        device = next((records[c] for c in analysed if c in records), ChunkRecord(""))
        status = ResultStatus(
            recording_id=facts.recording_id,
            status="failed" if failures or error else "completed",
            key=recording.keys.result,
            manifest_digest=manifest_digest(recording.chunks),
            detections=0,
            audio_ms=recording.chunks[-1].end_ms if recording.chunks else 0,
            detector=self.trace.detector.name,
            model_version=self.trace.detector.model_version,
            run_id=self.trace.run_id,
            finished_at=self.clock().isoformat(),
            seconds=round(sum(s for _, s in seconds), 3),
            error=error or _in_words(failures, len(recording.chunks)),
            content_key=facts.content_key,
            is_partial=not is_completed(layout, facts.recording_id),
            failed_chunks=len(failures),
            raw_key=recording.keys.raw,
            device=device.device,
            precision=device.precision,
            waited_s=round(recording.waited_s, 3),
            **self._gpu_share(seconds),
        )
        stored = self._write(facts, recording.chunks, status, found, analysed)
        if stored.is_complete:
            remove_journal(folder)
        return stored

    def choose_again(self, recording: OtherRules) -> ResultStatus | None:
        """Apply other rules to what was found before; None when what is stored is damaged and has to be made again."""
        try:
            events = read_raw_events(self.layout, recording.stored)
            rows = read_table(self.layout.effort(recording.facts.recording_id)).to_pylist()
        except BadcError:
            return None
        analysed = {
            row["chunk_id"]: Analysed(row["error"] or "", row["device"] or "", row["precision"] or "", row["attempts"])
            for row in rows
        }
        status = replace(recording.stored, key=recording.keys.result, finished_at=self.clock().isoformat())
        found = Found(events, self._chosen(events, recording.chunks))
        return self._write(recording.facts, recording.chunks, status, found, analysed)

    def _chosen(self, events: Sequence[Event], chunks: Sequence[Chunk]) -> list[Placed]:
        return place(self.rules.apply(events), chunks)

    def _write(
        self,
        facts: RecordingFacts,
        chunks: Sequence[Chunk],
        status: ResultStatus,
        found: Found,
        analysed: Mapping[str, Analysed],
    ) -> ResultStatus:
        placed = found.placed
        counts = Counter(chunk.chunk_id for _, chunk in placed)
        trace = replace(self.trace, run_id=status.run_id)
        status = replace(
            status,
            detections=len(placed),
            best_confidence=max((event.confidence for event, _ in placed), default=None),
            rules_digest=self.rules.digest,
        )
        raw = raw_tables(found.events, ROWS_AT_A_TIME) if self.rules.digest else None
        rows = effort_rows(chunks, counts, trace, analysed)
        return write_results(self.layout, status, _parts(facts, placed, trace), rows, raw)

    def _events(self, chunks: Sequence[Chunk], records: Mapping[str, ChunkRecord]) -> list[Event]:
        parts = [(chunk, records[chunk.chunk_id].events) for chunk in chunks if chunk.chunk_id in records]
        if self.trace.detector.unit == "chunk":
            return without_repeats(parts)
        return [event for _, events in parts for event in events]

    def _gpu_share(self, seconds: Sequence[tuple[str, float]]) -> dict[str, Any]:
        used: dict[str, float] = {}
        for worker, spent_s in seconds:
            used[worker] = used.get(worker, 0.0) + spent_s
        uses = {worker: use for worker in used if (use := self.gpu_use(worker)) is not None}
        if not uses:
            return {}
        energy_wh = [
            used[worker] * use.mean_power_w / 3600 for worker, use in uses.items() if use.mean_power_w is not None
        ]
        return {
            "gpu_seconds": round(sum(used[worker] for worker in uses), 3),
            "gpu_energy_wh": round(sum(energy_wh), 6) if energy_wh else None,
            "gpu_peak_memory_mb": max((use.peak_memory_mb or 0 for use in uses.values()), default=0) or None,
        }


def _error_of_all(recording: OpenRecording, records: Iterable[ChunkRecord]) -> str:
    """What makes all results of a recording worthless, whatever its chunks say."""
    if recording.is_changed():
        return "the file changed after it was chunked"
    powers = [record.power for record in records if record.power is not None]
    total = MixPower(sum(p.mix for p in powers), sum(p.channels for p in powers))
    return "its channels cancel each other" if total.is_cancelled else ""


def _parts(facts: RecordingFacts, placed: Sequence[Placed], trace: Trace) -> Iterable[Columns]:
    return (
        detection_columns(facts, placed[start : start + ROWS_AT_A_TIME], trace)
        for start in range(0, len(placed), ROWS_AT_A_TIME)
    )


def _analysed(record: ChunkRecord | None, error: str) -> Analysed:
    if record is None:
        return Analysed(error or "it was not analysed")
    return Analysed(error or record.error, record.device, record.precision, record.attempts)


def _in_words(failures: Sequence[str], chunks: int) -> str:
    if not failures:
        return ""
    return failures[0] if len(failures) == chunks else f"{len(failures)} of {chunks} chunks failed: {failures[0]}"
