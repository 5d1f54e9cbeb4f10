"""The deployments table: which recorder stood where, from when to when, by which clock."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from pathlib import Path

from badc_assets.errors import BadcError
from badc_assets.recordings.clock import zone_named
from badc_assets.recordings.statements import coordinates, number

COLUMNS = (
    "site",
    "deployment",
    "lat",
    "lon",
    "zone",
    "start",
    "end",
    "clock_offset_s",
    "serial",
    "side",
    "sample_rate_hz",
)
_REMEDY = "correct the file"


@dataclass(frozen=True)
class Deployment:
    """One row. None and empty: not stated. `start` and `end` are local time in `zone`, both included.

    `clock_offset_s` is added to the recorder's clock to get the true time. A row with `serial` or `side` holds only for
    recordings that have it. `sample_rate_hz` is what the recorder was set to.
    """

    line: int
    site: str
    deployment: str = ""
    latitude: float | None = None
    longitude: float | None = None
    zone: str = ""
    start: datetime | None = None
    end: datetime | None = None
    clock_offset_s: float = 0.0
    serial: str = ""
    side: str = ""
    sample_rate_hz: int | None = None

    @property
    def tzinfo(self) -> tzinfo | None:
        return zone_named(self.zone) if self.zone else None

    def holds(self, local: datetime) -> bool:
        """Whether a local time lies in it."""
        return (self.start is None or self.start <= local) and (self.end is None or local <= self.end)

    @property
    def period(self) -> str:
        return f"{self.start or '...'} to {self.end or '...'}"


class Deployments:
    """The rows of the table by site."""

    def __init__(self, rows: Iterable[Deployment] = ()) -> None:
        self.rows = tuple(rows)
        self.by_site: dict[str, list[Deployment]] = {}
        for row in self.rows:
            self.by_site.setdefault(row.site, []).append(row)

    def of(self, site: str, serial: str | None, side: str | None) -> list[Deployment]:
        """The rows that can be about a recording."""
        return [
            row
            for row in self.by_site.get(site, ())
            if (not row.serial or row.serial == serial) and (not row.side or row.side == side)
        ]


def read_deployments(path: Path) -> Deployments:
    """The table in a CSV file with the COLUMNS, of which only `site` must be there. Raises BadcError with line and column."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadcError(
            path, f"cannot be read ({error.strerror})", "correct the setting recordings.deployments"
        ) from error
    except UnicodeDecodeError as error:
        raise BadcError(path, "is not UTF-8 text", "save it as CSV in UTF-8") from error
    return parse_deployments(text, path)


def parse_deployments(text: str, subject: Path | str) -> Deployments:
    """Raises BadcError like `read_deployments`."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or ()]
        _require_header(header, subject)
        reader.fieldnames = header
        rows = []
        for values in reader:
            # A field too many stands under None, one too few is None.
            cells = {name: (value or "").strip() for name, value in values.items() if name in COLUMNS}
            if any(cells.values()):
                rows.append(_row(cells, reader.line_num, subject))
    except csv.Error as error:
        raise BadcError(
            f"{subject}, line {reader.line_num}", f"is no CSV ({error})", "save it as CSV in UTF-8"
        ) from error
    return Deployments(rows)


def _require_header(header: list[str], subject: Path | str) -> None:
    for name in header:
        close = difflib.get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.7)
        if name not in COLUMNS and close and close[0] not in header:
            raise BadcError(f"{subject}, line 1", f"unknown column {name!r}, did you mean {close[0]!r}", _REMEDY)
        if name in COLUMNS and header.count(name) > 1:
            raise BadcError(f"{subject}, line 1", f"two columns are called {name!r}", _REMEDY)
    if "site" not in header:
        raise BadcError(f"{subject}, line 1", "there is no column 'site'", f"the columns are {', '.join(COLUMNS)}")


def _row(cells: Mapping[str, str], line: int, subject: Path | str) -> Deployment:
    def wrong(column: str, problem: str) -> BadcError:
        return BadcError(f"{subject}, line {line}, column {column}", problem, _REMEDY)

    if not cells["site"]:
        raise wrong("site", "is empty")
    numbers: dict[str, float | None] = {}
    for column in ("lat", "lon", "clock_offset_s", "sample_rate_hz"):
        cell = cells.get(column, "")
        numbers[column] = number(cell) if cell else None
        if cell and numbers[column] is None:
            raise wrong(column, f"{cell!r} is no number")
    latitude, longitude = numbers["lat"], numbers["lon"]
    if (latitude is None) != (longitude is None):
        raise wrong("lat", "lat and lon go together")
    if latitude is not None and longitude is not None and not coordinates(latitude, longitude):
        raise wrong("lat", f"there is no place {latitude}, {longitude} in degrees")
    if abs(numbers["clock_offset_s"] or 0) > 10 * 366 * 86_400:
        raise wrong("clock_offset_s", "is more than ten years")
    rate_hz = numbers["sample_rate_hz"]
    if rate_hz is not None and not (rate_hz > 0 and rate_hz.is_integer()):
        raise wrong("sample_rate_hz", f"{cells['sample_rate_hz']!r} is no whole number of samples per second")
    zone = cells.get("zone", "")
    if zone and zone_named(zone) is None:
        raise wrong("zone", f"there is no time zone {zone!r}; use a name as America/Edmonton or an offset as -07:00")
    start, end = (_moment(cells.get(column, ""), column) for column in ("start", "end"))
    for column, moment in (("start", start), ("end", end)):
        if cells.get(column) and moment is None:
            raise wrong(column, f"{cells[column]!r} is no date; write 2023-05-01 or 2023-05-01T12:30, local time")
    if start is not None and end is not None and start > end:
        raise wrong("end", "is before start")
    return Deployment(
        line, cells["site"], cells.get("deployment", ""), latitude, longitude, zone, start, end,
        numbers["clock_offset_s"] or 0.0, cells.get("serial", ""), cells.get("side", ""),
        int(rate_hz) if rate_hz is not None else None,
    )  # fmt: skip


def _moment(cell: str, column: str) -> datetime | None:
    """A local time; a date alone is its first moment as a start, its last as an end."""
    try:
        day = date.fromisoformat(cell)
        return datetime.combine(day, time.max if column == "end" else time.min)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return None
    return moment if moment.tzinfo is None else None
