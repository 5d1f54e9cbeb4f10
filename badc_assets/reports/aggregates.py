"""The database over the dataset-wide tables, and the check of their sums."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.reports.collecting import TABLES
from badc_assets.reports.settings import ReportSettings
from badc_assets.reports.views import activity_views, parquet_source, summary_views

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def fill_database(connection: DuckDBPyConnection, layout: Layout, settings: ReportSettings) -> None:
    """Fill a fresh database with the tables, BADC's views, and those of activity and effort (`reports.views`).

    The caller opens a new file beside `layout.database` and renames it when this returns, so readers of the old file
    are never locked out. Raises BadcError when a table is missing.
    """
    for name in TABLES:
        source = parquet_source(existing_table(layout, name))
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM {source}")
    connection.execute(summary_views(settings.bucket_minutes))
    connection.execute(activity_views())


def existing_table(layout: Layout, name: str) -> Path:
    """The Parquet file of a dataset-wide table. Raises BadcError when it has not been made."""
    path = layout.aggregate_table(name)
    if not path.is_file():
        raise BadcError(path, "is missing", "make the detection aggregates first")
    return path


_DETECTORS = """
SELECT detector, coalesce(model_version, 'of unknown version'), count(DISTINCT recording_id) AS n
FROM {effort} e JOIN {recordings} r USING (recording_id)
WHERE results = 'counted' GROUP BY ALL ORDER BY n DESC, 1, 2
"""


def mixed_detectors(layout: Layout) -> list[str]:
    """One line per detector and version when the results that count are of more than one; empty when they are of one.

    Raises BadcError when a table is missing.
    """
    sources = {name: parquet_source(existing_table(layout, name)) for name in ("effort", "recordings")}
    with duckdb.connect() as connection:
        found = connection.execute(_DETECTORS.format(**sources)).fetchall()
    lines = [f"{name or 'unnamed'} {version}: {n} recording{'s' if n != 1 else ''}" for name, version, n in found]
    return lines if len(lines) > 1 else []


_COUNTS = """
SELECT r.recording_id, r.results, coalesce(d.n, 0), coalesce(e.n, 0), coalesce(e.ms, 0)::BIGINT,
    r.detections, r.analysed_ms + r.failed_ms + r.unusable_ms
FROM {recordings} r
LEFT JOIN (SELECT recording_id, count(*) AS n FROM {detections} GROUP BY recording_id) d USING (recording_id)
LEFT JOIN (SELECT recording_id, count(*) AS n, sum(effort_ms) AS ms FROM {effort} GROUP BY recording_id) e
    USING (recording_id)
ORDER BY r.recording_id
"""

_STRAYS = """
SELECT recording_id, count(*) FROM {table} WHERE recording_id NOT IN (SELECT recording_id FROM {recordings})
GROUP BY recording_id ORDER BY recording_id
"""


def check_aggregates(layout: Layout) -> list[str]:
    """One sentence per difference between the tables and the recordings' own files; empty when all add up."""
    sources = {name: parquet_source(existing_table(layout, name)) for name in TABLES}
    mismatches: list[str] = []
    with duckdb.connect() as connection:
        for name in ("effort", "detections"):
            strays = connection.execute(_STRAYS.format(table=sources[name], recordings=sources["recordings"]))
            mismatches += [f"{stray}: has {n} rows of {name} but none of recordings" for stray, n in strays.fetchall()]
        counts = connection.execute(_COUNTS.format(**sources))
        while page := counts.fetchmany(10_000):
            for recording_id, results, detections, chunks, effort_ms, stated_detections, stated_ms in page:
                inside = {"detections": detections, "chunks": chunks, "effort_ms": effort_ms}
                stated = {"detections": stated_detections or 0, "chunks": chunks, "effort_ms": stated_ms or 0}
                mismatches += _differences(recording_id, "its row in recordings says", inside, stated)
                own = _own_counts(layout, recording_id, results)
                if own is None:
                    mismatches.append(f"{recording_id}: its own files cannot be read")
                else:
                    mismatches += _differences(recording_id, "its own files hold", inside, own)
    return mismatches


def _own_counts(layout: Layout, recording_id: str, results: str) -> dict[str, int] | None:
    """Rows and effort in the recording's own files; zeros for what may not be counted, None when unreadable."""
    detections, effort = layout.detections(recording_id), layout.effort(recording_id)
    if results in ("unreadable", "set aside", "stale", "moved") or not (detections.is_file() and effort.is_file()):
        return {"detections": 0, "chunks": 0, "effort_ms": 0}
    try:
        efforts = pq.ParquetFile(effort).read(columns=["effort_ms"])["effort_ms"].to_pylist()
        return {
            "detections": pq.read_metadata(detections).num_rows,
            "chunks": len(efforts),
            "effort_ms": sum(value or 0 for value in efforts),
        }
    except (pa.ArrowException, OSError):
        return None


def _differences(recording_id: str, who: str, inside: dict[str, int], other: dict[str, int]) -> list[str]:
    return [
        f"{recording_id}: the tables hold {inside[name]} {name}, {who} {other[name]}"
        for name in inside
        if inside[name] != other[name]
    ]
