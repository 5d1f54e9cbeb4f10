"""What a detector found, before the rules of the project: kept so that other rules need no analysis.

Where the rules leave out nothing, `detections.parquet` is this already and no second file is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from badc_assets.detections.schema import RAW_COLUMNS, raw_schema
from badc_assets.detections.store import ResultStatus, read_table
from badc_assets.detectors.protocol import Event, Label
from badc_assets.layout import Layout

if TYPE_CHECKING:
    import pyarrow as pa

_FROM_DETECTIONS = {"start_ms": "absolute_time_ms", "end_ms": "absolute_end_ms"}


def raw_tables(events: Sequence[Event], rows_each: int) -> Iterator[pa.Table]:
    """The events as tables of `RAW_COLUMNS`, some rows at a time."""
    import pyarrow as pa

    for start in range(0, len(events), rows_each):
        part = events[start : start + rows_each]
        columns = {name: [getattr(event, name) for event in part] for name in RAW_COLUMNS if name in Event.__slots__}
        columns["label_code"] = [event.label.code for event in part]
        columns["label_name"] = [event.label.name for event in part]
        yield pa.Table.from_pydict(columns, raw_schema())


def read_raw_events(layout: Layout, status: ResultStatus) -> list[Event]:
    """Everything that the detector found in a recording. Raises BadcError when the file is damaged."""
    if status.rules_digest:
        table = read_table(layout.raw_events(status.recording_id), schema=raw_schema())
    else:
        names = [_FROM_DETECTIONS.get(name, name) for name in RAW_COLUMNS]
        table = read_table(layout.detections(status.recording_id), names).rename_columns(list(RAW_COLUMNS))
    return [
        Event(
            start_ms=row["start_ms"],
            end_ms=row["end_ms"],
            label=Label(row["label_code"], row["label_name"]),
            confidence=row["confidence"],
            low_hz=row["low_hz"],
            high_hz=row["high_hz"],
            peak_hz=row["peak_hz"],
            snr_db=row["snr_db"],
            note=row["note"],
        )
        for row in table.to_pylist()
    ]
