"""Run the engine in a test."""

from __future__ import annotations

from badc_assets.detections.rules import DetectionRules
from badc_assets.detections.store import read_table
from badc_assets.inference.engine import Engine
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.inference.settings import InferenceSettings
from badc_assets_tests.datasets import Dataset, fixed_clock


def engine(dataset: Dataset, detector, *, run_id="run-1", rules=None, log=None, **settings) -> Engine:
    """An engine that does not wait before it tries again."""
    others = {} if log is None else {"log": log}
    return Engine(
        dataset.layout,
        detector,
        dataset.project.chunking,
        InferenceSettings(**{"retry_delay_s": 0, **settings}),
        fixed_clock,
        run_id,
        rules or DetectionRules(),
        **others,
    )


def run(dataset: Dataset, detector, **settings) -> list[DetectionOutcome]:
    """Outcomes in the order of the recordings."""
    outcomes = engine(dataset, detector, **settings).run(dataset.recording_ids)
    return sorted(outcomes, key=lambda outcome: outcome.recording_id)


def rows(dataset: Dataset, recording: str) -> list[dict]:
    return read_table(dataset.layout.detections(recording)).to_pylist()


def effort(dataset: Dataset, recording: str) -> list[dict]:
    return read_table(dataset.layout.effort(recording)).to_pylist()


def found(dataset: Dataset, recording: str) -> list[tuple]:
    """What was found, without what says by whom and when."""
    names = ("absolute_time_ms", "absolute_end_ms", "label", "confidence", "low_hz", "high_hz", "snr_db", "note")
    return [tuple(row[name] for name in names) for row in rows(dataset, recording)]
