"""What must hold for one detection that a program reports, whatever format it came in."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from badc_assets.detectors.protocol import Event, Label
from badc_assets.errors import BadcError

LATE_MS = 1000
"""How far an event may reach past the end of its clip: programs fill up the last window. It is cut to the end."""
MAX_LABEL_CHARACTERS = 200
REMEDY = "correct the program's output (docs/detector-command.md)"

_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that a label must not have: controls, halves of characters, line and paragraph separators."""
_LARGEST = 1e12


@dataclass(frozen=True)
class Place:
    """Where in a file something stands, and what the file calls our fields."""

    path: Path
    name: str
    names: dict[str, str]

    def wrong(self, field: str, problem: str) -> BadcError:
        what = self.names.get(field, field)
        return BadcError(self.path, f"{self.name}: {what} {problem}", REMEDY)


@dataclass(frozen=True)
class Fields:
    """One detection as it was written. Times in ms; None is not given."""

    start_ms: float | None
    end_ms: float | None
    code: str
    name: str
    confidence: float | None
    low_hz: float | None
    high_hz: float | None


def checked_event(fields: Fields, place: Place, duration_ms: int) -> Event:
    """Check one detection. Neither start nor end: it is somewhere in the clip. Only a start: it has no known length."""
    start, end = fields.start_ms, fields.end_ms
    if start is None and end is not None:
        raise place.wrong("start", "is missing, and there is an end")
    if start is None:
        start, end = 0, duration_ms
    end = start if end is None else end
    if start < 0:
        raise place.wrong("start", "is negative")
    if end < start:
        raise place.wrong("end", "lies before the start")
    if end > duration_ms + LATE_MS:
        raise place.wrong("end", f"lies more than {LATE_MS} ms past the end of the clip ({duration_ms} ms)")
    if fields.confidence is None:
        raise place.wrong("confidence", "is missing")
    if not 0 <= fields.confidence <= 1:
        raise place.wrong("confidence", "is not in 0..1")
    for name, hz in (("low_hz", fields.low_hz), ("high_hz", fields.high_hz)):
        if hz is not None and hz < 0:
            raise place.wrong(name, "is negative")
    if fields.low_hz is not None and fields.high_hz is not None and fields.high_hz < fields.low_hz:
        raise place.wrong("high_hz", "is below low_hz")
    return Event(
        start_ms=min(round(start), duration_ms),
        end_ms=min(round(end), duration_ms),
        label=_label(fields, place),
        confidence=float(fields.confidence),
        low_hz=fields.low_hz,
        high_hz=fields.high_hz,
    )


def _label(fields: Fields, place: Place) -> Label:
    if not fields.code and not fields.name:
        raise place.wrong("label", "is missing")
    for text in (fields.code, fields.name):
        if len(text) > MAX_LABEL_CHARACTERS:
            raise place.wrong("label", f"has more than {MAX_LABEL_CHARACTERS} characters")
        if any(unicodedata.category(character) in _CONTROL for character in text):
            raise place.wrong("label", "holds a line break or another control character")
    return Label(fields.code, fields.name)


def finite(value: float, field: str, place: Place) -> float:
    # Written so that NaN fails, and an integer of any length is never turned into a float before it is known to fit.
    if not -_LARGEST <= value <= _LARGEST:
        raise place.wrong(field, "is not a usable number")
    return float(value)
