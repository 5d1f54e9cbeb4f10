"""HawkEars, a program and a transformers model through `dagster asset materialize`, each in its own processes."""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

import pytest

from badc_assets.detections.store import read_table
from badc_assets.project import Project
from badc_assets_tests.cli.test_commands import PER_RECORDING, Shell, home
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.detectors.hawkears.environment import make_environment, make_root, sound
from badc_assets_tests.detectors.hawkears.real import make_real_root, needs_real_hawkears, real_python
from badc_assets_tests.detectors.transformers.models import save_model
from badc_assets_tests.sounds import write_sound

__all__ = ["home"]

PROGRAM = """
import json, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
found = {"timestamp_ms": 100, "end_ms": 900, "label_code": "RUGR", "label_name": "Ruffed Grouse", "confidence": 0.9}
print("looking at", given["--input"])
json.dump({"detections": [found]}, open(given["--output"], "w"))
"""


def materialize(shell: Shell, detector: str, **settings: object) -> tuple[int, str]:
    prefix = f"BADC_DETECTORS__{detector.upper()}__"
    environment = {"BADC_DETECTOR": detector} | {prefix + name.upper(): str(value) for name, value in settings.items()}
    status, output = shell("dagster", "asset", "materialize", "--select", "recording_catalog", **environment)
    assert status == 0, output
    first, last = ordered(shell)
    command = ("--select", PER_RECORDING, "--partition-range", f"{first}...{last}")
    return shell("dagster", "asset", "materialize", *command, **environment)


def ordered(shell: Shell) -> tuple[str, str]:
    from badc_assets.recordings.current import require_catalog

    ids = require_catalog(Project.model_validate({"dataset": shell.environment["BADC_DATASET"]}).layout).all_ids
    return ids[0], ids[-1]


def found(dataset: Path, recording: str) -> list[tuple]:
    layout = Project.model_validate({"dataset": dataset}).layout
    return [
        (r["absolute_time_ms"], r["label_code"], r["label_name"])
        for r in read_table(layout.detections(recording)).to_pylist()
    ]


def test_hawkears_stand_in(home, tmp_path):
    data = tmp_path / "data"
    for name, loud in (("a", [(3.2, 5.5)]), ("b", []), ("c", [(0.5, 2.0)])):
        write_sound(data / "audio" / f"{name}.wav", sound(9, *loud), rate_hz=32_000)
    python, root = make_environment(tmp_path / "environment"), make_root(tmp_path / "root")
    status, output = materialize(Shell(home, data), "hawkears", python=python, root=root, min_score=0.5)
    assert status == 0, output
    assert [row[0] for row in found(data, "a")] == [3000]
    assert found(data, "b") == []
    assert [row[0] for row in found(data, "c")] == [0]
    assert {row[1] for row in found(data, "a")} <= {"OVEN", "WTSP"}


@needs_real_hawkears
def test_real_hawkears(home, tmp_path, shared_data):
    """The five planted events, and nothing in the recording without any."""
    sounds, data = shared_data / "hawkears", tmp_path / "data"
    shutil.copytree(sounds, data / "audio", ignore=shutil.ignore_patterns("*.ckpt", "sample_output"))
    root = make_real_root(tmp_path / "root", sounds)
    status, output = materialize(Shell(home, data), "hawkears", python=real_python(), root=root)
    assert status == 0, output
    layout = Project.model_validate({"dataset": data}).layout
    sure = [
        (row["recording_id"], row["label_code"], row["absolute_time_ms"])
        for path in sorted(sounds.glob("*.wav"))
        for row in read_table(layout.detections(path.stem)).to_pylist()
        if row["confidence"] >= 0.9
    ]
    with (sounds / "truth.csv").open(newline="") as file:
        planted = [(row["recording"], row["code"], 1000 * int(row["start"])) for row in csv.DictReader(file)]
    assert len(planted) == 5
    # A call lasts 3 s, and labels lie on a grid of 3 s, so it may have two.
    hits = [[one for one in sure if one[:2] == call[:2] and abs(one[2] - call[2]) < 3000] for call in planted]
    assert all(hits), sure
    assert {one for of_call in hits for one in of_call} == set(sure)


def test_hawkears_that_is_not_there_is_one_line_and_the_page_opens(home, tmp_path):
    make_dataset(tmp_path / "data", 1)
    status, output = materialize(Shell(home, tmp_path / "data"), "hawkears", python=tmp_path / "nowhere", root=tmp_path)
    assert status != 0
    assert "there is no such Python interpreter" in output
    assert "badc detectors setup hawkears" in output


def test_a_program(home, tmp_path):
    made = make_dataset(tmp_path / "data", 2, seconds=5)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    status, output = materialize(Shell(home, tmp_path / "data"), "command", command=f"{sys.executable} {program}")
    assert status == 0, output
    first = made.recording_ids[0]
    assert found(tmp_path / "data", first) == [(start, "RUGR", "Ruffed Grouse") for start in (100, 2100, 4100)]
    assert len(list(made.layout.kept_outputs(first).iterdir())) == 3


def test_a_transformers_model(home, tmp_path):
    made = make_dataset(tmp_path / "data", 2, seconds=5)
    model = save_model(tmp_path / "model", "wav2vec2")
    settings = {"model": model, "window_s": 1, "backend": "torch"}
    status, output = materialize(Shell(home, tmp_path / "data"), "transformers", **settings)
    assert status == 0, output
    rows = read_table(made.layout.detections(made.recording_ids[0])).to_pylist()
    assert {row["absolute_time_ms"] for row in rows} == {0, 1000, 2000, 3000, 4000}
    assert len({row["weights_sha256"] for row in rows}) == 1
    assert {row["precision"] for row in read_table(made.layout.effort(made.recording_ids[0])).to_pylist()} == {"fp32"}


@pytest.mark.parametrize("model", ["", "hf:someone/something", "/nowhere/model"])
def test_a_model_that_is_not_there_is_one_line(home, tmp_path, model):
    make_dataset(tmp_path / "data", 1)
    status, output = materialize(Shell(home, tmp_path / "data"), "transformers", model=model or "", offline="true")
    assert status != 0
    assert "BadcError" in output or "Failure" in output
    assert "model" in output
