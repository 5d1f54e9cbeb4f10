"""From what the sources say to one place and time: which source is believed, and why. Nothing is guessed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from badc_assets.recordings.clock import in_utc, read_offset, zone_named
from badc_assets.recordings.deployments import Deployment, Deployments, read_deployments
from badc_assets.recordings.model import Flag, PlaceTime
from badc_assets.recordings.settings import RecordingSettings
from badc_assets.recordings.statements import DEPLOYMENTS, NUMBER_FIELDS, TEXT_FIELDS, Statement
from badc_assets.recordings.sun import Sun, sun_at
from badc_assets.recordings.template_file import read_templates
from badc_assets.recordings.templates import PathReading, Templates

_EARTH_RADIUS_M = 6_371_000


@dataclass(frozen=True)
class Declared:
    """What a project declares: how to read paths, and where its recorders stood (None: no table)."""

    templates: Templates
    deployments: Deployments | None = None


def load_declared(settings: RecordingSettings) -> Declared:
    """Read the files that the settings name. Raises BadcError that names the place of a mistake."""
    templates = Templates(read_templates(settings.templates.expanduser()) if settings.templates else None)
    deployments = read_deployments(settings.deployments.expanduser()) if settings.deployments else None
    return Declared(templates, deployments)


@dataclass(frozen=True)
class Resolution:
    """The chosen values, the flags that came of choosing, and for each field in words why.

    `sample_rate_hz` is what the deployments table says the recorder was set to; None where it says nothing.
    """

    place: PlaceTime
    flags: tuple[Flag, ...]
    reasons: Mapping[str, str]
    sample_rate_hz: int | None = None


def resolve(
    headers: Sequence[Statement], path: PathReading, declared: Declared, settings: RecordingSettings
) -> Resolution:
    """Choose for each field the first source that says it: headers as ordered, then file name, folder, template, study area,
    and the deployments table last.

    The start is that of the first source from which UTC follows, by its own offset or by the zone declared for the recorder
    (deployment, then template, then study area); where none leads to UTC, that of the first source.
    """
    statements = (*headers, *path.statements)
    flags = [
        Flag("metadata_unclear", "warning", f"{each.source}: {each.problem}") for each in statements if each.problem
    ]
    reasons: dict[str, str] = {}
    values = _first_said(statements, reasons)
    rows = _rows(values, declared.deployments, flags)
    start = _chosen_start(statements, rows, settings, flags, reasons)
    values |= _deployment_values(values, rows, start.row, settings.max_distance_m, flags=flags, reasons=reasons)
    if start.clock is not None and rows and start.row is None:
        flags.append(_unplaced(start, rows))
    sun, utc = Sun(), start.utc
    if utc is not None and values.get("latitude") is not None:
        sun = sun_at(values["latitude"], values["longitude"], utc, settings.night_below_deg)
    else:
        lacking = ["coordinates"] * (values.get("latitude") is None) + ["start in UTC"] * (utc is None)
        sun = replace(sun, sun_reason=f"unknown: {', '.join(lacking)}")
    place = PlaceTime(**values, **start.columns(), **asdict(sun), template=path.template or None)
    rate_hz = _agreed([start.row] if start.row else rows, lambda each: each.sample_rate_hz)
    return Resolution(place, tuple(flags), reasons, rate_hz)


def _first_said(statements: Iterable[Statement], reasons: dict[str, str]) -> dict[str, Any]:
    """Every field but the start, by the first statement that has it."""
    values: dict[str, Any] = {}
    for statement in statements:
        for name in (*TEXT_FIELDS, *NUMBER_FIELDS):
            if name in statement.values and name not in values:
                values |= {name: statement.values[name], f"{name}_source": statement.source}
                reasons[name] = f"{statement.source} is the first source that says it"
        if "latitude" in statement.values and "latitude" not in values:
            values |= {name: statement.values[name] for name in ("latitude", "longitude")}
            values["coordinates_source"] = statement.source
            reasons["coordinates"] = f"{statement.source} is the first source that says it"
    return values


def _rows(values: Mapping[str, Any], deployments: Deployments | None, flags: list[Flag]) -> list[Deployment]:
    """The rows of the table that can be about the recording; a site that is not in it is flagged."""
    if deployments is None:
        return []
    site = values.get("site")
    if site is None:
        flags.append(Flag("unknown_site", "warning", "no site is known, so no deployment can be found"))
        return []
    rows = deployments.of(site, values.get("serial"), values.get("side"))
    if not rows:
        known = site in deployments.by_site
        lacking = (
            f"has no deployment of recorder {values.get('serial')}, side {values.get('side')}" if known else "is not"
        )
        flags.append(Flag("unknown_site", "warning", f"site {site} {lacking} in the deployments table"))
    return rows


@dataclass(frozen=True)
class _Start:
    """The start by one source. `clock` is what it says, `row` the deployment that holds it, `utc_reason` why UTC is unknown."""

    source: str = ""
    clock: datetime | None = None
    local: datetime | None = None
    utc: datetime | None = None
    zone: str | None = None
    zone_source: str = ""
    row: Deployment | None = None
    rows_that_hold: int = 0
    utc_reason: str = "no source gives a time"

    def columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {
            "start_local": self.local.isoformat() if self.local else None,
            "start_utc": self.utc.isoformat() if self.utc else None,
            "time_source": self.source,
            "zone": self.zone,
            "zone_source": self.zone_source,
        }
        if self.row is not None and self.row.clock_offset_s:
            columns |= {"clock_offset_s": self.row.clock_offset_s, "clock_offset_source": DEPLOYMENTS}
        return columns


def _chosen_start(
    statements: Sequence[Statement],
    rows: list[Deployment],
    settings: RecordingSettings,
    flags: list[Flag],
    reasons: dict[str, str],
) -> _Start:
    declared = next(((s.values["zone"], s.source) for s in statements if "zone" in s.values), ("", ""))
    starts: list[_Start] = []
    for statement in statements:
        if "start" not in statement.values:
            continue
        clock = datetime.fromisoformat(statement.values["start"])
        if clock.date() < settings.earliest_start:
            reason = f"{statement.source} says {clock.isoformat()}: the clock was not set; this time is not used"
            flags.append(Flag("clock_impossible", "warning", reason))
            continue
        starts.append(_start(statement, clock, rows, declared))
    chosen = next((start for start in starts if start.utc is not None), starts[0] if starts else _Start())
    if chosen.utc is not None:
        reasons["start"] = f"{chosen.source} is the first source from which UTC follows"
        reasons["zone"] = f"by {chosen.zone_source}"
    else:
        reasons["start"] = f"{chosen.source or 'no source'}; UTC is unknown: {chosen.utc_reason}"
        if chosen.zone is not None:
            flags.append(Flag("clock_ambiguous", "warning", chosen.utc_reason))
    return chosen


def _start(statement: Statement, clock: datetime, rows: list[Deployment], declared: tuple[str, str]) -> _Start:
    offset = read_offset(statement.values.get("utc_offset", ""))
    instant = (clock - offset).replace(tzinfo=UTC) if offset is not None else None
    holding = [row for row in rows if row.holds(_local_in(row, clock, instant))]
    row = holding[0] if len(holding) == 1 else None
    zone, zone_source = _agreed(holding or rows, lambda row: row.zone) or "", DEPLOYMENTS
    if not zone:
        zone, zone_source = declared
    tz = zone_named(zone) if zone else None
    correction = timedelta(seconds=row.clock_offset_s if row else 0)
    start = _Start(statement.source, clock, clock + correction, row=row, rows_that_hold=len(holding))
    if instant is not None:
        utc = instant + correction
        if tz is not None:
            local = utc.astimezone(tz).replace(tzinfo=None)
            return replace(start, local=local, utc=utc, zone=zone, zone_source=zone_source)
        return replace(start, utc=utc, zone=statement.values["utc_offset"], zone_source=statement.source)
    if tz is None:
        return replace(start, utc_reason="it has no offset, and no zone is declared for the recorder")
    reading = in_utc(clock + correction, tz)
    return replace(start, utc=reading.utc, zone=zone, zone_source=zone_source, utc_reason=reading.reason)


def _local_in(row: Deployment, clock: datetime, instant: datetime | None) -> datetime:
    """The recording's local time as the table means it."""
    correction = timedelta(seconds=row.clock_offset_s)
    if instant is None or row.tzinfo is None:
        return clock + correction
    return (instant + correction).astimezone(row.tzinfo).replace(tzinfo=None)


def _agreed(rows: Iterable[Deployment], value: Callable[[Deployment], Any]) -> Any:
    """What all rows say alike; None when they differ, or there are none."""
    values = {value(row) for row in rows}
    return values.pop() if len(values) == 1 else None


def _deployment_values(
    values: Mapping[str, Any],
    rows: list[Deployment],
    row: Deployment | None,
    max_distance_m: float,
    *,
    flags: list[Flag],
    reasons: dict[str, str],
) -> dict[str, Any]:
    """What the table adds. A place that all rows of the site share is known even when none of them holds the start."""
    added: dict[str, Any] = {}
    if row is not None and row.deployment and "deployment" not in values:
        added |= {"deployment": row.deployment, "deployment_source": DEPLOYMENTS}
        reasons["deployment"] = f"line {row.line} of the table holds the start"
    place = _agreed([row] if row else rows, lambda each: (each.latitude, each.longitude)) or (None, None)
    if place[0] is None:
        return added
    if "latitude" not in values:
        added |= {"latitude": place[0], "longitude": place[1], "coordinates_source": DEPLOYMENTS}
        reasons["coordinates"] = "no other source says it"
    else:
        away_m = distance_m((values["latitude"], values["longitude"]), place)
        if away_m > max_distance_m:
            reason = f"{values['coordinates_source']} puts it {away_m / 1000:.1f} km from its site {values['site']}"
            flags.append(Flag("outside_deployment", "warning", reason))
    return added


def _unplaced(start: _Start, rows: list[Deployment]) -> Flag:
    when = f"start {start.clock} ({start.source})"
    if start.rows_that_hold:
        reason = (
            f"{when} lies in {start.rows_that_hold} deployments of site {rows[0].site}; give the table serial or side"
        )
        return Flag("deployment_ambiguous", "warning", reason)
    periods = "; ".join(row.period for row in rows[:3])
    return Flag("outside_deployment", "warning", f"{when} lies in no deployment of site {rows[0].site} ({periods})")


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres between two places in degrees, on a sphere."""
    (lat_a, lon_a), (lat_b, lon_b) = (tuple(map(math.radians, place)) for place in (a, b))
    h = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * _EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, h)))
