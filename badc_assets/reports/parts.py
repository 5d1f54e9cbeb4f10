"""Read the results of one recording, sorted as the tables and reports want them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from badc_assets.detections.schema import JOINED_COLUMNS, detection_schema, effort_schema
from badc_assets.detections.store import read_table
from badc_assets.detections.tables import encodable
from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.recordings.model import RecordingFacts

_DETECTION_ORDER = ("absolute_time_ms", "label", "absolute_end_ms", "chunk_id")
_EFFORT_ORDER = ("chunk_start_ms", "chunk_id")


def read_detections(layout: Layout, recording_id: str) -> pa.Table:
    """The detections of a recording. Raises BadcError when they cannot be read or are another recording's."""
    return _read(layout.detections(recording_id), detection_schema(), recording_id, _DETECTION_ORDER)


def read_effort(layout: Layout, recording_id: str) -> pa.Table:
    """The effort of a recording. Raises BadcError when it cannot be read or is another recording's."""
    return _read(layout.effort(recording_id), effort_schema(), recording_id, _EFFORT_ORDER)


def _read(path: Path, schema: pa.Schema, recording_id: str, order: tuple[str, ...]) -> pa.Table:
    table = read_table(path, schema=schema)
    if any(name != recording_id for name in table["recording_id"].unique().to_pylist()):
        raise BadcError(path, "holds rows of another recording", "remove it and run the detections again")
    return table.sort_by([(name, "ascending") for name in order])


def dataset_detection_schema() -> pa.Schema:
    """The columns of the dataset-wide detections: those of a recording, then what its facts say of place and time."""
    return pa.schema([*detection_schema(), *((name, pa.string()) for name in JOINED_COLUMNS)])


def with_facts(detections: pa.Table, facts: RecordingFacts) -> pa.Table:
    """Detections of a recording with its site, and their own start in UTC where the recording's is known."""
    starts = [_wall_clock(facts.start_utc, offset_ms) for offset_ms in detections["absolute_time_ms"].to_pylist()]
    site = encodable(facts.site) if facts.site is not None else None
    joined = {"site": [site] * len(starts), "start_utc": starts}
    columns = [*detections.columns, *(pa.array(joined[name], pa.string()) for name in JOINED_COLUMNS)]
    return pa.Table.from_arrays(columns, schema=dataset_detection_schema())


def _wall_clock(start_utc: str | None, offset_ms: int | None) -> str | None:
    if start_utc is None or offset_ms is None:
        return None
    moment = datetime.fromisoformat(start_utc) + timedelta(milliseconds=offset_ms)
    return moment.isoformat(timespec="milliseconds")
