"""BADC's report files, from a table of detections and one of effort: quicklook, Parquet report, DuckDB file and its exports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from badc_assets.files import write_text
from badc_assets.reports.csvfile import write_csv
from badc_assets.reports.database import new_database
from badc_assets.reports.settings import ReportSettings
from badc_assets.reports.views import CHUNK_COLUMNS, LABEL_COLUMNS, RECORDING_COLUMNS, TIMELINE_COLUMNS, summary_views

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Rows = list[tuple[object, ...]]
Files = Mapping[str, tuple[tuple[str, ...], Rows]]
"""Name of a CSV file -> its header and rows."""


@dataclass(frozen=True)
class Summaries:
    """What was found by label, by recording, by chunk and by bucket of time, in the order of the views."""

    labels: Rows
    recordings: Rows
    chunks: Rows
    timeline: Rows


def summaries(
    detections: pa.Table, effort: pa.Table, settings: ReportSettings, database: Path | None = None
) -> Summaries:
    """Count, in a database that stays as `database` where one is named: the CSVs and the database cannot disagree.

    Raises BadcError when the database cannot be written.
    """
    import duckdb

    place = nullcontext(":memory:") if database is None else new_database(database)
    # One thread, as tables are small.
    with place as file, duckdb.connect(str(file), config={"threads": 1}) as connection:
        return _counted(connection, {"detections": detections, "effort": effort}, settings)


def _counted(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table], settings: ReportSettings
) -> Summaries:
    for name, table in tables.items():
        connection.register("source", table)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM source")
        connection.unregister("source")
    connection.execute(summary_views(settings.bucket_minutes))

    def view(name: str, columns: tuple[str, ...]) -> Rows:
        return connection.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()

    return Summaries(
        labels=view("label_summary", LABEL_COLUMNS),
        recordings=view("recording_summary", RECORDING_COLUMNS),
        chunks=view("chunk_summary", CHUNK_COLUMNS),
        timeline=view("timeline_summary", TIMELINE_COLUMNS),
    )


def quicklook(found: Summaries, settings: ReportSettings) -> Files:
    return {
        "labels.csv": (LABEL_COLUMNS, found.labels[: settings.quicklook_top_labels]),
        "recordings.csv": (RECORDING_COLUMNS, found.recordings[: settings.quicklook_top_recordings]),
        "chunks.csv": (CHUNK_COLUMNS, found.chunks),
    }


def parquet_report(found: Summaries, settings: ReportSettings) -> Files:
    """Without `summary.json`, which is `write_summary`."""
    buckets: Rows = [(f"bucket_{'none' if index is None else index}", *rest) for index, *rest in found.timeline]
    return {
        "labels.csv": (LABEL_COLUMNS, found.labels[: settings.parquet_top_labels]),
        "recordings.csv": (RECORDING_COLUMNS, found.recordings[: settings.parquet_top_recordings]),
        "timeline.csv": (("bucket", *TIMELINE_COLUMNS[1:]), buckets),
    }


def duckdb_exports(found: Summaries, settings: ReportSettings) -> Files:
    return {
        "label_summary.csv": (LABEL_COLUMNS, found.labels[: settings.duckdb_top_labels]),
        "recording_summary.csv": (RECORDING_COLUMNS, found.recordings[: settings.duckdb_top_recordings]),
        "timeline.csv": (TIMELINE_COLUMNS, found.timeline),
    }


def write_files(folder: Path, files: Files) -> list[Path]:
    """Write them into `folder`; returns where."""
    for name, (header, rows) in files.items():
        write_csv(folder / name, header, rows)
    return [folder / name for name in files]


def write_summary(folder: Path, found: Summaries, settings: ReportSettings) -> Path:
    """`summary.json` of the Parquet report, with BADC's six keys: indent 2, no final newline."""
    starts = [start for _, start, *_ in found.chunks if isinstance(start, int)]
    summary = {
        "detections": sum(row[2] for row in found.labels if isinstance(row[2], int)),
        "label_count": len(found.labels),
        "recording_count": len(found.recordings),
        "first_chunk_ms": min(starts, default=None),
        "last_chunk_ms": max(starts, default=None),
        "bucket_minutes": settings.bucket_minutes,
    }
    target = folder / "summary.json"
    write_text(target, json.dumps(summary, indent=2))
    return target
