"""BADC's report files of one recording: summary CSV, Parquet, quicklook, Parquet report, DuckDB and its exports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from badc_assets.detections.schema import BADC_COLUMNS
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path
from badc_assets.layout import Layout
from badc_assets.reports.csvfile import write_csv
from badc_assets.reports.parts import read_detections, read_effort
from badc_assets.reports.settings import ReportSettings
from badc_assets.reports.summaries import (
    duckdb_exports,
    parquet_report,
    quicklook,
    summaries,
    write_files,
    write_summary,
)

if TYPE_CHECKING:
    import pyarrow as pa


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
class BundleFolders:
    """Where the parts of a bundle go."""

    quicklook: Path
    parquet_report: Path
    duckdb_exports: Path

    @classmethod
    def beside(cls, folder: Path, prefix: str) -> BundleFolders:
        """BADC's places: three folders that begin with the name of the recording."""
        return cls(*(folder / f"{prefix}_{part}" for part in ("quicklook", "parquet_report", "duckdb_exports")))


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
    found = summaries(detections, effort, settings, database)
    files.append(database)
    folders = BundleFolders.beside(layout.aggregate_dir, recording_id)
    files += write_files(folders.quicklook, quicklook(found, settings))
    files += write_files(folders.parquet_report, parquet_report(found, settings))
    files += write_files(folders.duckdb_exports, duckdb_exports(found, settings))
    files.append(write_summary(folders.parquet_report, found, settings))
    return BundleResult(
        recording_id=recording_id,
        detections=detections.num_rows,
        labels=len(found.labels),
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
