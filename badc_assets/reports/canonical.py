"""Canonical detection tables in Parquet, ours or BADC's: what was found, and which chunks there were.

BADC writes a row of label `none` for a chunk in which nothing was found, and counts it as a detection. Here such a row only says
that there was a chunk; `as_badc` counts as BADC does, to reproduce its files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from badc_assets.detections.schema import BADC_COLUMNS, BADC_TYPES
from badc_assets.errors import BadcError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

NEEDED = ("recording_id", "chunk_id", "chunk_start_ms", "label", "confidence")
IS_PLACEHOLDER = "label = 'none' AND timestamp_ms IS NULL AND confidence IS NULL"
_SQL_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE"}


@dataclass(frozen=True)
class Canonical:
    """`detections` has BADC's 18 columns; `effort` one row per chunk: recording_id, chunk_id, chunk_start_ms, status."""

    detections: pa.Table
    effort: pa.Table


def read_canonical(paths: Sequence[Path], *, as_badc: bool = False) -> Canonical:
    """Read the tables one after the other. Columns that are missing and not needed are empty.

    Raises BadcError when a file is not there, is no Parquet, or lacks a column of `NEEDED`.
    """
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"CREATE TABLE source ({', '.join(f'{c} {_SQL_TYPES[t]}' for c, t in BADC_TYPES.items())})")
        for path in paths:
            _add(connection, path)
        found = "true" if as_badc else f"NOT coalesce({IS_PLACEHOLDER}, false)"
        detections = connection.sql(f"FROM source SELECT * WHERE {found}").to_arrow_table()
        effort = connection.sql(
            f"""SELECT recording_id, chunk_id, min(chunk_start_ms) AS chunk_start_ms,
                CASE WHEN bool_or({found}) THEN 'ok' ELSE 'empty' END AS status
            FROM source GROUP BY ALL ORDER BY ALL"""
        ).to_arrow_table()
    return Canonical(detections, effort)


def _add(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise BadcError(
            path, "there is no such file", "name a Parquet file of detections; `badc infer aggregate` makes one"
        )
    try:
        with pq.ParquetFile(path) as file:
            known = [name for name in BADC_COLUMNS if name in file.schema_arrow.names]
            missing = [name for name in NEEDED if name not in known]
            if missing:
                raise BadcError(path, f"has no column {', '.join(missing)}", "name a Parquet file of detections")
            for batch in file.iter_batches(columns=known):
                _insert(connection, path, known, batch)
    except (pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or ["unknown error"])[0]
        raise BadcError(path, f"cannot be read as Parquet ({reason})", "make it again") from error


def _insert(connection: duckdb.DuckDBPyConnection, path: Path, columns: Sequence[str], batch: pa.RecordBatch) -> None:
    import duckdb

    names = ", ".join(columns)
    connection.register("batch", batch)
    try:
        connection.execute(f"INSERT INTO source ({names}) SELECT {names} FROM batch")
    except duckdb.Error as error:
        reason = (str(error).splitlines() or ["unknown error"])[0]
        raise BadcError(path, f"holds values of another type ({reason})", "make it again") from error
    finally:
        connection.unregister("batch")
