"""Dataset-wide tables (recordings, effort, detections, quality of chunks), the database over them, the check of their sums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from badc_assets.detections.schema import effort_schema
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path
from badc_assets.layout import Layout
from badc_assets.recordings.model import CatalogEntry
from badc_assets.reports.counting import read_evidence
from badc_assets.reports.outcomes import Problem, recording_outcome, recordings_schema
from badc_assets.reports.parts import dataset_detection_schema
from badc_assets.reports.settings import ReportSettings
from badc_assets.reports.sound import chunk_quality_schema
from badc_assets.reports.views import activity_views, parquet_source, summary_views

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLES = ("recordings", "effort", "detections", "chunk_quality")
_GROUP_ROWS = 100_000
_GROUP_TABLES = 2_000


@dataclass(frozen=True)
class AggregateResult:
    """How much the tables hold. `problems` names each file that could not be used, and so was not counted."""

    recordings: int
    recordings_counted: int
    effort_rows: int
    analysed_ms: int
    failed_ms: int
    detections: int
    problems: tuple[Problem, ...]


class _Sink:
    """Gathers small tables and writes them as large row groups, so that memory holds one group."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        if table.num_rows == 0:
            return
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self.rows += table.num_rows
        if self._waiting_rows >= _GROUP_ROWS or len(self._waiting) >= _GROUP_TABLES:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=_GROUP_ROWS)
            self._waiting, self._waiting_rows = [], 0


@contextmanager
def _sink(target: Path, schema: pa.Schema) -> Iterator[_Sink]:
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        sink = _Sink(writer)
        yield sink
        sink.flush()


def collect_tables(layout: Layout, entries: Iterable[CatalogEntry]) -> AggregateResult:
    """Write the tables for these recordings (all of the catalogue), sorted by recording and time.

    Every recording has a row in `recordings`, whatever became of it. One whose results do not count (see
    `reports.counting`) or cannot be read adds nothing to `effort` and `detections`; its outcome says why. Memory stays
    bounded by the largest recording. The old tables stay readable until all new ones are complete.
    """
    problems: list[Problem] = []
    counted = analysed_ms = failed_ms = 0
    with ExitStack() as stack:
        schemas = (recordings_schema(), effort_schema(), dataset_detection_schema(), chunk_quality_schema())
        files = [stack.enter_context(atomic_path(layout.aggregate_table(name))) for name in TABLES]
        recordings, effort, detections, chunk_quality = (
            stack.enter_context(_sink(file, schema)) for file, schema in zip(files, schemas, strict=True)
        )
        for evidence in read_evidence(layout, entries):
            found = recording_outcome(layout, evidence)
            problems += found.problems
            recordings.add(pa.Table.from_pylist([found.row], schema=schemas[0]))
            if found.chunk_quality is not None:
                chunk_quality.add(found.chunk_quality)
            if found.effort is not None and found.detections is not None:
                effort.add(found.effort)
                detections.add(found.detections)
                counted += evidence.results == "counted"
                analysed_ms += found.row["analysed_ms"]
                failed_ms += found.row["failed_ms"]
    return AggregateResult(
        recordings=recordings.rows,
        recordings_counted=counted,
        effort_rows=effort.rows,
        analysed_ms=analysed_ms,
        failed_ms=failed_ms,
        detections=detections.rows,
        problems=tuple(problems),
    )


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
