"""A record is kept of every run that makes results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from badc_assets.detections.run_record import RunRecord, remove_run_record, write_run_record
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.layout import Layout


def recorded(layout: Layout, record: RunRecord, outcomes: Iterable[DetectionOutcome]) -> Iterator[DetectionOutcome]:
    """The outcomes as they come. The record is there before the first result names it; a run that only found what was done
    already leaves none."""
    write_run_record(layout, record)
    made_results = False
    for outcome in outcomes:
        made_results |= outcome.result is not None and not outcome.was_reused
        yield outcome
    if not made_results:
        remove_run_record(layout, record.run_id)
