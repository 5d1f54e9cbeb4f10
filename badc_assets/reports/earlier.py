"""The dataset-wide tables as they were made before, so that only what changed since is read again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

VERSION = "1"
"""Raise it when the same files give other rows: no earlier row is taken over then."""
KEY = "recording_id"
_BUILD = b"badc_build"
_BATCH_ROWS = 65_536


def new_build() -> dict[bytes, bytes]:
    """Metadata of tables that are made together; those of two builds are never mixed."""
    return {_BUILD: f"{VERSION} {secrets.token_hex(8)}".encode()}


class EarlierTables:
    """Rows of earlier tables, by recording. They are asked for in the order of the tables: each is read once."""

    def __init__(self, tables: Mapping[str, _Rows], digests: dict[str, str]) -> None:
        self._tables = tables
        self._digests = digests

    def rows(self, recording_id: str, digest: str) -> dict[str, pa.Table] | None:
        """The rows of each table that were made of these very files; None when they have to be made."""
        if not digest or self._digests.get(recording_id) != digest:
            return None
        try:
            return {name: rows.of(recording_id) for name, rows in self._tables.items()}
        except (pa.ArrowException, OSError):
            self._digests = {}  # the file is damaged from here on: all the rest is made anew
            return None


def earlier_tables(files: Mapping[str, tuple[Path, pa.Schema]], digests: Path) -> EarlierTables:
    """What can be taken over. Nothing where a table is missing, damaged, has other columns, or is of another build."""
    try:
        opened = {name: pq.ParquetFile(path) for name, (path, _) in files.items()}
        known = pq.read_table(digests)
        is_fitting = all(opened[name].schema_arrow.equals(schema) for name, (_, schema) in files.items())
        builds = {_build(known.schema), *(_build(file.schema_arrow) for file in opened.values())}
        if not is_fitting or len(builds) != 1 or not builds.pop().startswith(f"{VERSION} "):
            return EarlierTables({}, {})
        rows = {name: _Rows(file) for name, file in opened.items()}
    except (pa.ArrowException, OSError):
        return EarlierTables({}, {})
    columns = known.to_pydict()
    return EarlierTables(rows, dict(zip(columns[KEY], columns["digest"], strict=True)))


def digests_schema() -> pa.Schema:
    """For each recording what its rows were made of; an empty digest where they must not be taken over."""
    return pa.schema([(KEY, pa.string()), ("digest", pa.string())])


def _build(schema: pa.Schema) -> str:
    return (schema.metadata or {}).get(_BUILD, b"").decode()


class _Rows:
    """The rows of one table, of which each recording has a run."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self._runs = _runs(file)
        self._schema = file.schema_arrow.remove_metadata()
        self._batches = file.iter_batches(batch_size=_BATCH_ROWS)
        self._batch = pa.RecordBatch.from_pylist([], schema=file.schema_arrow)
        self._batch_start = 0

    def of(self, recording_id: str) -> pa.Table:
        start, end = self._runs.get(recording_id, (0, 0))
        parts = [part.replace_schema_metadata(None) for part in self._between(start, end)] if end > start else []
        return pa.Table.from_batches(parts, schema=self._schema)

    def _between(self, start: int, end: int) -> Iterator[pa.RecordBatch]:
        while start < end:
            batch_end = self._batch_start + self._batch.num_rows
            if start < batch_end:
                rows = min(end, batch_end) - start
                yield self._batch.slice(start - self._batch_start, rows)
                start += rows
            else:
                self._batch_start, self._batch = batch_end, next(self._batches)


def _runs(file: pq.ParquetFile) -> dict[str, tuple[int, int]]:
    """The first row of each recording and the one after its last."""
    found: dict[str, tuple[int, int]] = {}
    start = 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=[KEY]):
        runs = pc.run_end_encode(batch.column(0))  # pyright: ignore[reportAttributeAccessIssue]  not in its stubs
        begin = start
        for name, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            # A run goes on across batches.
            found[name] = (found[name][0] if name in found else begin, start + end)
            begin = start + end
        start += batch.num_rows
    return found
