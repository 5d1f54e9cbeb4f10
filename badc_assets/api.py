"""Results in Python: the tables of a dataset, any table of detections, a recording's bundle, and totals.

Everything is a DuckDB relation, which reads nothing before it is asked: `.filter()`, `.aggregate()` and
`duckdb.sql("FROM found")` work on files larger than memory, `.df()` makes a pandas frame of it and `.to_arrow_table()` an Arrow
table. docs/api.md has examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.project import Project, load_project

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

__all__ = ["Bundle", "Results", "Totals", "aggregate", "load_bundle", "load_dataset", "load_detections"]

Source = str | Path | Iterable[str | Path]


@dataclass(frozen=True)
class Results:
    """The dataset-wide tables, as `badc run` made them last. `layout` knows all other places of the dataset."""

    layout: Layout

    @property
    def detections(self) -> DuckDBPyRelation:
        """What was found, with site and wall-clock time: BADC's 18 columns, then ours. Silence has no rows."""
        return self.table("detections")

    @property
    def effort(self) -> DuckDBPyRelation:
        """Which time was listened to: one row per chunk, of status `ok`, `empty`, `failed`, `stub` or `unusable`."""
        return self.table("effort")

    @property
    def recordings(self) -> DuckDBPyRelation:
        """Every recording of the catalogue, with site, time, length, flags, and what became of it."""
        return self.table("recordings")

    @property
    def chunk_quality(self) -> DuckDBPyRelation:
        """What was measured of the sound of each chunk."""
        return self.table("chunk_quality")

    def table(self, name: str) -> DuckDBPyRelation:
        """One of the tables. Raises BadcError when it has not been made."""
        path = self.layout.aggregate_table(name)
        if not path.is_file():
            raise BadcError(path, "is missing", "`badc run` makes the tables of the dataset")
        return _read_parquet([path])

    def database(self) -> DuckDBPyConnection:
        """The DuckDB file of the dataset, read only: the tables, and views of activity and effort by site, day and hour."""
        return _read_only(self.layout.database, "`badc run` makes the database of the dataset")

    def bundle(self, recording_id: str) -> Bundle:
        """The report bundle of one recording."""
        return load_bundle(self.layout.bundle_database(recording_id))


@dataclass(frozen=True)
class Bundle:
    """The views of a recording's DuckDB file, ours or BADC's, whole and in the order of the reports. They share a connection
    of their own."""

    detections: DuckDBPyRelation
    labels: DuckDBPyRelation
    recordings: DuckDBPyRelation
    timeline: DuckDBPyRelation


@dataclass(frozen=True)
class Totals:
    """Counts and mean confidence by label, and by recording; most detections first."""

    labels: DuckDBPyRelation
    recordings: DuckDBPyRelation


def load_dataset(folder: str | Path | None = None) -> Results:
    """The results of a dataset; without a name those of the project that `badc` would use here."""
    if folder is None:
        return Results(load_project().layout)
    if not Path(folder).is_dir():
        raise BadcError(folder, "there is no such dataset", "name the folder with the results")
    return Results(Project.model_validate({"dataset": folder}).layout)


def load_detections(source: Source, *, as_badc: bool = False) -> DuckDBPyRelation:
    """The detections in some Parquet files, or in a folder of Parquet files or of detection JSON, of BADC or ours.

    BADC's rows of label `none`, which say that a chunk was analysed, are no detections and are left out; `as_badc` keeps them.
    Of a folder the tables directly in it count, else `detections.parquet` at any depth, else the JSON at any depth. Raises
    BadcError when there is nothing, or a file cannot be read.
    """
    from badc_assets.reports.canonical import IS_PLACEHOLDER

    rows = _rows(source)
    return rows if as_badc else rows.filter(f"NOT coalesce({IS_PLACEHOLDER}, false)")


def load_bundle(database: str | Path) -> Bundle:
    """The views of a bundle's DuckDB file. Raises BadcError when it is none, or lacks one of them."""
    import duckdb

    path = Path(database)
    connection = _read_only(path, "`badc run --bundles` makes it")
    try:
        views = ("detections", "label_summary", "recording_summary", "timeline_summary")
        return Bundle(*(connection.table(name) for name in views))
    except duckdb.Error as error:
        raise BadcError(path, f"is no report bundle ({_reason(error)})", "make it again") from error


def aggregate(source: Source, *, as_badc: bool = False) -> Totals:
    """Totals over what `load_detections` would load. A recording in which nothing was found counts 0 where a row says that it
    was analysed; `as_badc` counts such rows as BADC does."""
    from badc_assets.reports.canonical import IS_PLACEHOLDER

    found = "true" if as_badc else f"NOT coalesce({IS_PLACEHOLDER}, false)"
    numbers = f"count(*) FILTER ({found}) AS detections, avg(confidence) FILTER ({found}) AS avg_confidence"
    rows = _rows(source)
    return Totals(
        rows.filter(found)
        .aggregate(f"label_name, label, {numbers}", "label_name, label")
        .order("detections DESC, label, label_name"),
        rows.aggregate(f"recording_id, {numbers}", "recording_id").order("detections DESC, recording_id"),
    )


def _rows(source: Source) -> DuckDBPyRelation:
    if not isinstance(source, (str, Path)):
        return _read_parquet([Path(each) for each in source])
    path = Path(source)
    if not path.is_dir():
        return _read_parquet([path])
    tables = sorted(path.glob("*_detections.parquet")) or sorted(path.glob("*.parquet"))
    tables = tables or sorted(path.rglob("detections.parquet"))
    return _read_parquet(tables) if tables else _read_json(path)


def _read_parquet(paths: Sequence[Path]) -> DuckDBPyRelation:
    import duckdb

    from badc_assets.reports.views import one_file

    for path in paths:
        if not path.is_file():
            raise BadcError(path, "there is no such file", "name a Parquet file of detections, or a folder of them")
    if not paths:
        raise BadcError(
            "load_detections", "was given no files", "name a Parquet file of detections, or a folder of them"
        )
    try:
        return duckdb.read_parquet([one_file(path) for path in paths], union_by_name=True)
    except duckdb.Error as error:
        raise BadcError(
            paths[0], f"cannot be read as tables of detections ({_reason(error)})", "make it again"
        ) from error


def _read_json(folder: Path) -> DuckDBPyRelation:
    """Read at once: JSON has no columns to choose from."""
    import duckdb

    from badc_assets.reports.gathering import as_badc, gather, table_of

    gathered = gather(folder)
    if gathered.problems:
        raise BadcError(folder, f"cannot all be read: {gathered.problems[0]}", "mend or remove that file")
    if not gathered.chunks:
        raise BadcError(folder, "holds neither Parquet files nor detection JSON", "name a folder with results")
    return duckdb.from_arrow(table_of(as_badc(gathered)))


def _read_only(path: Path, remedy: str) -> DuckDBPyConnection:
    import duckdb

    if not path.is_file():
        raise BadcError(path, "there is no such database", remedy)
    try:
        return duckdb.connect(str(path), read_only=True)
    except duckdb.Error as error:
        raise BadcError(path, f"cannot be opened ({_reason(error)})", remedy) from error


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or ["unknown error"])[0]
