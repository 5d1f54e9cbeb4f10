"""Files that appear whole or not at all, hashes of settings, and locks that die with their holder."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from badc_assets.errors import BadcError
from badc_assets.processes import is_alive


class PlaceTaken(BadcError):
    """A folder is in the place of one file. Unlike a full disk this stops nothing but what that file is about."""


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that becomes `target` when the block ends well.

    The finished file is synced and renamed, so a reader sees the old file or the new one. A rename replaces a
    git-annex link by a plain file and never writes through it. When the block fails the temporary file is removed.
    Raises PlaceTaken when `target` is a folder, BadcError when it cannot be written or the disk is full.
    """
    _require_place(target)
    temporary = target.with_name(f".{target.name[:180]}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        temporary.replace(target)
    except OSError as error:
        _discard(temporary)
        raise _unwritable(target, error) from error
    except BaseException:
        _discard(temporary)
        raise


def leftover_temporaries(folder: Path) -> list[Path]:
    """Files directly in `folder` that `atomic_path` began in processes that are dead by now."""
    found = []
    for path in folder.glob(".*.tmp"):
        number = path.name.split(".")[-3]
        if number.isdecimal() and not is_alive(int(number)):
            found.append(path)
    return sorted(found)


def remove_dead_temporaries(folder: Path) -> None:
    """Remove what processes that are dead by now began in `folder`."""
    for path in leftover_temporaries(folder):
        _discard(path)


def remove(target: Path) -> None:
    """Remove a file that may be absent. Raises like `atomic_path`."""
    _require_place(target)
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(target, error) from error


def detach(path: Path) -> None:
    """Make a file that will be appended to one of its own: a link, or a second name of a file, becomes a copy.

    In a DataLad dataset both lead to a stored version, which root could overwrite. A link to nothing is removed. Raises like
    `atomic_path`.
    """
    if not path.is_symlink() and not (path.is_file() and path.stat().st_nlink > 1):
        return
    if not path.is_file():
        remove(path)
        return
    content = path.read_bytes()
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _require_place(target: Path) -> None:
    if target.is_dir():
        raise PlaceTaken(target, "is a folder in the place of a file", "rename or remove it")


def _unwritable(target: Path, error: OSError) -> BadcError:
    return BadcError(target, f"cannot be written ({error.strerror or error})", "free space or make the folder writable")


def _discard(temporary: Path) -> None:
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Return when the file is on disk. Raises OSError when there is no room for it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text with LF line ends, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(text.encode("utf-8", "surrogateescape"))


def write_json(target: Path, value: object, *, indent: int | None = 2) -> None:
    """Write JSON atomically."""
    write_text(target, json.dumps(value, indent=indent, ensure_ascii=True))


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """`rows` under `header` as CSV: fields quoted where needed, LF. None becomes an empty field."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    # A carriage return alone would not make csv quote a field, and would read as a line end.
    careful_writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    for row in rows:
        has_return = any(isinstance(value, str) and "\r" in value for value in row)
        (careful_writer if has_return else writer).writerow(row)
    return text.getvalue()


SCRATCH = "badc-scratch-"
"""How folders for what is needed for a moment begin; then come the process that made it and a random part."""


def scratch_prefix() -> str:
    """For `tempfile`: the name says whose the folder is, so that what a killed process left can be removed."""
    return f"{SCRATCH}{os.getpid()}-"


def stable_hash(value: object, *, length: int = 16) -> str:
    """The first `length` hex digits of the sha256 of `value` as canonical JSON; equal values, equal hash."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


@contextmanager
def exclusive(lock_file: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold an advisory lock on `lock_file`; yields False at once when `wait` is off and another process has it.

    The kernel drops the lock when its holder dies, so a lock that can be had proves that no writer is alive.
    The lock file itself stays: removing it would let two holders in.
    """
    handle: IO[bytes]
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        handle = lock_file.open("ab")
    except OSError as error:
        raise BadcError(
            lock_file, f"cannot be written ({error.strerror or error})", "make the output folder writable"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
