"""What `explain` and `templates check` tell, and what the templates make of a tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from badc_assets.errors import BadcError
from badc_assets.recordings.coverage import path_coverage
from badc_assets.recordings.deployments import parse_deployments
from badc_assets.recordings.explain import SOURCES, explain
from badc_assets.recordings.place_time import Declared
from badc_assets.recordings.settings import RecordingSettings
from badc_assets.recordings.template_file import parse_templates
from badc_assets.recordings.templates import Templates
from badc_assets_tests.audio.builders import chunk, format_chunk, riff
from badc_assets_tests.recordings.builders import add_sound, layout_of

SETTINGS = RecordingSettings()
COMMENT = b"Recorded at 13:30:00 01/05/2023 (UTC) by AudioMoth 24526B065D325963 at gain setting 2 while battery state was 4.7V."
TABLE = parse_deployments(
    "site,lat,lon,zone,start,end\nPond,62.4,-114.4,America/Edmonton,2023-04-01,2023-05-31\n", "d.csv"
)


def test_every_source_what_it_said_what_was_chosen_and_why(tmp_path: Path):
    layout = layout_of(tmp_path)
    sound = riff(format_chunk(), chunk(b"LIST", b"INFO" + chunk(b"ICMT", COMMENT)), chunk(b"data", bytes(3200)))
    path = add_sound(layout, "area/Pond_20230501_072500.wav", content=sound)
    for given in (path, Path("audio/area/Pond_20230501_072500.wav")):
        result = explain(layout, given, Declared(Templates(), TABLE), SETTINGS)
        assert (result.path, result.template, result.flags) == ("area/Pond_20230501_072500.wav", "site-date-time", ())
        said = {item.source: item.text for item in result.said}
        assert list(said) == list(SOURCES)
        assert said["file name"] == "site=Pond  start=2023-05-01T07:25:00"
        assert "start=2023-05-01T13:30:00  utc_offset=UTC" in said["AudioMoth comment"]
        assert "line 2: 2023-04-01" in said["deployments table"]
        assert said["GUANO"] == ""
        chosen = {choice.field: choice for choice in result.chosen}
        assert (chosen["start_utc"].value, chosen["start_utc"].source) == (
            "2023-05-01T13:30:00+00:00",
            "AudioMoth comment",
        )
        assert "first source from which UTC follows" in chosen["start_utc"].reason
        assert (chosen["latitude"].value, chosen["latitude"].source) == ("62.4", "deployments table")
        assert (chosen["gain"].value, chosen["temperature_c"].value, chosen["diel_phase"].value) == (
            "medium",
            "",
            "day",
        )


def test_files_that_are_not_in_the_dataset(tmp_path: Path):
    layout = layout_of(tmp_path / "dataset")
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(BadcError, match="no such file"):
        explain(layout, Path("b.wav"), Declared(Templates()), SETTINGS)
    with pytest.raises(BadcError, match="not in the audio folder"):
        explain(layout, tmp_path / "a.wav", Declared(Templates()), SETTINGS)


class TestCoverage:
    TEXT = (
        "study_areas: [{name: A, templates: [{name: dead, path: 'x_{date}_{time}'},"
        " {name: live, path: '{site}-{date}-{time}'}]}]"
    )
    PATHS = ("Pond-20230501-072500.wav", "Lake-20230501-072500.wav", "Lake_20230501_072500.wav", "notes.wav")

    def test_what_would_be_understood(self):
        templates = Templates(parse_templates(self.TEXT, "t.yaml"))
        coverage = path_coverage(self.PATHS, Declared(templates, TABLE))
        assert coverage.matched == {"live": 2, "site-date-time": 1, "(none)": 1}
        assert coverage.examples["(none)"] == ("notes.wav",)
        assert (coverage.understood, coverage.not_understood) == (3, 1)
        assert coverage.sites == {"Lake": 2, "Pond": 1}
        assert coverage.problems == (
            "template 'dead' of study area 'A' matches nothing: x_{date}_{time}",
            "no template matches 1 of 4 paths, such as notes.wav",
            "site Lake (2 recordings) is not in the deployments table",
        )

    def test_deployments_without_recordings_and_sites_misspelt(self):
        coverage = path_coverage(["Ponds_20230501_072500.wav"], Declared(Templates(), TABLE))
        assert coverage.problems == (
            "site Ponds (1 recordings) is not in the deployments table; did you mean Pond?",
            "site Pond of the deployments table has no recording by its name",
        )

    def test_nothing_to_say(self):
        assert path_coverage(["Pond_20230501_072500.wav"], Declared(Templates(), TABLE)).problems == ()
