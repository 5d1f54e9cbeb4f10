"""`HawkEars_labels.csv`, as HawkEars 1 writes it: one row for each detection, times in seconds."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from pathlib import Path

from badc_assets.detectors.hawkears.events import Found
from badc_assets.detectors.protocol import Label
from badc_assets.errors import BadcError

FILE_NAME = "HawkEars_labels.csv"
COLUMNS = ("filename", "start_time", "end_time", "class_name", "class_code", "score")

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_REMEDY = "see whether detectors.hawkears.root is HawkEars 1, and run it again"


def read_labels(path: Path, names: Collection[str], *, use_names: bool = False) -> list[Found]:
    """The detections in the file, which is about one clip.

    `names` are the file names that stand for the clip: its own, and for a git-annex link that of the object, which some
    versions write. A row without a file name is about it too. `use_names` labels by class name, not by code.
    Raises BadcError for a row about another file, and for whatever cannot be read: nothing is skipped.
    """
    rows = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    found: list[Found] = []
    try:
        header = next(rows, [])
        columns = _columns(path, header)
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise _wrong(path, rows.line_num, f"has {len(row)} fields, the header {len(header)}")
            value = {name: row[column].strip() for name, column in columns.items()}
            file_name = re.split(r"[/\\]", value["filename"])[-1]
            if file_name and file_name not in names:
                raise _wrong(path, rows.line_num, f"is about another file ({file_name[:80]!r})")
            found.append(_found(path, rows.line_num, value, use_names=use_names))
    except csv.Error as error:
        raise _wrong(path, rows.line_num, f"is not valid CSV ({error})") from error
    return found


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadcError(path, f"cannot be read ({error.strerror or error})", _REMEDY) from error
    except UnicodeDecodeError as error:
        raise BadcError(path, f"is not UTF-8 (byte {error.start})", _REMEDY) from error


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    for name in COLUMNS:
        if names.count(name) != 1:
            problem = "is missing" if name not in names else "occurs twice"
            raise BadcError(path, f"line 1: the column {name!r} {problem}", _REMEDY)
    return {name: names.index(name) for name in COLUMNS}


def _found(path: Path, line: int, value: dict[str, str], *, use_names: bool) -> Found:
    code, name = value["class_code"], value["class_name"]
    if not code and not name:
        raise _wrong(path, line, "names no class")
    label = Label(name, name) if (use_names and name) or not code else Label(code, name or code)
    start_s, end_s, score = (_number(path, line, value, field) for field in ("start_time", "end_time", "score"))
    return Found(label, start_s, end_s, score)


def _number(path: Path, line: int, value: dict[str, str], field: str) -> float:
    if not _NUMBER.fullmatch(value[field]):
        raise _wrong(path, line, f"{field} is not a number ({value[field][:40]!r})")
    return float(value[field])


def _wrong(path: Path, line: int, problem: str) -> BadcError:
    return BadcError(path, f"line {line} {problem}", _REMEDY)
