"""The sun: known days at known places, and the far North in June and December."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.recordings.sun import sun_at

YELLOWKNIFE, INUVIK, VANCOUVER = (62.454, -114.372), (68.361, -133.723), (49.2827, -123.1207)


def at(place: tuple[float, float], *moment: int):
    return sun_at(*place, datetime(*moment, tzinfo=UTC), -6)


def minutes_from(text: str | None, expected: datetime) -> float:
    assert text is not None
    return abs((datetime.fromisoformat(text) - expected).total_seconds()) / 60


def test_rise_and_set_of_a_day():
    """Vancouver on 21 June 2023: 5:06 and 21:21 PDT (almanac of the National Research Council of Canada)."""
    sun = at(VANCOUVER, 2023, 6, 21, 20)
    assert minutes_from(sun.sunrise_utc, datetime(2023, 6, 21, 12, 6, tzinfo=UTC)) < 2
    assert minutes_from(sun.sunset_utc, datetime(2023, 6, 22, 4, 21, tzinfo=UTC)) < 2
    assert sun.sun_elevation_deg == pytest.approx(90 - 49.28 + 23.44, abs=0.5)
    assert (sun.diel_phase, sun.sun_reason) == ("day", "")


@pytest.mark.parametrize(
    ("hours_utc", "phase"), [(9, "night"), (13.95, "dawn"), (20, "day"), (26.65, "dusk"), (30, "night")]
)
def test_phases_of_an_a_march_day(hours_utc: float, phase: str):
    moment = datetime(2023, 3, 20, tzinfo=UTC) + timedelta(hours=hours_utc)
    assert sun_at(*VANCOUVER, moment, -6).diel_phase == phase


class TestYellowknifeInJune:
    """The sun sets, and it does not become night: what some libraries answer with an exception."""

    @pytest.mark.parametrize("day", [1, 11, 21, 30])
    def test_white_nights(self, day: int):
        start = datetime(2023, 6, day, 6, tzinfo=UTC)
        hours = [sun_at(*YELLOWKNIFE, start + timedelta(hours=hour), -6) for hour in range(24)]
        assert {sun.diel_phase for sun in hours} == {"day", "dusk", "dawn"}
        assert all(sun.sunrise_utc and sun.sunset_utc and not sun.sun_reason for sun in hours)

    def test_rise_and_set(self):
        """21 June 2023: 3:38 and 23:40 MDT."""
        sun = at(YELLOWKNIFE, 2023, 6, 21, 19)
        assert minutes_from(sun.sunrise_utc, datetime(2023, 6, 21, 9, 38, tzinfo=UTC)) < 4
        assert minutes_from(sun.sunset_utc, datetime(2023, 6, 22, 5, 40, tzinfo=UTC)) < 4


def test_polar_day_and_night():
    june, december = at(INUVIK, 2023, 6, 21, 9), at(INUVIK, 2023, 12, 21, 21)
    assert (june.sunrise_utc, june.sunset_utc, june.diel_phase) == (None, None, "day")
    assert june.sun_reason.startswith("polar day")
    assert (december.sunrise_utc, december.sunset_utc) == (None, None)
    assert december.sun_reason.startswith("polar night")
    assert december.diel_phase in ("dawn", "dusk")


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.datetimes(min_value=datetime(1900, 1, 2), max_value=datetime(2199, 12, 30)),
)
def test_any_place_and_moment(latitude: float, longitude: float, moment: datetime):
    sun = sun_at(latitude, longitude, moment.replace(tzinfo=UTC), -6)
    assert sun.diel_phase in ("day", "night", "dawn", "dusk")
    assert sun.sun_elevation_deg is not None and -90 <= sun.sun_elevation_deg <= 90
    assert bool(sun.sun_reason) == (None in (sun.sunrise_utc, sun.sunset_utc))
    day = moment.replace(tzinfo=UTC) + timedelta(minutes=round(longitude * 4))
    for text in filter(None, (sun.sunrise_utc, sun.sunset_utc)):
        local = datetime.fromisoformat(text) + timedelta(minutes=round(longitude * 4))
        assert local.date() == day.date()
