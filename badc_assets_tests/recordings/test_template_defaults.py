"""The templates that come with badc, on the names that recorders write and on those that nobody should understand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.recordings.templates import Templates

TEMPLATES = Templates()


def read(path: str) -> tuple[str, dict[str, Any]]:
    reading = TEMPLATES.read(path)
    values: dict[str, Any] = {}
    for statement in reading.statements:
        assert not values.keys() & statement.values.keys()
        values |= statement.values
    return reading.template, values


SONG_METER = {"recorder": "Song Meter"}
AUDIOMOTH = {"recorder": "AudioMoth"}

KNOWN = [
    # AudioMoth: the time without zone, the device, a trigger, hexadecimal seconds in UTC.
    ("20230601_052500.WAV", "date-time", {"start": "2023-06-01T05:25:00"}),
    ("SITE/20230601_052500.WAV", "date-time", {"start": "2023-06-01T05:25:00"}),
    ("20230601_052500T.WAV", "audiomoth-triggered", {"start": "2023-06-01T05:25:00", **AUDIOMOTH}),
    ("24F319055FDF2D85_20230601_052500.WAV", "audiomoth-device",
     {"serial": "24F319055FDF2D85", "start": "2023-06-01T05:25:00", **AUDIOMOTH}),
    ("5E886A48.WAV", "audiomoth-hex", {"start": "2020-04-04T11:06:48", "utc_offset": "UTC", **AUDIOMOTH}),
    ("5B07C752.WAV", "audiomoth-hex", {"start": "2018-05-25T08:20:34", "utc_offset": "UTC", **AUDIOMOTH}),
    ("00000012.WAV", "audiomoth-hex", {"start": "1970-01-01T00:00:18", "utc_offset": "UTC", **AUDIOMOTH}),
    ("20151212_123456Z.mp3", "date-time-zone", {"start": "2015-12-12T12:34:56", "utc_offset": "UTC"}),
    # Song Meter: serial as prefix or another, channels, $, milliseconds, the end of a day.
    ("S4A03895_20190522_000000.wav", "song-meter-serial",
     {"site": "S4A03895", "serial": "S4A03895", "start": "2019-05-22T00:00:00", **SONG_METER}),
    ("SMM03873_20240601_140505.wav", "song-meter-serial",
     {"site": "SMM03873", "serial": "SMM03873", "start": "2024-06-01T14:05:05", **SONG_METER}),
    ("2MA04827_20250227_073902.wav", "song-meter-serial",
     {"site": "2MA04827", "serial": "2MA04827", "start": "2025-02-27T07:39:02", **SONG_METER}),
    ("WALDEN_20240601_140505.wav", "site-date-time", {"site": "WALDEN", "start": "2024-06-01T14:05:05"}),
    ("SM304472_0+1_20181219_032959.wav", "song-meter-channels",
     {"site": "SM304472", "side": "0+1", "start": "2018-12-19T03:29:59", **SONG_METER}),
    ("SM304472_1_20181219_032959.wav", "song-meter-serial-channel",
     {"site": "SM304472", "serial": "SM304472", "side": "1", "start": "2018-12-19T03:29:59", **SONG_METER}),
    ("Pond_1_20240601_140505.wav", "site-date-time", {"site": "Pond_1", "start": "2024-06-01T14:05:05"}),
    ("ARIZONA-1_20161023$195550.wav", "song-meter-gps-time",
     {"site": "ARIZONA-1", "start": "2016-10-23T19:55:50", **SONG_METER}),
    ("OLONG-CH1_0+1_20171121$143444.wav", "song-meter-channels",
     {"site": "OLONG-CH1", "side": "0+1", "start": "2017-11-21T14:34:44", **SONG_METER}),
    ("OLONG-SOLAR_0+1_20180221T031609+1000.wav", "song-meter-channels-zone",
     {"site": "OLONG-SOLAR", "side": "0+1", "start": "2018-02-21T03:16:09", "utc_offset": "+10:00", **SONG_METER}),
    ("FNQ-RBS_20190102_044802_010.wav", "song-meter-milliseconds",
     {"site": "FNQ-RBS", "start": "2019-01-02T04:48:02.010000"}),
    ("WEIRD_20180801_240000.wav", "site-date-time", {"site": "WEIRD", "start": "2018-08-02T00:00:00"}),
    ("North_Bay-3_20240229_235959.wav", "site-date-time", {"site": "North_Bay-3", "start": "2024-02-29T23:59:59"}),
    ("Étang_20240229_120000.wav", "site-date-time", {"site": "Étang", "start": "2024-02-29T12:00:00"}),
    ("WOO_20170611_100000+1000.wav", "site-date-time-zone",
     {"site": "WOO", "start": "2017-06-11T10:00:00", "utc_offset": "+10:00"}),
    # Frontier Labs: the offset, the place, the old form of the place, a space for a zero, microseconds.
    ("20190626T160000+1000_REC_-27.3888+152.8808.flac", "bar-lt-place",
     {"start": "2019-06-26T16:00:00", "utc_offset": "+10:00", "latitude": -27.3888, "longitude": 152.8808}),
    ("201906 7T160000+1000_REC_-27.3888+152.8808.flac", "bar-lt-place",
     {"start": "2019-06-07T16:00:00", "utc_offset": "+10:00", "latitude": -27.3888, "longitude": 152.8808}),
    ("20190626T160000-0330_Dawn_+5.5-152.25.flac", "bar-lt-place",
     {"start": "2019-06-26T16:00:00", "utc_offset": "-03:30", "latitude": 5.5, "longitude": -152.25}),
    ("20190626T160000+1000_REC [27.2819 90.1361].flac", "bar-lt-bracketed-place",
     {"start": "2019-06-26T16:00:00", "utc_offset": "+10:00", "latitude": 27.2819, "longitude": 90.1361}),
    ("20180226_040000_Bar29 [27.2819 90.1361].wav", "bar-place-without-zone",
     {"start": "2018-02-26T04:00:00", "latitude": 27.2819, "longitude": 90.1361}),
    ("20091219T070006+1000_REC.flac", "bar-lt", {"start": "2009-12-19T07:00:06", "utc_offset": "+10:00"}),
    ("S20240815T091156.982648+1000_E20240815T091251.967555+1000_-12.34567+78.98102.wav", "bar-lt-localisation",
     {"start": "2024-08-15T09:11:56.982648", "utc_offset": "+10:00", "latitude": -12.34567, "longitude": 78.98102}),
    # Swift, OwlSense, QUT.
    ("SwiftOne_20220719_000000_-0400.wav", "swift",
     {"start": "2022-07-19T00:00:00", "utc_offset": "-04:00", "recorder": "SwiftOne"}),
    ("OWL_123456_2022-07-19_T00-00-00.WAV", "owlsense",
     {"serial": "123456", "start": "2022-07-19T00:00:00", "recorder": "OwlSense"}),
    ("20210428T100000Z_Five-Rivers-Dry-A_909057.flac", "qut",
     {"site": "Five-Rivers-Dry-A", "start": "2021-04-28T10:00:00", "utc_offset": "UTC"}),
    # GNWT with and without dash: one station; the folders of Fort Smith with sides.
    ("GNWT231_20230501_072500.wav", "gnwt", {"site": "GNWT-231", "start": "2023-05-01T07:25:00"}),
    ("GNWT-231_20230501_072500.wav", "gnwt", {"site": "GNWT-231", "start": "2023-05-01T07:25:00"}),
    ("x/FortSmith/ARU_data/SM/FS 12/B/Data/S4A01234_20230501_072500.wav", "ubc-sides",
     {"study_area": "FortSmith", "site": "FS 12", "side": "B", "serial": "S4A01234", "start": "2023-05-01T07:25:00"}),
    ("FortSmith/ARU_data/SM/FS12/A/Data/S4A01234_0+1_20230501_072500.wav", "ubc-sides-channels",
     {"study_area": "FortSmith", "site": "FS12", "side": "A", "serial": "S4A01234", "start": "2023-05-01T07:25:00"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "template", "values"), KNOWN, ids=[path for path, _, _ in KNOWN])
def test_names_of_recorders(path: str, template: str, values: dict[str, Any]):
    assert read(path) == (template, values)


def test_every_template_is_tested():
    names = {template.name for area in TEMPLATES.declared.study_areas for template in area.templates}
    assert names == set()  # none declared: all that follows comes with badc
    from badc_assets.recordings.template_file import default_templates

    shipped = {template.name for area in default_templates().study_areas for template in area.templates}
    assert shipped - {template for _, template, _ in KNOWN} == {"swift-with-site"}
    assert read("Pond_20220719_000000_-0400.wav")[0] == "swift-with-site"


@pytest.mark.parametrize(
    "stem",
    ["A_20190522_236000", "A_20190522_235960", "A_20190522_240001", "A_20190230_000000", "A_20191301_000000",
     "A_20230229_000000", "A_00000101_000000", "_20190522_000000", "A_20190522_0000", "A_20190522", "A_20190522_000000_1",
     "A_20190522_000000.0", "A-20190522-000000", "A_\uff12\uff10190522_000000", "A B_20190522_000000", "A_20190522_000000\n",
     "birds_10s", "", "data", "20230601", "5E886A4", "5AFCD4F45AFCD4F4", "site12_2023-06-01", "123_20131012_123456-9",
     "20190626T160000+9900_REC"],
)  # fmt: skip
def test_nothing_is_guessed(stem: str):
    assert read(f"{stem}.wav") == ("", {})


def test_a_place_that_does_not_exist_is_not_read():
    template, values = read("20190626T160000+1000_REC_-97.3888+152.8808.flac")
    assert (template, "latitude" in values) == ("bar-lt", False)


@given(st.text())
def test_any_text_is_read_or_not(path: str):
    reading = TEMPLATES.read(path)
    assert reading.template or not reading.statements


@given(
    st.from_regex(r"[A-F0-9]([A-Z0-9_-]{0,6}[A-Z])?Q", fullmatch=True),
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2199, 12, 31)),
)
def test_written_and_read_back(site: str, start: Any):
    start = start.replace(microsecond=0)
    assert read(f"{site}_{start:%Y%m%d_%H%M%S}.wav") == ("site-date-time", {"site": site, "start": start.isoformat()})
