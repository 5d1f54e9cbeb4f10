"""The detections of the sample dataset, as the comparison wants them."""

from __future__ import annotations

from badc_assets.detections.store import read_table
from badc_assets.layout import Layout
from badc_assets.samples.agreement import FoundEvent


def found_in_words(layout: Layout) -> str:
    """What the dataset-wide tables hold, in a sentence."""
    recordings = read_table(layout.aggregate_table("recordings")).to_pylist()
    detections = read_table(layout.aggregate_table("detections")).num_rows
    minutes = sum(row["analysed_ms"] or 0 for row in recordings) / 60_000
    sites = {row["site"] for row in recordings if row["site"]}
    left_out = sum(row["outcome"] != "analysed" for row in recordings)
    return (
        f"Found {detections} sounds in {minutes:.0f} minutes of {len(recordings)} recordings at {len(sites)} sites; "
        f"{left_out} recordings were left out."
    )


def found_events(layout: Layout) -> list[FoundEvent]:
    """All detections of the dataset-wide table. Raises BadcError when it has not been made."""
    rows = read_table(layout.aggregate_table("detections")).to_pylist()
    return [
        FoundEvent(row["source_path"], row["absolute_time_ms"], row["absolute_end_ms"], row["low_hz"], row["high_hz"])
        for row in rows
    ]
