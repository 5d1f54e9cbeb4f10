"""The same dataset in another place: moved, or worked on by the tasks of a cluster."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from badc_assets.detections.store import read_result_status
from badc_assets.detectors.hawkears.settings import HawkEarsSettings
from badc_assets.project import Project, load_project
from badc_assets.slurm.array_script import SlurmOptions
from badc_assets.stages.on_slurm import write_array_script
from badc_assets_tests.compared.command import badc, badc_on_path
from badc_assets_tests.compared.rows import compared
from badc_assets_tests.datasets import make_dataset


@compared(
    "F17",
    "B18",
    situation="The array script for SLURM; a dataset whose path has a blank",
    badc="Results go to `infer/R/R`, elsewhere than those made locally; arguments with a blank come apart",
    ours="Results lie where every other command has them; each argument arrives whole",
)
def test_array_script(data: Path, tmp_path: Path):
    folder = data / "with a blank"
    dataset = make_dataset(folder, 2)
    assert badc("chunk", "orchestrate", folder, "--apply").status == 0
    script = tmp_path / "array.sh"
    badc_on_path(tmp_path / "bin")
    said = badc("infer", "orchestrate", folder, "--detector", "energy", "--sockeye-script", script)
    assert said.status == 0
    for task in ("1", "2"):
        assert task_of(script, task, tmp_path / "bin").returncode == 0
    for recording in dataset.recording_ids:
        status = read_result_status(dataset.layout, recording)
        assert status is not None and status.is_complete
    assert badc("infer", "orchestrate", folder, "--detector", "energy").line("0 recordings to analyse")

    hawkears = {"generation": 1, "root": tmp_path, "python": tmp_path / "python", "extra_args": ["--a b", "it's"]}
    project = Project.model_validate({"dataset": folder, "detector": "hawkears", "detectors": {"hawkears": hawkears}})
    write_array_script(project, dataset.recording_ids, script, SlurmOptions(), None)
    told = tmp_path / "told"
    told.mkdir()
    (told / "badc").write_text('#!/bin/sh\necho "$BADC_DETECTORS__HAWKEARS__EXTRA_ARGS"')
    (told / "badc").chmod(0o755)
    environment = {"BADC_DETECTORS__HAWKEARS__EXTRA_ARGS": task_of(script, "1", told).stdout.splitlines()[-1]}
    table = {name: str(value) for name, value in hawkears.items() if name != "extra_args"}
    environment |= {f"BADC_DETECTORS__HAWKEARS__{name.upper()}": value for name, value in table.items()}
    settings = load_project({"BADC_DETECTOR": "hawkears", **environment}).detector_settings
    assert isinstance(settings, HawkEarsSettings)
    assert settings.extra_args == ("--a b", "it's")


def task_of(script: Path, task: str, programs: Path) -> subprocess.CompletedProcess[str]:
    """Run one task of an array, with these programs first on the path."""
    environment = {"SLURM_ARRAY_TASK_ID": task, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", str(script)], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@compared(
    "B17",
    situation="A dataset is moved to another folder or another computer",
    badc="Manifests, plans, JSON and script hold absolute paths of the first one",
    ours="Paths in plans, manifests and results are relative: after a move all is found done. An array script names its place",
)
def test_moved(data: Path, monkeypatch: pytest.MonkeyPatch):
    make_dataset(data, 1)
    command = ("pipeline", "run", "--json", "--detector", "energy")
    assert badc(*command).status == 0
    texts = [path for kind in ("csv", "json", "jsonl") for path in data.rglob(f"*.{kind}")]
    assert len(texts) > 10
    assert [path for path in texts if str(data).encode() in path.read_bytes()] == []
    moved = data.rename(data.with_name("moved"))
    monkeypatch.setenv("BADC_DATASET", str(moved))
    said = badc(*command)
    assert said.status == 0
    assert said.json["stages"]["chunking"]["recordings"] == 0
    assert said.json["stages"]["analysis"]["found done"] == 1
