"""Calls whose place in a recording is known, and the CSV that holds them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from badc_assets.errors import BadcError


@dataclass(frozen=True)
class TrueCall:
    """One call. `audio_path` is relative to the dataset, times are ms from the start of the recording.

    `low_hz` to `high_hz` is the band that holds nearly all of the call's energy. `snr_db` is the mean power of the call
    over its whole length, pauses included, relative to the background in that band during that time.
    """

    audio_path: str
    start_ms: int
    end_ms: int
    low_hz: float
    high_hz: float
    call_type: str
    snr_db: float


COLUMNS = tuple(field.name for field in fields(TrueCall))


def truth_text(calls: Sequence[TrueCall]) -> str:
    """The calls as CSV, ordered by recording and start."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(call) for call in sorted(calls, key=lambda call: (call.audio_path, call.start_ms)))
    return text.getvalue()


def read_truth(path: Path) -> tuple[TrueCall, ...]:
    """Read such a CSV, or the same columns from elsewhere; further columns are left out.

    Raises BadcError when the file is absent, a column is missing or a value is not a number.
    """
    if not path.is_file():
        raise BadcError(path, "no such file", "make the sample dataset first, or give the path of a truth table")
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise BadcError(path, f"has no column {', '.join(missing)}", f"give the columns {','.join(COLUMNS)}")
        return tuple(_call(path, reader.line_num, row) for row in reader)


def _call(path: Path, line: int, row: dict[str, str | None]) -> TrueCall:
    values = {name: row[name] or "" for name in COLUMNS}
    try:
        return TrueCall(
            values["audio_path"],
            int(values["start_ms"]),
            int(values["end_ms"]),
            float(values["low_hz"]),
            float(values["high_hz"]),
            values["call_type"],
            float(values["snr_db"]),
        )
    except ValueError as error:
        raise BadcError(
            path, f"line {line} holds something that is not a number ({error})", "correct the line"
        ) from error
