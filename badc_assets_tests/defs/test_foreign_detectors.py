"""HawkEars, a program and a transformers model through the graph, each in its own processes."""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

import pytest

from badc_assets.detections.store import read_table
from badc_assets.project import Project
from badc_assets_tests.cli.test_commands import Shell, home
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import PER_RECORDING, failure_text, run_assets
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


def run(folder: Path, instance, detector: str, **settings: object) -> tuple[bool, str]:
    """All recordings through the graph in this process, and the detector in its own: did it go well, and what failed."""
    values = {"dataset": folder, "detector": detector, "chunking": {"length_s": 2}, "detectors": {detector: settings}}
    project = Project.model_validate(values)
    assert run_assets(project, instance, ["recording_catalog"]).success
    result = run_assets(project, instance, PER_RECORDING, instance.get_dynamic_partitions("recordings"))
    return result.success, failure_text(result)


def found(dataset: Path, recording: str) -> list[tuple]:
    layout = Project.model_validate({"dataset": dataset}).layout
    return [
        (r["absolute_time_ms"], r["label_code"], r["label_name"])
        for r in read_table(layout.detections(recording)).to_pylist()
    ]


def test_hawkears_stand_in(instance, tmp_path):
    data = tmp_path / "data"
    for name, loud in (("a", [(3.2, 5.5)]), ("b", []), ("c", [(0.5, 2.0)])):
        write_sound(data / "audio" / f"{name}.wav", sound(9, *loud), rate_hz=32_000)
    python, root = make_environment(tmp_path / "environment"), make_root(tmp_path / "root")
    is_good, said = run(data, instance, "hawkears", python=python, root=root, min_score=0.5)
    assert is_good, said
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
    shell = Shell(home, data)
    chosen = {"BADC_DETECTOR": "hawkears", "BADC_DETECTORS__HAWKEARS__PYTHON": str(real_python())}
    environment = {**chosen, "BADC_DETECTORS__HAWKEARS__ROOT": str(root)}
    status, output = shell("dagster", "asset", "materialize", "--select", "recording_catalog", **environment)
    assert status == 0, output
    first, *_, last = sorted(path.stem for path in sounds.glob("*.wav"))
    command = ("--select", ",".join(PER_RECORDING), "--partition-range", f"{first}...{last}")
    status, output = shell("dagster", "asset", "materialize", *command, **environment)
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


def test_hawkears_that_is_not_there_is_one_line_and_the_page_opens(instance, tmp_path):
    make_dataset(tmp_path / "data", 1)
    is_good, said = run(tmp_path / "data", instance, "hawkears", python=tmp_path / "nowhere", root=tmp_path)
    assert not is_good
    assert "there is no such Python interpreter" in said
    assert "badc detectors setup hawkears" in said


def test_a_program(instance, tmp_path):
    made = make_dataset(tmp_path / "data", 2, seconds=5)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    is_good, said = run(tmp_path / "data", instance, "command", command=f"{sys.executable} {program}")
    assert is_good, said
    first = made.recording_ids[0]
    assert found(tmp_path / "data", first) == [(start, "RUGR", "Ruffed Grouse") for start in (100, 2100, 4100)]
    assert len(list(made.layout.kept_outputs(first).iterdir())) == 3


def test_a_transformers_model(instance, tmp_path):
    made = make_dataset(tmp_path / "data", 2, seconds=5)
    model = save_model(tmp_path / "model", "wav2vec2")
    settings = {"model": str(model), "window_s": 1, "backend": "torch"}
    is_good, said = run(tmp_path / "data", instance, "transformers", **settings)
    assert is_good, said
    rows = read_table(made.layout.detections(made.recording_ids[0])).to_pylist()
    assert {row["absolute_time_ms"] for row in rows} == {0, 1000, 2000, 3000, 4000}
    assert len({row["weights_sha256"] for row in rows}) == 1
    assert {row["precision"] for row in read_table(made.layout.effort(made.recording_ids[0])).to_pylist()} == {"fp32"}


@pytest.mark.parametrize(
    ("model", "names"),
    [("", "model"), ("hf:someone/something", "detectors setup transformers"), ("/nowhere/model", "/nowhere/model")],
)
def test_a_model_that_is_not_there_is_one_line(instance, tmp_path, model, names):
    make_dataset(tmp_path / "data", 1)
    is_good, said = run(tmp_path / "data", instance, "transformers", model=model, offline=True)
    assert not is_good
    assert names in said
    assert "Traceback" not in said
