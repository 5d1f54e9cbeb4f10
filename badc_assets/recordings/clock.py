"""Dates, times, offsets and zones: read exactly or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_OFFSET = re.compile(r"(?:UTC|GMT)?(?:(?P<sign>[+-])(?P<hours>[0-9]{1,2})(?::?(?P<minutes>[0-9]{2}))?)?")
_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
_YEARS = range(1900, 2200)
_LONGEST_OFFSET = timedelta(hours=14)


def existing_moment(date: str, time: str, fraction: str = "") -> datetime | None:
    """A recorder's clock from digits: YYYYMMDD, HHMMSS and digits of a fraction of a second, without a zone.

    24:00:00 is the midnight at the end of the day, as ISO 8601 has it. None when there is no such date or time.
    """
    if not (re.fullmatch(r"[0-9]{8}", date) and re.fullmatch(r"[0-9]{6}", time) and re.fullmatch(r"[0-9]*", fraction)):
        return None
    is_end_of_day = time == "240000"
    year, month, day = int(date[:4]), int(date[4:6]), int(date[6:])
    hour, minute, second = (0, 0, 0) if is_end_of_day else (int(time[:2]), int(time[2:4]), int(time[4:]))
    if year not in _YEARS:
        return None
    try:
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the clock of a recorder
    except ValueError:
        return None
    return moment + timedelta(days=is_end_of_day, microseconds=int((fraction + "000000")[:6]))


def read_iso(text: str) -> tuple[datetime, str] | None:
    """(clock, offset or "") of a text such as `2023-05-01 07:25:00.5-7:00` or `20230501T072500Z`; None for any other."""
    match = re.fullmatch(
        r"(?P<date>[0-9]{4}-?[0-9]{2}-?[0-9]{2})[T ](?P<time>[0-9]{2}:?[0-9]{2}:?[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?"
        r"\s?(?P<offset>Z|[+-][0-9]{1,2}(?::?[0-9]{2})?)?",
        text.strip(),
    )
    if match is None:
        return None
    clock = existing_moment(match["date"].replace("-", ""), match["time"].replace(":", ""), match["fraction"] or "")
    if clock is None:
        return None
    offset = read_offset(match["offset"]) if match["offset"] else None
    if match["offset"] and offset is None:
        return None
    return clock, offset_text(offset) if offset is not None else ""


def read_offset(text: str) -> timedelta | None:
    """`Z`, `UTC`, `+1000`, `-03:30`, `+9`, `UTC-7` as a time span; None for any other text and for more than 14 h."""
    if text in ("Z", "z"):
        return timedelta(0)
    match = _OFFSET.fullmatch(text) if text else None
    if match is None:
        return None
    span = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
    if span > _LONGEST_OFFSET or int(match["minutes"] or 0) > 59:
        return None
    return -span if match["sign"] == "-" else span


def offset_text(offset: timedelta) -> str:
    """`UTC`, `+10:00`, `-03:30`."""
    if not offset:
        return "UTC"
    minutes = abs(int(offset.total_seconds())) // 60
    return f"{'-' if offset < timedelta(0) else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


@lru_cache(maxsize=256)
def zone_named(name: str) -> tzinfo | None:
    """The zone of that IANA name, or the fixed offset; None when there is none such."""
    offset = read_offset(name)
    if offset is not None:
        return timezone(offset)
    if _ZONE_NAME.fullmatch(name) is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        return None


@dataclass(frozen=True)
class UtcReading:
    """A clock in UTC, or None and the reason."""

    utc: datetime | None
    reason: str = ""


def in_utc(clock: datetime, zone: tzinfo) -> UtcReading:
    """The moment at which a clock in `zone` shows `clock`. Unknown in the hour that summer time skips or repeats."""
    first, second = (clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return UtcReading(first)
    if first.astimezone(zone).replace(tzinfo=None) != clock:
        return UtcReading(None, f"{clock} does not exist in {zone}: the clock is set forward there")
    return UtcReading(None, f"{clock} comes twice in {zone}: the clock is set back there")
