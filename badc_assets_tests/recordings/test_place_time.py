"""Which source is believed, what the deployments table adds, and what is flagged."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from badc_assets.recordings.deployments import Deployments, parse_deployments
from badc_assets.recordings.model import PlaceTime
from badc_assets.recordings.place_time import Declared, Resolution, distance_m, resolve
from badc_assets.recordings.settings import RecordingSettings
from badc_assets.recordings.statements import Statement
from badc_assets.recordings.template_file import parse_templates
from badc_assets.recordings.templates import Templates

SETTINGS = RecordingSettings()
TEMPLATES = Templates()
NAME = "Pond_20230501_072500.wav"
LOCAL = {"start": "2023-05-01T07:25:00"}
GUANO = Statement(
    "GUANO", {"start": "2023-05-01T07:00:00", "utc_offset": "-07:00", "latitude": 61.5, "longitude": -114.25}
)
COMMENT = Statement("AudioMoth comment", {"start": "2023-05-01T13:30:00", "utc_offset": "UTC", "gain": "low"})


def table(*rows: str) -> Deployments:
    return parse_deployments(
        "\n".join(["site,lat,lon,zone,start,end,clock_offset_s,deployment,serial", *rows]), "d.csv"
    )


def found(
    *headers: Statement,
    path: str = NAME,
    rows: tuple[str, ...] | None = None,
    templates: Templates = TEMPLATES,
    **settings: Any,
) -> Resolution:
    declared = Declared(templates, table(*rows) if rows is not None else None)
    return resolve(headers, templates.read(path), declared, RecordingSettings(**settings))


def start(place: PlaceTime) -> tuple[Any, ...]:
    return place.start_local, place.start_utc, place.time_source, place.zone, place.zone_source


def codes(result: Resolution) -> list[str]:
    return [flag.code for flag in result.flags]


class TestPrecedence:
    ROWS = ("Pond,62.4,-114.4,America/Edmonton,,,,,",)

    def test_guano_then_comment_then_name_with_offset_then_name_with_zone(self):
        with_offset = "Pond_20230501_072500-0600.wav"
        utc = [
            found(GUANO, COMMENT, path=with_offset).place.start_utc,
            found(COMMENT, path=with_offset).place.start_utc,
            found(path=with_offset).place.start_utc,
            found(rows=self.ROWS).place.start_utc,
            found().place.start_utc,
        ]
        assert utc == [
            "2023-05-01T14:00:00+00:00", "2023-05-01T13:30:00+00:00", "2023-05-01T13:25:00+00:00",
            "2023-05-01T13:25:00+00:00", None,
        ]  # fmt: skip

    def test_every_value_has_its_source(self):
        place = found(GUANO, COMMENT, rows=self.ROWS).place
        assert start(place) == (
            "2023-05-01T08:00:00", "2023-05-01T14:00:00+00:00", "GUANO", "America/Edmonton", "deployments table",
        )  # fmt: skip
        assert (place.gain, place.gain_source) == ("low", "AudioMoth comment")
        assert (place.site, place.site_source, place.template) == ("Pond", "file name", "site-date-time")
        assert (place.latitude, place.longitude, place.coordinates_source) == (61.5, -114.25, "GUANO")
        assert (place.serial, place.serial_source, place.battery_v, place.battery_v_source) == (None, "", None, "")

    def test_without_a_zone_utc_stays_unknown(self):
        result = found()
        assert start(result.place) == ("2023-05-01T07:25:00", None, "file name", None, "")
        assert "no zone is declared" in result.reasons["start"]
        assert result.flags == ()

    def test_an_offset_of_its_own_is_its_zone(self):
        assert start(found(GUANO).place) == (
            "2023-05-01T07:00:00",
            "2023-05-01T14:00:00+00:00",
            "GUANO",
            "-07:00",
            "GUANO",
        )

    def test_a_clock_without_zone_gives_way_to_one_that_leads_to_utc(self):
        naive = Statement("GUANO", {"start": "2023-05-01T07:24:59"})
        assert found(naive, COMMENT).place.time_source == "AudioMoth comment"
        assert found(naive, COMMENT, rows=self.ROWS).place.start_utc == "2023-05-01T13:24:59+00:00"
        assert found(naive).place.start_local == "2023-05-01T07:24:59"

    def test_a_zone_of_the_study_area_after_that_of_the_deployment(self):
        text = "study_areas: [{name: A, zone: '-06:00', templates: []}]"
        templates = Templates(parse_templates(text, "t.yaml"))
        assert start(found(templates=templates).place)[1:] == (
            "2023-05-01T13:25:00+00:00", "file name", "-06:00", "study area"
        )  # fmt: skip
        rows = ("Pond,,,-08:00,,,,,",)
        assert found(templates=templates, rows=rows).place.start_utc == "2023-05-01T15:25:00+00:00"


class TestDeployments:
    ROWS = (
        "Pond,62.4,-114.4,-07:00,2023-04-01,2023-05-31,-30,spring,",
        "Pond,62.4,-114.4,-07:00,2023-06-01,2023-08-31,0,summer,",
    )

    def test_the_row_that_holds_the_start(self):
        place = found(rows=self.ROWS).place
        assert (place.deployment, place.deployment_source) == ("spring", "deployments table")
        assert (place.latitude, place.coordinates_source) == (62.4, "deployments table")
        assert (place.start_local, place.start_utc) == ("2023-05-01T07:24:30", "2023-05-01T14:24:30+00:00")
        assert (place.clock_offset_s, place.clock_offset_source) == (-30, "deployments table")
        assert place.diel_phase == "day"

    def test_the_clock_offset_is_of_the_clock_whatever_tells_it(self):
        assert found(GUANO, rows=self.ROWS).place.start_utc == "2023-05-01T13:59:30+00:00"

    @pytest.mark.parametrize(
        ("name", "code"),
        [("Pond_20230901_000000.wav", "outside_deployment"), ("Pond_20230831_235959.wav", ""),
         ("Lake_20230501_000000.wav", "unknown_site"), ("20230501_000000.wav", "unknown_site")],
    )  # fmt: skip
    def test_what_is_outside_is_flagged(self, name: str, code: str):
        assert codes(found(path=name, rows=self.ROWS)) == [code] * bool(code)

    def test_outside_the_place_of_the_site_is_still_known_and_the_clock_not_corrected(self):
        place = found(path="Pond_20230901_000000.wav", rows=self.ROWS).place
        assert (place.latitude, place.zone, place.deployment, place.clock_offset_s) == (62.4, "-07:00", None, None)

    def test_utc_is_compared_in_the_zone_of_the_row(self):
        late = Statement("AudioMoth comment", {"start": "2023-09-01T06:59:59", "utc_offset": "UTC"})
        assert codes(found(late, rows=self.ROWS)) == []
        too_late = Statement("AudioMoth comment", {"start": "2023-09-01T07:00:00", "utc_offset": "UTC"})
        assert codes(found(too_late, rows=self.ROWS)) == ["outside_deployment"]

    def test_coordinates_far_from_the_site_are_flagged(self):
        result = found(GUANO, rows=self.ROWS)
        assert codes(result) == ["outside_deployment"]
        assert "100.4 km from its site Pond" in result.flags[0].reason
        assert codes(found(GUANO, rows=self.ROWS, max_distance_m=200_000)) == []

    def test_two_rows_that_hold_it_decide_nothing(self):
        rows = ("Pond,1,2,-07:00,,,,a,", "Pond,1,3,-08:00,,,,b,")
        result = found(rows=rows)
        assert codes(result) == ["deployment_ambiguous"]
        assert (result.place.deployment, result.place.latitude, result.place.start_utc) == (None, None, None)

    def test_the_serial_tells_them_apart(self):
        rows = ("S4A00001,1,2,-07:00,,,,a,S4A00001", "S4A00001,1,3,-08:00,,,,b,other")
        assert found(path="S4A00001_20230501_072500.wav", rows=rows).place.deployment == "a"
        assert codes(found(path="S4A00001_20230501_072500.wav", rows=rows[1:])) == ["unknown_site"]


class TestClocks:
    @pytest.mark.parametrize("name", ["Pond_20000101_000553.wav", "Pond_19700101_000000.wav", "00000012.WAV"])
    def test_clocks_that_were_never_set_are_flagged_and_not_used(self, name: str):
        result = found(path=name)
        assert codes(result) == ["clock_impossible"]
        assert start(result.place) == (None, None, "", None, "")

    def test_another_source_may_know_better(self):
        reset = Statement("GUANO", {"start": "2000-01-01T00:00:00", "utc_offset": "UTC"})
        result = found(reset, rows=("Pond,,,-07:00,,,,,",))
        assert codes(result) == ["clock_impossible"]
        assert result.place.start_utc == "2023-05-01T14:25:00+00:00"

    def test_an_archive_of_old_tapes_can_allow_them(self):
        assert codes(found(path="Pond_19980611_050000.wav", earliest_start=date(1950, 1, 1))) == []

    def test_an_hour_that_comes_twice_is_not_guessed(self):
        result = found(path="Pond_20231105_013000.wav", rows=("Pond,,,America/Edmonton,,,,,",))
        assert codes(result) == ["clock_ambiguous"]
        assert start(result.place)[:2] == ("2023-11-05T01:30:00", None)

    def test_the_end_of_the_day(self):
        assert found(path="Pond_20230430_240000.wav").place.start_local == "2023-05-01T00:00:00"


class TestSun:
    def test_why_it_is_unknown(self):
        assert found().place.sun_reason == "unknown: coordinates, start in UTC"
        assert found(COMMENT).place.sun_reason == "unknown: coordinates"

    def test_yellowknife_in_june(self):
        rows = ("Pond,62.454,-114.372,America/Edmonton,,,,,",)
        place = found(path="Pond_20230621_010000.wav", rows=rows).place
        assert (place.diel_phase, place.sun_reason) == ("dusk", "")
        assert place.sunrise_utc is not None


def test_problems_of_headers_are_flagged():
    result = found(Statement("GUANO", {}, "the GUANO chunk is damaged"))
    assert [(flag.code, flag.severity, flag.reason) for flag in result.flags] == [
        ("metadata_unclear", "warning", "GUANO: the GUANO chunk is damaged")
    ]


def test_distance():
    assert distance_m((60, 0), (61, 0)) == pytest.approx(111_195, abs=10)
    assert distance_m((60, 10), (60, 11)) == pytest.approx(55_597, abs=20)
