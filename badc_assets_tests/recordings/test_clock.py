"""Clocks, offsets and zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.recordings.clock import existing_moment, in_utc, offset_text, read_iso, read_offset, zone_named

MOMENTS = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2199, 12, 30))


@pytest.mark.parametrize(
    ("text", "hours"),
    [("Z", 0), ("UTC", 0), ("+1000", 10), ("-03:30", -3.5), ("-0:30", -0.5), ("+9", 9), ("UTC-7", -7), ("UTC+5:45", 5.75),
     ("+1:00", 1)],
)  # fmt: skip
def test_offsets(text: str, hours: float):
    assert read_offset(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "+", "7", "+15", "-1460", "+10:60", "UTC+", "America/Edmonton", "+1000 "])
def test_no_offsets(text: str):
    assert read_offset(text) is None


@given(st.integers(-14 * 60, 14 * 60))
def test_offsets_are_written_as_they_are_read(minutes: int):
    offset = timedelta(minutes=minutes)
    assert read_offset(offset_text(offset)) == offset


@pytest.mark.parametrize(
    ("text", "clock", "offset"),
    [
        ("2020-10-17 13:05:00+1:00", datetime(2020, 10, 17, 13, 5), "+01:00"),
        ("2023-05-01T07:25:00Z", datetime(2023, 5, 1, 7, 25), "UTC"),
        ("2023-05-01T07:25:00.25-07:00", datetime(2023, 5, 1, 7, 25, 0, 250_000), "-07:00"),
        ("2023-05-01 07:25:00", datetime(2023, 5, 1, 7, 25), ""),
        ("2023-05-01T24:00:00", datetime(2023, 5, 2), ""),
    ],
)
def test_iso(text: str, clock: datetime, offset: str):
    assert read_iso(text) == (clock, offset)


@pytest.mark.parametrize(
    "text", ["", "2023-02-30T00:00:00", "2023-05-01", "07:25:00", "2023-05-01T07:25", "2023-05-01T07:25:00+99:00"]
)
def test_no_iso(text: str):
    assert read_iso(text) is None


@given(st.text())
def test_any_text(text: str):
    read_iso(text)
    read_offset(text)
    zone_named(text)
    assert existing_moment(text, text, text) is None


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "../etc/passwd", "/etc/passwd", "America", "America/", "a\0b", "+15:00"]
)
def test_no_zones(name: str):
    assert zone_named(name) is None


@given(MOMENTS, st.sampled_from(["America/Edmonton", "Australia/Lord_Howe", "UTC", "-07:00", "UTC+5:45"]))
def test_utc_shows_the_clock_again(clock: datetime, name: str):
    zone = zone_named(name)
    assert zone is not None
    reading = in_utc(clock, zone)
    if reading.utc is None:
        assert reading.reason
    else:
        assert reading.utc.astimezone(zone).replace(tzinfo=None) == clock


def test_hours_that_summer_time_skips_or_repeats():
    zone = zone_named("America/Edmonton")
    assert zone is not None
    skipped, repeated = in_utc(datetime(2023, 3, 12, 2, 30), zone), in_utc(datetime(2023, 11, 5, 1, 30), zone)
    assert (skipped.utc, repeated.utc) == (None, None)
    assert "does not exist" in skipped.reason
    assert "comes twice" in repeated.reason
    assert in_utc(datetime(2023, 11, 5, 3), zone).utc == datetime(2023, 11, 5, 10, tzinfo=UTC)
