"""The catalogue of recordings and its Parquet file."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from badc_assets.errors import BadcError
from badc_assets.files import atomic_path
from badc_assets.recordings.model import CatalogEntry, EntryState

if TYPE_CHECKING:
    import pyarrow as pa

_INTEGERS = ("size_bytes", "mtime_ns")
_PATHS = ("audio_path", "alias", "moved_from")
_ESCAPED = "paths_escaped"
_PROBLEMS = b"problems"
_READABLE_CHARACTERS = "".join(chr(code) for code in range(32, 127) if chr(code) != "%")


@dataclass(frozen=True)
class Catalog:
    """All recordings ever seen, sorted by id, and the problems of the last scan, one line each."""

    entries: tuple[CatalogEntry, ...]
    problems: tuple[str, ...] = ()

    def by_id(self) -> dict[str, CatalogEntry]:
        return {entry.recording_id: entry for entry in self.entries}

    @property
    def all_ids(self) -> list[str]:
        """Every recording ever seen, sorted; the results of vanished ones are kept."""
        return [entry.recording_id for entry in self.entries]

    def by_path(self) -> dict[str, CatalogEntry]:
        return {entry.audio_path: entry for entry in self.entries}


def write_catalog(path: Path, catalog: Catalog) -> None:
    """Write one row per recording, atomically.

    Parquet holds UTF-8 only. In a row whose path is not valid UTF-8, `paths_escaped` is true and the bytes of
    `audio_path`, `alias` and `moved_from` are percent-escaped.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [_row(entry) for entry in catalog.entries]
    metadata = {_PROBLEMS: json.dumps(catalog.problems).encode()}
    table = pa.Table.from_pylist(rows, schema=_schema().with_metadata(metadata))
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_catalog(path: Path) -> Catalog | None:
    """The catalogue as it was last written, None when it never was. Raises BadcError when the file is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
        problems = json.loads((table.schema.metadata or {}).get(_PROBLEMS, b"[]"))
        entries = tuple(_entry(row) for row in table.to_pylist())
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise BadcError(path, "is damaged or no catalogue", "delete it and scan again; results are kept") from error
    return Catalog(entries, tuple(problems))


def read_states(path: Path) -> dict[str, EntryState]:
    """Path -> state of every recording of the stored catalogue; quicker than the whole. Empty when there is none.

    Raises BadcError when the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return {}
    try:
        table = pq.read_table(path, columns=["audio_path", "state", _ESCAPED])
    except (pa.ArrowException, OSError) as error:
        raise BadcError(path, "is damaged or no catalogue", "delete it and scan again; results are kept") from error
    paths, states, escaped = (table.column(name).to_pylist() for name in ("audio_path", "state", _ESCAPED))
    rows = zip(paths, states, escaped, strict=True)
    return {_unescaped(name) if is_escaped else name: state for name, state, is_escaped in rows}


def read_some(path: Path, paths: Collection[str]) -> list[CatalogEntry] | None:
    """The entries of some paths, and those that moved away from one of them, without reading all others.

    None when there is no catalogue, or when a path is not UTF-8 and so not in the file as it is. Raises BadcError when the file
    is damaged.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not path.is_file() or not all(_is_utf8(each) for each in paths):
        return None
    wanted = pa.array(sorted(paths), pa.string())
    try:
        rows = pq.read_table(path, filters=pc.field("audio_path").isin(wanted) | pc.field("moved_from").isin(wanted))
        entries = [_entry(row) for row in rows.to_pylist()]
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise BadcError(path, "is damaged or no catalogue", "delete it and scan again; results are kept") from error
    return entries


def _schema() -> pa.Schema:
    import pyarrow as pa

    columns = [(field.name, pa.int64() if field.name in _INTEGERS else pa.string()) for field in fields(CatalogEntry)]
    return pa.schema([*columns, (_ESCAPED, pa.bool_())])


def _row(entry: CatalogEntry) -> dict[str, Any]:
    row = asdict(entry)
    row[_ESCAPED] = not all(_is_utf8(row[name]) for name in _PATHS)
    if row[_ESCAPED]:
        for name in _PATHS:
            row[name] = quote_from_bytes(row[name].encode("utf-8", "surrogateescape"), safe=_READABLE_CHARACTERS)
    return row


def _entry(row: dict[str, Any]) -> CatalogEntry:
    if row.pop(_ESCAPED):
        for name in _PATHS:
            row[name] = _unescaped(row[name])
    return CatalogEntry(**row)


def _unescaped(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def _is_utf8(text: str) -> bool:
    # Undecodable bytes of a file name are lone surrogates in Python, which are all that UTF-8 cannot hold.
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
