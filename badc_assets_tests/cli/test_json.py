"""What scripts read: every `--json` prints one JSON value and nothing else on standard output."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from badc_assets.cli.main import app
from badc_assets.errors import BadcError
from badc_assets_tests.datasets import Dataset, make_dataset


@pytest.fixture
def dataset(tmp_path, monkeypatch) -> Dataset:
    """Three recordings: analysed, unreadable, only examined."""
    made = make_dataset(tmp_path / "data", 3, bad=(1,), detector="stub")
    made.examine()
    short = Dataset(made.project, made.recording_ids[:2])
    short.chunk()
    short.analyse()
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATASET": "data",
        "CHUNKING__LENGTH_S": "2",
        "DETECTOR": "stub",
        "DATA_CONFIG": "d.toml",
    }.items():
        monkeypatch.setenv(f"BADC_{name}", value)
    return made


def answer(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return json.loads(result.stdout)


def test_status_and_settings_of_each_dataset(dataset):
    _, bad, _ = dataset.recording_ids
    (status,) = answer("status")
    assert status["recordings"] == 3
    assert status["counts"] == {"analysed": 1, "examined": 1, "quarantined": 1}
    assert list(status["broken"]) == [bad]
    (settings,) = answer("config")
    assert settings["chunking"]["length_s"] == 2
    assert list(settings["detectors"]) == ["stub"]


def test_recordings_are_listed_with_how_far_they_are(dataset):
    first, bad, last = dataset.recording_ids
    listed = {each["recording_id"]: each for each in answer("recordings", "list")}
    assert {name: each["stage"] for name, each in listed.items()} == {
        first: "analysed", bad: "quarantined", last: "examined",
    }  # fmt: skip
    assert listed[bad]["reason"].startswith("unreadable")
    assert listed[first]["site"] == "SITE-1"
    assert [each["recording_id"] for each in answer("recordings", "list", "--stage", "quarantined")] == [bad]
    shown = CliRunner().invoke(app, ["recordings", "list"]).stdout.splitlines()
    assert shown[0] == f"{first}\tanalysed"
    with pytest.raises(BadcError, match="there is no stage"):
        raise CliRunner().invoke(app, ["recordings", "list", "--stage", "done"]).exception or AssertionError


def test_what_is_here_and_what_there_is(dataset):
    found = answer("data", "status")
    assert found["datasets"] == {}
    assert found["recordings"][0]["counts"] == {"present": 3, "content_missing": 0, "gone": 0}
    assert {each["name"] for each in answer("detectors")} >= {"energy", "stub"}


@pytest.mark.parametrize("command", ["gpus", "fsck", "retry", "pipeline run", "chunk orchestrate --apply"])
def test_others_have_it_too(dataset, command):
    assert answer(*command.split()) is not None


def test_a_trace_too(dataset):
    assert answer("trace", dataset.recording_ids[0])["recording_id"] == dataset.recording_ids[0]
