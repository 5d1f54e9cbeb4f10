"""CSV as every report writes it: quoted where needed, LF, UTF-8, empty for unknown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from badc_assets.files import write_text


def write_csv(target: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write `rows` under `header`, atomically. None becomes an empty field."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    # A carriage return alone would not make csv quote a field, and would read as a line end.
    careful_writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    for row in rows:
        has_return = any(isinstance(value, str) and "\r" in value for value in row)
        (careful_writer if has_return else writer).writerow(row)
    write_text(target, text.getvalue())
