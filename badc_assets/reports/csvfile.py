"""CSV as every report writes it: quoted where needed, LF, UTF-8, empty for unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from badc_assets.files import csv_text, write_text


def write_csv(target: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write `rows` under `header`, atomically. None becomes an empty field."""
    write_text(target, csv_text(header, rows))
