"""Site and start time from the name of a recording."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_PLAIN = re.compile(
    r"(?P<site>[^\W_](?:[\w-]*[^\W_])?)"
    r"_(?P<date>[0-9]{8})_(?P<time>[0-9]{6})"
)


@dataclass(frozen=True)
class NameFacts:
    """What a file name says. `start_local` is the recorder's clock, without a zone. None is unknown."""

    site: str | None = None
    start_local: datetime | None = None


def parse_name(stem: str) -> NameFacts:
    """Read a stem of the form `SITE_YYYYMMDD_HHMMSS`, as S4A03895_20190522_000000 or GNWT-114_20230509_094500.

    The whole stem has to match, and date and time have to exist; otherwise nothing is known, and nothing is guessed.
    The site may contain `-` and `_` inside.
    """
    match = _PLAIN.fullmatch(stem)
    if match is None:
        return NameFacts()
    start = _existing_time(match["date"] + match["time"])
    return NameFacts(match["site"], start) if start is not None else NameFacts()


def _existing_time(digits: str) -> datetime | None:
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007 - the zone is not in the name
    except ValueError:
        return None
