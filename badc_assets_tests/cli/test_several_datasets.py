"""Commands where badc.toml has several datasets."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from badc_assets.cli.main import app
from badc_assets.errors import BadcError
from badc_assets.project import load_projects
from badc_assets.recordings.current import update_catalog
from badc_assets_tests.recordings.builders import add_sound, layout_of

TWO = '[datasets.north]\ndataset = "north"\n\n[datasets.south]\ndataset = "south"\ndetector = "stub"\n'


@pytest.fixture
def badc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`badc ...` in a folder with two datasets, of one and of two recordings."""
    for name, recordings in {"north": ["a"], "south": ["a", "b"]}.items():
        layout = layout_of(tmp_path / name)
        for recording in recordings:
            add_sound(layout, f"{recording}.wav")
    (tmp_path / "badc.toml").write_text(TWO)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("BADC_DATASET_NAME", "")
    for project in load_projects():
        update_catalog(project.layout)

    def run(*arguments: str):
        return CliRunner().invoke(app, list(arguments))

    return run


def test_status_is_that_of_all_or_of_one(badc):
    both = badc("status").output
    assert "north: 1 recordings" in both
    assert "south: 2 recordings" in both
    one = badc("--dataset-name", "south", "status").output
    assert "south: 2 recordings" in one
    assert "north" not in one


def test_what_is_about_one_dataset_asks_which(badc):
    result = badc("fsck")
    assert isinstance(result.exception, BadcError)
    assert "north, south" in str(result.exception)
    assert badc("--dataset-name", "north", "fsck").exit_code == 0


def test_settings_of_each_are_shown(badc):
    shown = badc("config").output
    assert "Dataset north" in shown
    assert "Dataset south" in shown
