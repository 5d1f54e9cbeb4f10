"""Totals over the tables of many recordings, by label and by recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from badc_assets.errors import BadcError
from badc_assets.files import csv_text, write_text
from badc_assets.reports.canonical import IS_PLACEHOLDER, NEEDED
from badc_assets.reports.csvfile import write_csv
from badc_assets.reports.views import RECORDING_COLUMNS, parquet_source

LABEL_COLUMNS = ("label_name", "label", "detections", "avg_confidence")
"""BADC's order, which is another one than in its other files."""


@dataclass(frozen=True)
class Rollup:
    """Rows in the order of most detections; where equal, by name."""

    labels: list[tuple[object, ...]]
    recordings: list[tuple[object, ...]]


def tables_of(folder: Path) -> list[Path]:
    """The tables directly in a folder, by name: those that end in `_detections.parquet` where there are any, else all.

    Raises BadcError when there is none.
    """
    if not folder.is_dir():
        raise BadcError(folder, "there is no such folder", "name the folder with the Parquet files of the recordings")
    found = sorted(folder.glob("*_detections.parquet")) or sorted(folder.glob("*.parquet"))
    if not found:
        raise BadcError(folder, "holds no Parquet files", "run `badc run --bundles` or `badc infer aggregate` first")
    return found


def roll_up(paths: Sequence[Path], *, as_badc: bool = False) -> Rollup:
    """Totals over these tables; a recording in which nothing was found counts 0. `as_badc` counts placeholder rows as detections,
    and keeps the order of the files where counts are equal.

    Raises BadcError when a table cannot be read.
    """
    import duckdb

    found = "true" if as_badc else f"NOT coalesce({IS_PLACEHOLDER}, false)"
    parts = []
    for number, path in enumerate(paths):
        parts.append(_part(path, number, found))
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(_PART_TABLE)
        for path, part in zip(paths, parts, strict=True):
            try:
                connection.execute(part)
            except duckdb.Error as error:
                reason = (str(error).splitlines() or ["unknown error"])[0]
                raise BadcError(path, f"cannot be read as a table of detections ({reason})", "make it again") from error
        order = "min(number)" if as_badc else "recording_id"
        recordings = connection.execute(
            f"SELECT recording_id, sum(found)::BIGINT AS n, {_MEAN} FROM part GROUP BY recording_id ORDER BY n DESC, {order}"
        ).fetchall()
        labels = connection.execute(
            f"SELECT label_name, label, sum(found)::BIGINT AS n, {_MEAN} FROM part WHERE found > 0 "
            "GROUP BY label_name, label ORDER BY n DESC, label, label_name"
        ).fetchall()
    return Rollup(labels, recordings)


_PART_TABLE = """CREATE TABLE part (number INTEGER, recording_id VARCHAR, label VARCHAR, label_name VARCHAR, found BIGINT,
    confidence DOUBLE, confident BIGINT)"""
_MEAN = "sum(confidence) / nullif(sum(confident), 0) AS mean"


def _part(path: Path, number: int, found: str) -> str:
    """What one table adds to the sums: counted where it lies, so that memory does not grow with the detections."""
    if not path.is_file():
        raise BadcError(path, "there is no such file", f"it must have the columns {', '.join(NEEDED)}")
    return f"""INSERT INTO part
        SELECT {number}, recording_id, label, label_name, count(*) FILTER ({found}), sum(confidence) FILTER ({found}),
            count(confidence) FILTER ({found})
        FROM {parquet_source(path)} GROUP BY recording_id, label, label_name"""


def write_rollup(folder: Path, found: Rollup, limit: int | None, *, as_badc: bool = False) -> list[Path]:
    """`label_summary.csv` and `recording_summary.csv`; with BADC's line ends for `as_badc`. `limit` cuts both."""
    files = {
        folder / "label_summary.csv": (LABEL_COLUMNS, found.labels[:limit]),
        folder / "recording_summary.csv": (RECORDING_COLUMNS, found.recordings[:limit]),
    }
    for path, (header, rows) in files.items():
        if as_badc:
            write_text(path, csv_text(header, rows).replace("\n", "\r\n"))
        else:
            write_csv(path, header, rows)
    return list(files)
