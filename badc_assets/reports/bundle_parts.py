"""A report bundle from a Parquet file of detections: any of its parts, anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from badc_assets.errors import BadcError
from badc_assets.reports.bundle import BundleFolders
from badc_assets.reports.canonical import read_canonical
from badc_assets.reports.settings import ReportSettings
from badc_assets.reports.summaries import (
    duckdb_exports,
    parquet_report,
    quicklook,
    summaries,
    write_files,
    write_summary,
)


@dataclass(frozen=True)
class BundlePlaces:
    """Where each part goes; None for a part that is not wanted."""

    quicklook: Path | None
    parquet_report: Path | None
    database: Path | None
    duckdb_exports: Path | None

    @classmethod
    def beside(cls, folder: Path, prefix: str) -> BundlePlaces:
        """BADC's places."""
        folders = BundleFolders.beside(folder, prefix)
        return cls(folders.quicklook, folders.parquet_report, folder / f"{prefix}.duckdb", folders.duckdb_exports)


def write_parts(parquet: Path, places: BundlePlaces, settings: ReportSettings, *, as_badc: bool = False) -> list[Path]:
    """Write the parts that have a place; returns their files. Raises BadcError when the table cannot be read."""
    if places.database is not None and places.database.absolute() == parquet.absolute():
        raise BadcError(parquet, "would be replaced by its own database", "name another --duckdb-database")
    tables = read_canonical([parquet], as_badc=as_badc)
    found = summaries(tables.detections, tables.effort, settings, places.database)
    written: list[Path] = []
    if places.quicklook is not None:
        written += write_files(places.quicklook, quicklook(found, settings))
    if places.parquet_report is not None:
        written += write_files(places.parquet_report, parquet_report(found, settings))
        written.append(write_summary(places.parquet_report, found, settings))
    if places.database is not None:
        written.append(places.database)
    if places.duckdb_exports is not None:
        written += write_files(places.duckdb_exports, duckdb_exports(found, settings))
    return written
