"""Detections of one table, counted by label, by recording, or by both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from badc_assets.errors import BadcError
from badc_assets.reports.canonical import read_canonical

GROUPS = ("label", "recording_id")


def grouped(
    parquet: Path, names: Sequence[str], *, as_badc: bool = False
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Header and rows: the groups, `detections` and `avg_confidence`; most detections first, where equal by name.

    Raises BadcError when a name is none of `GROUPS`, or the table cannot be read.
    """
    import duckdb

    wrong = [name for name in names if name not in GROUPS]
    if wrong or not names:
        raise BadcError(wrong[0] if wrong else "--group-by", "is nothing to group by", f"use {' or '.join(GROUPS)}")
    detections = read_canonical([parquet], as_badc=as_badc).detections
    columns = ", ".join(names)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("found", detections)
        rows = connection.execute(
            f"SELECT {columns}, count(*) AS n, avg(confidence) FROM found GROUP BY {columns} ORDER BY n DESC, {columns}"
        ).fetchall()
    return (*names, "detections", "avg_confidence"), rows
