"""BADC's run configuration files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.wav_files import CutSound, virtual_chunks
from badc_assets.cli.main import app
from badc_assets.errors import BadcError
from badc_assets.project import Project
from badc_assets.stages.run_config import read_run_config
from badc_assets_tests.sounds import noise, write_sound

PROJECT = Project.model_validate({"dataset": "nowhere"})

WHOLE = """
[runner]
manifest = "R.csv"
max_gpus = 2
output_dir = "out"
telemetry_log = "logs/run.jsonl"
max_retries = 5
use_hawkears = true
cpu_workers = 1
colour = "green"
[hawkears]
extra_args = "--min_score 0.7"
[paths]
dataset_root = "data/bogus"
[hawk]
"""


def config(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.toml").write_text(text)
    return folder / "run.toml"


def test_everything_that_the_file_says_is_done_and_what_means_nothing_is_named(tmp_path):
    first_generation = {"generation": 1, "root": "HawkEars", "python": "python3"}
    project = PROJECT.model_copy(update={"detectors": {"hawkears": first_generation}})
    asked, choice, notes = read_run_config(config(tmp_path, WHOLE), project, tmp_path)
    assert asked.project.detector == "hawkears"
    inference = asked.project.inference
    assert (inference.max_gpus, inference.max_retries, inference.cpu_workers) == (2, 5, 1)
    assert asked.project.detectors["hawkears"]["extra_args"] == ["--min_score", "0.7"]
    assert (asked.output, asked.log) == (Path("out"), Path("logs/run.jsonl"))
    assert choice.words()[-2:] == ["--hawkears-arg=--min_score", "--hawkears-arg=0.7"]
    assert [note.split(": ")[1].split()[0] for note in notes] == ["hawk", "runner.colour"]


def test_the_manifest_is_looked_for_where_it_is_run_then_in_the_dataset_then_beside_the_file(tmp_path):
    beside, dataset, here = tmp_path / "configs", tmp_path / "here/data/bogus", tmp_path / "here"
    dataset.mkdir(parents=True)
    file = config(beside, '[runner]\nmanifest = "R.csv"\n[paths]\ndataset_root = "data/bogus"\n')
    for folder in (beside, dataset, here):
        (folder / "R.csv").touch()
        (found,) = read_run_config(file, PROJECT, here)[0].manifests
        assert found == folder / "R.csv"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no table"),
        ("[runner", "not valid TOML"),
        ("runner = 3", "runner is no table"),
        ("[runner]\nmax_gpus = 1", "runner.manifest"),
        ("[runner]\nmanifest = 3", "runner.manifest"),
        ('[runner]\nmanifest = "R.csv"\nmax_retries = -1', "runner.max_retries"),
        ('[runner]\nmanifest = "R.csv"\nuse_hawkears = true\nrunner_cmd = "x"', "name different detectors"),
        ('[runner]\nmanifest = "R.csv"\n[hawkears]\nextra_args = 3', "extra_args is neither"),
    ],
)
def test_what_cannot_be_understood_is_said_in_one_line(tmp_path, text, says):
    with pytest.raises(BadcError, match=says) as raised:
        read_run_config(config(tmp_path, text), PROJECT, tmp_path)
    assert "\n" not in str(raised.value)


@given(st.recursive(st.sampled_from(["true", "3", '"x"', "[]"]), lambda inner: inner.map("[{}]".format)))
def test_any_value_is_taken_or_refused_in_one_line(tmp_path_factory, value):
    for key in ("manifest", "max_gpus", "output_dir", "use_hawkears", "other"):
        given = "" if key == "manifest" else "manifest = 'm.csv'"
        text = f"[runner]\n{given}\n{key} = {value}\n[hawkears]\nextra_args = []\n"
        try:
            read_run_config(config(tmp_path_factory.mktemp("c"), text), PROJECT, Path())
        except BadcError as error:
            assert "\n" not in str(error)


def test_the_command_does_what_infer_run_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BADC_DATASET", str(tmp_path / "nowhere"))
    write_sound(tmp_path / "R.wav", noise(4, seed=1))
    chunks = virtual_chunks(CutSound(tmp_path / "R.wav", ChunkSettings(length_s=2, overlap_s=0)), "R.wav")
    rows = [f"R,{c.chunk_id},R.wav,{c.start_ms},{c.end_ms},0,TODO_HASH," for c in chunks]
    header = "recording_id,chunk_id,source_path,start_ms,end_ms,overlap_ms,sha256,notes"
    (tmp_path / "R.csv").write_text("\n".join([header, *rows, ""]))
    text = '[runner]\nmanifest = "R.csv"\ndetector = "stub"\noutput_dir = "artifacts/infer"\nvolume = 11\n'
    result = CliRunner().invoke(app, ["infer", "run-config", str(config(tmp_path, text))])
    assert result.exit_code == 0, result.output
    assert "runner.volume means nothing here" in result.output
    assert len(list((tmp_path / "artifacts/infer/R").glob("R_chunk_*.json"))) == 2
