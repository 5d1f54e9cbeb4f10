"""The stages over a dataset by commands: what fails is named, the rest is done, and nothing is done twice."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from badc_assets.cli.main import app
from badc_assets.cli.outstanding import work_to_do
from badc_assets.detections.store import read_result_status
from badc_assets.errors import BadcError
from badc_assets.project import Project
from badc_assets.recordings.current import require_catalog
from badc_assets.recordings.model import CatalogEntry
from badc_assets.stages.plans import PlannedRecording, read_plan, write_plan
from badc_assets_tests.datasets import Dataset, make_dataset
from badc_assets_tests.defs.running import PER_RECORDING, materialized, run_assets
from badc_assets_tests.instances import new_instance


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Three recordings, the second of which cannot be read."""
    made = make_dataset(tmp_path / "data", 3, bad=(1,), chunking={"length_s": 2})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("BADC_DATASET", str(tmp_path / "data"))
    monkeypatch.setenv("BADC_CHUNKING__LENGTH_S", "2")
    monkeypatch.setenv("BADC_DETECTOR", "stub")
    return made


def badc(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, BadcError):
        raise result.exception
    return result


def test_the_pipeline_finishes_what_is_good_names_what_is_not_and_repeats_nothing(dataset: Dataset):
    layout, (first, bad, last) = dataset.layout, dataset.recording_ids
    result = badc("pipeline", "run", "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert list(said["left_out"]) == [bad]
    assert said["stages"]["analysis"] == {"recordings": 2, "done": 2, "found done": 0, "left out": 0}
    assert [row["recording_id"] for row in json.loads((layout.output / "plans/pipeline_chunks.json").read_text())] == [
        first, bad, last,
    ]  # fmt: skip
    for recording in (first, last):
        assert (layout.aggregate_dir / f"{recording}_quicklook/chunks.csv").is_file()
    totals = (layout.aggregate_dir / "aggregate_summary/recording_summary.csv").read_text()
    assert totals.splitlines()[1:] == [f"{first},0,", f"{last},0,"], "the stub finds nothing"

    again = json.loads(badc("pipeline", "run", "--json").stdout)
    assert again["stages"]["analysis"]["found done"] == 2
    assert again["stages"]["chunking"]["recordings"] == 1, "only the bad one is tried again"


def test_dagster_finds_what_was_done_and_the_reverse(dataset: Dataset):
    badc("pipeline", "run", "--no-bundle")
    project = Project.model_validate(
        {"dataset": dataset.layout.dataset, "chunking": {"length_s": 2}, "detector": "stub"}
    )
    good = {dataset.recording_ids[0], dataset.recording_ids[2]}
    with new_instance() as instance:
        run_assets(project, instance, ["recording_catalog"])
        assert set(work_to_do(project, instance).recordings) == set(dataset.recording_ids), (
            "so that Dagster learns of it"
        )
        run_assets(project, instance, PER_RECORDING, dataset.recording_ids)
        assert materialized(instance, "detections") == good
        records = instance.fetch_materializations(dg.AssetKey("detections"), limit=9).records
        assert all(r.asset_materialization.metadata["unchanged"].value for r in records if r.asset_materialization)
    assert json.loads(badc("pipeline", "run", "--json", "--no-bundle").stdout)["stages"]["analysis"]["found done"] == 2


def test_chunks_and_then_what_hears_them(dataset: Dataset, tmp_path):
    first, bad, last = dataset.recording_ids
    shown = badc("chunk", "orchestrate", "--pattern", "*.WAV", "--plan-csv", tmp_path / "plan.csv")
    assert "3 recordings to chunk" in shown.output
    assert not dataset.layout.manifest(first).exists()
    assert badc("chunk", "orchestrate", "--apply").exit_code == 1
    assert dataset.layout.manifest(first).is_file()
    assert "1 recordings to chunk" in badc("chunk", "orchestrate").output
    assert "0 recordings to chunk" in badc("chunk", "orchestrate", "--pattern", "*.flac").output
    assert "3 recordings to chunk" in badc("chunk", "orchestrate", "--chunk-duration", "1").output

    assert "1 recordings to analyse" in badc("infer", "orchestrate", "--limit", "1").output
    result = badc("infer", "orchestrate", "--chunk-plan", tmp_path / "plan.csv", "--apply", "--stub-runner", "--bundle")
    assert result.exit_code == 1
    assert f"{bad}" in result.output
    for recording in (first, last):
        status = read_result_status(dataset.layout, recording)
        assert status is not None and status.is_complete
    assert "1 recordings to analyse" in badc("infer", "orchestrate").output
    assert "3 recordings to analyse" in badc("infer", "orchestrate", "--include-existing").output


def test_an_array_job_analyses_what_is_left_and_its_last_job_reports(dataset: Dataset, tmp_path):
    badc("chunk", "orchestrate", "--apply")
    script = tmp_path / "array.sh"
    badc("infer", "orchestrate", "--sockeye-script", script, "--sockeye-max-array", "2", "--sockeye-bundle")
    text = script.read_text()
    assert "--array=1-2\n" in text
    assert "report dataset --bucket-minutes 60" in text
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "badc").write_text(f'#!/bin/sh\nexec {sys.executable} -m badc_assets.cli "$@"\n')
    (programs / "badc").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    statuses = [
        subprocess.run(
            ["bash", str(script)], env={**environment, "SLURM_ARRAY_TASK_ID": str(task)}, check=False
        ).returncode
        for task in (1, 2)
    ]
    assert statuses == [1, 0], "the bad recording is in the first task"
    for recording in (dataset.recording_ids[0], dataset.recording_ids[2]):
        status = read_result_status(dataset.layout, recording)
        assert status is not None and status.is_complete
    assert badc("report", "dataset").exit_code == 1, "one has no results"
    assert (dataset.layout.aggregate_dir / "aggregate_summary/recording_summary.csv").is_file()


def test_a_dataset_can_be_named(dataset: Dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("BADC_DATASET", "")
    assert "3 recordings to chunk" in badc("chunk", "orchestrate", dataset.layout.dataset).output
    with pytest.raises(BadcError, match="there is no such dataset"):
        badc("pipeline", "run", tmp_path / "nowhere")
    with pytest.raises(BadcError, match="must be shorter"):
        badc("chunk", "orchestrate", dataset.layout.dataset, "--overlap", "5")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--detector", "stubb"], "did you mean 'stub'"),
        (["--detector", "energy", "--use-hawkears"], "name different detectors"),
        (["--hawkears-arg", "--fast"], "has no meaning for the detector stub"),
        (["--use-hawkears", "--hawkears-arg", "--fast"], "extra_args is for generation 1"),
    ],
)
def test_options_that_cannot_be_meant_are_one_line(dataset: Dataset, options, said):
    with pytest.raises(BadcError, match=said):
        badc("pipeline", "run", *options)


def test_plans_of_badc_are_understood_and_what_is_unknown_is_named(dataset: Dataset, tmp_path):
    badc("chunk", "orchestrate")
    entries = require_catalog(dataset.layout).entries
    first, _, last = dataset.recording_ids
    theirs = [
        {"recording_id": "x", "audio_path": f"/elsewhere/ds/{entries[0].audio_path}", "manifest_path": "/e/manifests/x.csv"},
        {"manifest": f"/elsewhere/ds/manifests/{last}.csv"},
    ]  # fmt: skip
    (tmp_path / "p.json").write_text(json.dumps(theirs))
    assert read_plan(tmp_path / "p.json", entries) == [first, last]
    for text, said in (("[3]", "is no plan"), ("{", "is no plan"), ('[{"manifest": "q.csv"}]', "not in the catalogue")):
        (tmp_path / "p.json").write_text(text)
        with pytest.raises(BadcError, match=said):
            read_plan(tmp_path / "p.json", entries)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12)


@given(names=st.lists(TEXT, min_size=1, max_size=4, unique=True), suffix=st.sampled_from([".csv", ".json"]))
@settings(max_examples=60, deadline=None)
def test_a_plan_is_read_as_it_was_written(tmp_path_factory, names, suffix):
    path = tmp_path_factory.getbasetemp() / f"plan{suffix}"
    rows = [PlannedRecording(name, f"audio/{name}", f"manifests/{name}.csv", f"c/{name}", 60, 0) for name in names]
    write_plan(path, rows)
    entries = [
        CatalogEntry(name, f"elsewhere/{number}", name, 1, 1, "key", "present") for number, name in enumerate(names)
    ]
    assert read_plan(path, entries) == names


def test_wav_files_are_written_on_request_by_several_workers(dataset: Dataset):
    layout, (first, bad, last) = dataset.layout, dataset.recording_ids
    result = badc("chunk", "orchestrate", "--apply", "--write-chunks", "--workers", 2, "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert list(said["left_out"]) == [bad]
    assert said["stages"]["WAV files"] == {"recordings": 2, "done": 2, "found done": 0, "left out": 0}
    for recording in (first, last):
        assert len(list(layout.chunk_dir(recording).glob("*.wav"))) == 3
    planned = badc("chunk", "orchestrate", "--write-chunks").stdout
    assert first not in planned
    out = layout.output / "elsewhere"
    copies = layout.chunk_dir(first) / "wav_chunks.csv"
    assert badc("infer", "run", copies, "--output-dir", out).exit_code == 0
    assert len(list((out / first).glob("*_chunk_*.json"))) == 3


def test_datalad_run_is_printed_for_each_recording_and_nothing_done(dataset: Dataset):
    layout, (first, *_) = dataset.layout, dataset.recording_ids
    with pytest.raises(BadcError, match="is no DataLad dataset"):
        badc("chunk", "orchestrate", "--print-datalad-run")
    (layout.dataset / ".datalad").mkdir()
    line, *others = badc("chunk", "orchestrate", "--print-datalad-run").stdout.splitlines()
    assert len(others) == 2
    words = shlex.split(line)
    assert words[: words.index("--")] == [
        "datalad", "run", "-d", str(layout.dataset), "-m", f"Chunk {first}", "--input", f"audio/{first}.wav",
        "--output", f"manifests/{first}.csv", "--output", f"artifacts/chunks/{first}",
    ]  # fmt: skip
    assert not layout.manifest(first).exists()
    command = words[words.index("--") + 1 :]
    os.chdir(layout.dataset)
    assert badc(*command[1:]).exit_code == 0
    assert layout.manifest(first).is_file()
    line, *others = badc("infer", "orchestrate", "--stub-runner", "--print-datalad-run").stdout.splitlines()
    words = shlex.split(line)
    assert words[-4:] == [f"{first}.wav", "--stub-runner", "--apply", "--no-record-datalad"]
    assert badc(*words[words.index("--") + 2 :]).exit_code == 0
    assert layout.detections(first).is_file()
