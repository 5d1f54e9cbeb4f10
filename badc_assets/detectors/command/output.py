"""What a program wrote -> events: BADC's detection JSON, or CSV. `docs/detector-command.md` describes both for authors.

Whatever is wrong with a file is a BadcError that names the line or field. Nothing is skipped and nothing is guessed: a
result that was not understood must not look like silence.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from badc_assets.detectors.command.rules import REMEDY, Fields, Place, checked_event, finite
from badc_assets.detectors.protocol import Event
from badc_assets.errors import BadcError

OutputFormat = Literal["auto", "json", "csv"]

JSON_REQUIRED = ("timestamp_ms", "end_ms", "confidence")
"""These must be there, so that a misspelt name is not taken for an unknown time. The times may be null."""
CSV_REQUIRED = ("start", "end", "label", "score")
CSV_OPTIONAL = ("label_name", "low_hz", "high_hz")
MAX_BYTES = 64 << 20
"""Of one output: about half a million detections."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def read_detections(path: Path, duration_ms: int, form: OutputFormat = "auto") -> list[Event]:
    """The events in a program's output for a clip of `duration_ms`; times count from the start of the clip.

    `auto` takes a file that begins with `{` or `[` for JSON. Raises BadcError when anything is wrong with the file.
    """
    return _events(_text(path), path, duration_ms, form)


def read_detection_json(path: Path, duration_ms: int) -> list[Event]:
    """The events in BADC's detection JSON of a chunk of `duration_ms`; times count from the start of the chunk.

    The file holds an object with a list `detections`, or only the list. Other fields, `status` too, are not looked at.
    Raises BadcError when anything is wrong with the file.
    """
    return read_detections(path, duration_ms, "json")


def read_detection_csv(path: Path, duration_ms: int) -> list[Event]:
    """The events in a CSV file (`start`, `end` in seconds, `label`, `score`). Raises like `read_detection_json`."""
    return read_detections(path, duration_ms, "csv")


def too_large(path: Path) -> BadcError:
    return BadcError(path, f"is larger than {MAX_BYTES >> 20} MiB", "let the program report less, or give it chunks")


def _events(text: str, path: Path, duration_ms: int, form: OutputFormat) -> list[Event]:
    if not text.strip():
        raise BadcError(path, "is empty; a result without detections is `[]`, or a CSV header alone", REMEDY)
    is_json = form == "json" or (form == "auto" and text.lstrip().startswith(("{", "[")))
    found = _json_fields(text, path) if is_json else _csv_fields(text, path)
    return [checked_event(fields, place, duration_ms) for fields, place in found]


def _text(path: Path) -> str:
    if not path.is_file():
        raise BadcError(path, "is not a file" if path.exists() else "there is no such file", REMEDY)
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadcError(path, f"cannot be read ({error.strerror or error})", "make it readable") from error
    if len(data) > MAX_BYTES:
        raise too_large(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadcError(path, f"is not UTF-8 (byte {error.start})", REMEDY) from error


def _json_fields(text: str, path: Path) -> Iterator[tuple[Fields, Place]]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno}: not valid JSON ({error.msg}, column {error.colno})"
        raise BadcError(path, problem, REMEDY) from error
    except (ValueError, RecursionError) as error:
        raise BadcError(path, f"not usable JSON ({error})", REMEDY) from error
    items = value.get("detections") if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise BadcError(path, "holds no list `detections`", REMEDY)
    names = {"start": "timestamp_ms", "end": "end_ms"}
    for number, item in enumerate(items):
        place = Place(path, f"detections[{number}]", names)
        if not isinstance(item, dict):
            raise place.wrong("the item", "is not an object")
        for field in JSON_REQUIRED:
            if field not in item:
                raise place.wrong(field, "is missing")
        code, name = (_json_text(item, field, place) for field in ("label_code", "label_name"))
        label = "" if code or name else _json_text(item, "label", place)
        yield (
            Fields(
                start_ms=_json_number(item, "timestamp_ms", place),
                end_ms=_json_number(item, "end_ms", place),
                code=code or label,
                name=name,
                confidence=_json_number(item, "confidence", place),
                low_hz=_json_number(item, "low_hz", place),
                high_hz=_json_number(item, "high_hz", place),
            ),
            place,
        )


def _json_text(item: dict[str, Any], field: str, place: Place) -> str:
    value = item.get(field)
    if value is not None and not isinstance(value, str):
        raise place.wrong(field, "is not a text")
    return (value or "").strip()


def _json_number(item: dict[str, Any], field: str, place: Place) -> float | None:
    value = item.get(field)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise place.wrong(field, "is not a number")
    return finite(value, field, place)


def _csv_fields(text: str, path: Path) -> Iterator[tuple[Fields, Place]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = _csv_rows(reader, path)
    header = [name.strip().lower() for name in next(rows)[1]]
    columns = _csv_columns(header, path)
    names = {"confidence": "score"}
    for line, row in rows:
        place = Place(path, f"line {line}", names)
        if len(row) != len(header):
            raise place.wrong("the row", f"has {len(row)} fields, the header {len(header)}")
        value = {name: row[column].strip() for name, column in columns.items()}
        start_s, end_s = (_csv_number(value, name, place) for name in ("start", "end"))
        yield (
            Fields(
                start_ms=None if start_s is None else start_s * 1000,
                end_ms=None if end_s is None else end_s * 1000,
                code=value["label"],
                name=value.get("label_name", ""),
                confidence=_csv_number(value, "score", place),
                low_hz=_csv_number(value, "low_hz", place),
                high_hz=_csv_number(value, "high_hz", place),
            ),
            place,
        )


def _csv_rows(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, with the number of their last line."""
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise BadcError(path, f"line {reader.line_num}: not valid CSV ({error})", REMEDY) from error


def _csv_columns(header: list[str], path: Path) -> dict[str, int]:
    """Where each column that we know stands."""
    twice = [name for name in (*CSV_REQUIRED, *CSV_OPTIONAL) if header.count(name) > 1]
    if twice:
        raise BadcError(path, f"line 1: column {twice[0]!r} occurs twice", REMEDY)
    missing = [name for name in CSV_REQUIRED if name not in header]
    if missing:
        problem = f"line 1: a header with {','.join(CSV_REQUIRED)} was expected; {missing[0]!r} is missing"
        raise BadcError(path, problem, REMEDY)
    return {name: header.index(name) for name in (*CSV_REQUIRED, *CSV_OPTIONAL) if name in header}


def _csv_number(value: dict[str, str], field: str, place: Place) -> float | None:
    text = value.get(field, "")
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise place.wrong(field, f"is not a number ({text[:40]!r})")
    return finite(float(text), field, place)
