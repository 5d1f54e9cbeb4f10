"""`badc recordings` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from badc_assets.cli.main import app
from badc_assets.errors import BadcError
from badc_assets_tests.recordings.builders import add_sound, layout_of

YAML = "study_areas:\n  - {name: A, folder: area, templates: [{name: mine, path: '{site}/{date}_{time}'}]}\n"


@pytest.fixture
def badc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run `badc recordings ...` on a dataset with two recordings and a template file."""
    layout = layout_of(tmp_path / "dataset")
    add_sound(layout, "area/Pond/20230501_072500.wav")
    add_sound(layout, "notes.wav")
    (tmp_path / "t.yaml").write_text(YAML)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BADC_DATASET", str(layout.dataset))
    monkeypatch.setenv("BADC_RECORDINGS__TEMPLATES", "t.yaml")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str):
        return CliRunner().invoke(app, ["recordings", *arguments])

    return run


def test_explain_shows_sources_and_choices(badc):
    result = badc("explain", "dataset/audio/area/Pond/20230501_072500.wav")
    assert result.exit_code == 0, result.output
    for text in ("template: mine", "site=Pond", "2023-05-01T07:25:00", "GUANO", "no zone is declared"):
        assert text in result.output


def test_check_fails_while_a_name_is_not_understood(badc, tmp_path: Path):
    result = badc("templates", "check")
    assert (result.exit_code, "1 understood, 1 not" in result.output) == (1, True)
    assert "no template matches 1 of 2 paths, such as notes.wav" in result.output
    (tmp_path / "dataset/audio/notes.wav").unlink()
    assert badc("templates", "check").exit_code == 0


def test_check_of_a_part_keeps_its_study_area(badc):
    result = badc("templates", "check", "dataset/audio/area")
    assert (result.exit_code, "mine" in result.output) == (0, True)


def test_mistakes_are_one_line(badc, tmp_path: Path):
    (tmp_path / "t.yaml").write_text("study_areas:\n  - {name: A, zone: Mars}\n")
    for command in (("templates", "check"), ("explain", "dataset/audio/notes.wav")):
        error = badc(*command).exception
        assert isinstance(error, BadcError)
        assert str(error).startswith("t.yaml, line 2, study_areas[0].zone: there is no time zone 'Mars'")
    assert isinstance(badc("templates", "check", "nowhere").exception, BadcError)
