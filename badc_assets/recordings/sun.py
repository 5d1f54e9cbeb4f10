"""Where the sun stood: its elevation, its rise and set on that day, and the phase of the day."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

HORIZON_DEG = -0.833
"""Elevation of the sun's centre when its upper edge is on the horizon, refraction included."""


@dataclass(frozen=True)
class Sun:
    """`sun_elevation_deg` is geometric, of the sun's centre. `sunrise_utc` and `sunset_utc` are of the solar day (midnight to
    midnight by mean solar time) in which the recording starts; ISO 8601, None with `sun_reason` where there is none.

    `diel_phase` is `day`, `night` (below the elevation that the settings name), or `dawn` or `dusk` between, by whether the sun
    rises or sinks.
    """

    sun_elevation_deg: float | None = None
    sunrise_utc: str | None = None
    sunset_utc: str | None = None
    diel_phase: str | None = None
    sun_reason: str = ""


def sun_at(latitude: float, longitude: float, utc: datetime, night_below_deg: float) -> Sun:
    """The sun at a place and moment. Never raises: where it does not rise or set that day, the reason says so."""
    from astral import Observer
    from astral.sun import elevation, sunrise, sunset

    observer = Observer(latitude, longitude)
    height = elevation(observer, utc, with_refraction=False)
    is_rising = elevation(observer, utc + timedelta(minutes=2), with_refraction=False) > height
    solar_zone = timezone(timedelta(minutes=round(longitude * 4)))
    day = utc.astimezone(solar_zone).date()
    times: dict[str, str | None] = {"sunrise_utc": None, "sunset_utc": None}
    for name, find in (("sunrise_utc", sunrise), ("sunset_utc", sunset)):
        # astral knows whether there is one only by trying.
        with suppress(ValueError):
            times[name] = find(observer, day, solar_zone).astimezone(UTC).isoformat(timespec="seconds")
    reason = ""
    if None in times.values():
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=solar_zone)
        at_noon = elevation(observer, noon.astimezone(UTC), with_refraction=False)
        at_midnight = elevation(observer, (noon - timedelta(hours=12)).astimezone(UTC), with_refraction=False)
        if at_noon <= HORIZON_DEG:
            reason = "polar night: the sun does not rise on this day"
        elif at_midnight >= HORIZON_DEG:
            reason = "polar day: the sun does not set on this day"
        else:
            reason = "the sun crosses the horizon only once on this day"
    return Sun(
        sun_elevation_deg=round(height, 2),
        **times,
        diel_phase=_phase(height, is_rising, night_below_deg),
        sun_reason=reason,
    )


def _phase(height: float, is_rising: bool, night_below_deg: float) -> str:
    if height >= HORIZON_DEG:
        return "day"
    if height < night_below_deg:
        return "night"
    return "dawn" if is_rising else "dusk"
