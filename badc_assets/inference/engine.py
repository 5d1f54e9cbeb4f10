"""Run a detector over recordings: gate, reuse, detect, write. One recording's trouble never stops the others."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from badc_assets.audio.probe import SoundFormat, probe
from badc_assets.chunks.gate import NotChunked, chunks_for_inference
from badc_assets.chunks.manifest import Chunk, manifest_digest
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.status import Clock, is_completed
from badc_assets.detections.store import ResultStatus, read_result_status, write_results
from badc_assets.detections.tables import Trace, detection_columns, effort_rows, place
from badc_assets.detectors.protocol import (
    Detector,
    DetectorInfo,
    Event,
    FileDetector,
    StreamDetector,
    StreamInfo,
    WindowDetector,
)
from badc_assets.errors import BadcError, printable
from badc_assets.files import PlaceTaken, exclusive, stable_hash
from badc_assets.inference.settings import InferenceSettings
from badc_assets.inference.sound import mono_blocks
from badc_assets.inference.windows import cut_windows, score_windows, scores_to_events
from badc_assets.layout import Layout
from badc_assets.recordings.facts import has_changed, missing_facts_reason, read_facts
from badc_assets.recordings.model import RecordingFacts

ENGINE_VERSION = "1"
"""Part of every result key: raise it when the engine would give other results for the same detector."""

ROWS_AT_A_TIME = 20_000
"""Detections that are turned into a table at once: memory for a busy day must not grow with its rows' text."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Engine:
    """A detector and all that is needed to run it over the recordings of a dataset."""

    layout: Layout
    detector: Detector
    chunking: ChunkSettings
    settings: InferenceSettings
    clock: Clock
    run_id: str

    def run(self, recording_ids: Iterable[str]) -> Iterator[DetectionOutcome]:
        """Analyse the recordings one after another; yields what became of each, in order, as soon as it is known.

        What is wrong with a recording is in its outcome. Raises BadcError when results cannot be written (full disk).
        """
        for recording_id in recording_ids:
            lock = self.layout.locks / "infer" / f"{recording_id}.lock"
            with exclusive(lock):
                try:
                    outcome = self._outcome(recording_id)
                except PlaceTaken as error:
                    outcome = DetectionOutcome(recording_id, None, refused=str(error))
            yield outcome

    def _outcome(self, recording_id: str) -> DetectionOutcome:
        facts = read_facts(self.layout, recording_id)
        if facts is None:
            return DetectionOutcome(recording_id, None, refused=missing_facts_reason(self.layout, recording_id))
        try:
            chunks = chunks_for_inference(
                self.layout, recording_id, self.chunking, allow_partial=self.settings.allow_partial_chunks
            )
        except NotChunked as closed:
            return DetectionOutcome(recording_id, None, refused=closed.problem, is_orphan=facts.is_vanished)
        key = result_key(chunks, self.detector.info, self.settings)
        stored = read_result_status(self.layout, recording_id)
        if stored is not None and stored.is_complete and stored.key == key:
            return DetectionOutcome(recording_id, stored, was_reused=True, is_orphan=facts.is_vanished)
        if facts.is_absent:
            return DetectionOutcome(recording_id, None, refused=facts.reason, is_orphan=facts.is_vanished)
        return DetectionOutcome(recording_id, self._analyse(facts, chunks, key))

    def _analyse(self, facts: RecordingFacts, chunks: Sequence[Chunk], key: str) -> ResultStatus:
        started = time.monotonic()
        trace = Trace(self.detector.info, self.run_id)
        error = ""
        events: Sequence[Event] = ()
        try:
            sound = probe(self.layout.source(facts.audio_path))
            candidates = self._events(facts, sound, chunks)
            self._require_unchanged(facts)
            events = candidates
        except BadcError as trouble:
            error = trouble.problem
        except Exception as trouble:
            # A detector is foreign code: whatever it throws is this recording's trouble, and the others go on.
            logger.exception("detector %s failed on %s", self.detector.info.name, facts.recording_id)
            error = printable(f"the detector failed: {type(trouble).__name__}: {trouble}")
        placed = place(events, chunks)
        status = ResultStatus(
            recording_id=facts.recording_id,
            status="failed" if error else "completed",
            key=key,
            manifest_digest=manifest_digest(chunks),
            detections=len(placed),
            audio_ms=chunks[-1].end_ms if chunks else 0,
            detector=self.detector.info.name,
            model_version=self.detector.info.model_version,
            run_id=self.run_id,
            finished_at=self.clock().isoformat(),
            seconds=round(time.monotonic() - started, 3),
            error=error,
            best_confidence=max((event.confidence for event in events), default=None),
            content_key=facts.content_key,
            is_partial=not is_completed(self.layout, facts.recording_id),
        )
        found = Counter(chunk.chunk_id for _, chunk in placed)
        parts = (
            detection_columns(facts, placed[start : start + ROWS_AT_A_TIME], trace)
            for start in range(0, len(placed), ROWS_AT_A_TIME)
        )
        return write_results(self.layout, status, parts, effort_rows(chunks, found, trace, error=error))

    def _require_unchanged(self, facts: RecordingFacts) -> None:
        if has_changed(self.layout, facts):
            source = self.layout.source(facts.audio_path)
            raise BadcError(source, "the file changed after it was chunked", "run it again when it is complete")

    def _events(self, facts: RecordingFacts, sound: SoundFormat, chunks: Sequence[Chunk]) -> Sequence[Event]:
        source = self.layout.source(facts.audio_path)
        info = self.detector.info
        rate_hz = info.sample_rate_hz or sound.sample_rate_hz
        audio_ms = chunks[-1].end_ms if chunks else 0
        if isinstance(self.detector, FileDetector):
            return self.detector.detect(source)
        blocks = mono_blocks(source, sound, rate_hz, self.settings.block_s, self.settings.channel)
        if isinstance(self.detector, StreamDetector):
            session = self.detector.open(StreamInfo(facts.recording_id, rate_hz, sound.frames))
            events = [event for block in blocks for event in session.feed(block)]
            return [*events, *session.close()]
        if isinstance(self.detector, WindowDetector):
            samples = (info.window_ms * rate_hz // 1000, info.hop_ms * rate_hz // 1000)
            scores = score_windows(cut_windows(blocks, *samples), self.detector, self.settings.batch_windows)
            return scores_to_events(scores, info, rate_hz, audio_ms, self.settings.min_score)
        raise BadcError(info.name, "is neither a window, a stream nor a file detector", "see detectors/protocol.py")


@dataclass(frozen=True)
class DetectionOutcome:
    """What became of one recording: results (new or reused), a failed analysis, or a refusal at the gate with its reason.

    `is_orphan`: the recording is gone from the dataset; results that it had are kept and nothing is expected of it.
    """

    recording_id: str
    result: ResultStatus | None
    was_reused: bool = False
    refused: str = ""
    is_orphan: bool = False

    @property
    def is_complete(self) -> bool:
        return self.result is not None and self.result.is_complete

    @property
    def reason(self) -> str:
        """Why there are no complete results; empty when there are."""
        return self.refused or (self.result.error if self.result else "")


def result_key(chunks: Sequence[Chunk], info: DetectorInfo, settings: InferenceSettings) -> str:
    """Hash of everything that decides the results of a recording: its samples, the detector, and the engine."""
    return stable_hash([manifest_digest(chunks), engine_digest(info, settings)])


def engine_digest(info: DetectorInfo, settings: InferenceSettings) -> str:
    """Hash of everything but the recording that decides a result."""
    detector = [info.name, info.version, info.settings_hash, info.weights_sha256, info.window_ms, info.hop_ms]
    score_floor = settings.min_score if info.kind == "window" else None
    return stable_hash([ENGINE_VERSION, detector, score_floor, settings.channel])
