"""BADC's report files of one recording: summary CSV, Parquet, quicklook, Parquet report, DuckDB and its exports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from badc_assets.detections.schema import BADC_COLUMNS
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path, write_text
from badc_assets.layout import Layout
from badc_assets.reports.csvfile import write_csv
from badc_assets.reports.database import new_database
from badc_assets.reports.parts import read_detections, read_effort
from badc_assets.reports.settings import ReportSettings
from badc_assets.reports.views import (
    CHUNK_COLUMNS,
    LABEL_COLUMNS,
    RECORDING_COLUMNS,
    TIMELINE_COLUMNS,
    summary_views,
)

if TYPE_CHECKING:
    import pyarrow as pa

Rows = list[tuple[object, ...]]


@dataclass(frozen=True)
class BundleResult:
    """What one bundle holds. `files` are relative to the output folder, in the order they were written."""

    recording_id: str
    detections: int
    labels: int
    chunks: int
    failed_chunks: int
    files: tuple[str, ...]


@dataclass(frozen=True)
class _Summaries:
    labels: Rows
    recordings: Rows
    chunks: Rows
    timeline: Rows


def write_bundle(layout: Layout, recording_id: str, settings: ReportSettings) -> BundleResult:
    """Write the report files of one recording over any older ones; each appears whole.

    `chunks.csv` lists every chunk: 0 where nothing was found, empty where the chunk failed. Label files list only what
    was found. Raises BadcError when the recording has no readable results.
    """
    database = layout.aggregate_dir / f"{recording_id}.duckdb"
    if database == layout.database:
        raise BadcError(recording_id, "its bundle would replace the dataset's database", "rename the recording")
    detections = read_detections(layout, recording_id).select(list(BADC_COLUMNS))
    effort = read_effort(layout, recording_id)

    files = _write_tables(layout.aggregate_dir, recording_id, detections)
    summaries = _write_database(database, detections, effort, settings)
    files.append(database)
    files += _write_summaries(layout.aggregate_dir, recording_id, summaries, settings)
    return BundleResult(
        recording_id=recording_id,
        detections=detections.num_rows,
        labels=len(summaries.labels),
        chunks=effort.num_rows,
        failed_chunks=effort["status"].to_pylist().count("failed"),
        files=tuple(path.relative_to(layout.output).as_posix() for path in files),
    )


def _write_tables(folder: Path, recording_id: str, detections: pa.Table) -> list[Path]:
    import pyarrow.parquet as pq

    summary = folder / f"{recording_id}_summary.csv"
    write_csv(summary, BADC_COLUMNS, zip(*(column.to_pylist() for column in detections.columns), strict=True))
    parquet = folder / f"{recording_id}.parquet"
    with atomic_path(parquet) as temporary:
        pq.write_table(detections, temporary)
    return [summary, parquet]


def _write_database(target: Path, detections: pa.Table, effort: pa.Table, settings: ReportSettings) -> _Summaries:
    """Write the DuckDB file and read its views back: the CSVs and the database cannot disagree."""
    import duckdb

    # One thread, as it is small.
    with new_database(target) as temporary, duckdb.connect(str(temporary), config={"threads": 1}) as connection:
        for name, table in (("detections", detections), ("effort", effort)):
            connection.register("source", table)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM source")
            connection.unregister("source")
        connection.execute(summary_views(settings.bucket_minutes))

        def view(name: str, columns: tuple[str, ...]) -> Rows:
            return connection.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()

        return _Summaries(
            labels=view("label_summary", LABEL_COLUMNS),
            recordings=view("recording_summary", RECORDING_COLUMNS),
            chunks=view("chunk_summary", CHUNK_COLUMNS),
            timeline=view("timeline_summary", TIMELINE_COLUMNS),
        )


def _write_summaries(folder: Path, recording_id: str, found: _Summaries, settings: ReportSettings) -> list[Path]:
    quicklook = folder / f"{recording_id}_quicklook"
    report = folder / f"{recording_id}_parquet_report"
    exports = folder / f"{recording_id}_duckdb_exports"
    buckets = [(f"bucket_{index}", *rest) for index, *rest in found.timeline]
    tables: dict[Path, tuple[tuple[str, ...], Rows]] = {
        quicklook / "labels.csv": (LABEL_COLUMNS, found.labels[: settings.quicklook_top_labels]),
        quicklook / "recordings.csv": (RECORDING_COLUMNS, found.recordings[: settings.quicklook_top_recordings]),
        quicklook / "chunks.csv": (CHUNK_COLUMNS, found.chunks),
        report / "labels.csv": (LABEL_COLUMNS, found.labels[: settings.parquet_top_labels]),
        report / "recordings.csv": (RECORDING_COLUMNS, found.recordings[: settings.parquet_top_recordings]),
        report / "timeline.csv": (("bucket", *TIMELINE_COLUMNS[1:]), buckets),
        exports / "label_summary.csv": (LABEL_COLUMNS, found.labels[: settings.duckdb_top_labels]),
        exports / "recording_summary.csv": (RECORDING_COLUMNS, found.recordings[: settings.duckdb_top_recordings]),
        exports / "timeline.csv": (TIMELINE_COLUMNS, found.timeline),
    }
    for path, (header, rows) in tables.items():
        write_csv(path, header, rows)
    summary = report / "summary.json"
    write_text(summary, _summary_json(found, settings))
    return [*tables, summary]


def _summary_json(found: _Summaries, settings: ReportSettings) -> str:
    """BADC's six keys: indent 2, no final newline."""
    starts = [start for _, start, *_ in found.chunks if isinstance(start, int)]
    summary = {
        "detections": sum(row[2] for row in found.labels if isinstance(row[2], int)),
        "label_count": len(found.labels),
        "recording_count": len(found.recordings),
        "first_chunk_ms": min(starts, default=None),
        "last_chunk_ms": max(starts, default=None),
        "bucket_minutes": settings.bucket_minutes,
    }
    return json.dumps(summary, indent=2)
