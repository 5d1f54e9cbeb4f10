"""The detections of the sample dataset, as the comparison wants them."""

from __future__ import annotations

from badc_assets.detections.store import read_table
from badc_assets.layout import Layout
from badc_assets.samples.agreement import FoundEvent


def found_events(layout: Layout) -> list[FoundEvent]:
    """All detections of the dataset-wide table. Raises BadcError when it has not been made."""
    rows = read_table(layout.aggregate_table("detections")).to_pylist()
    return [
        FoundEvent(row["source_path"], row["absolute_time_ms"], row["absolute_end_ms"], row["low_hz"], row["high_hz"])
        for row in rows
    ]
