"""What a project with a cluster profile changes for Dagster, and what it leaves as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from badc_assets.definitions import build_definitions
from badc_assets.defs.slurm_steps import SLURM_TAG
from badc_assets.project import Project
from badc_assets.slurm.submission import new_submission
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import failure_text, run_assets
from badc_assets_tests.instances import new_instance

PROFILE = Path(__file__).parents[2] / "clusters/generic.toml"


def on_cluster(folder: Path, **more) -> Project:
    slurm = {"profile": PROFILE, "steps": {"detections": {"mem": "64G"}}}
    return Project.model_validate({"dataset": folder, "slurm": slurm, **more})


def detections_op(project: Project) -> dg.OpDefinition:
    definitions = build_definitions(project)
    return definitions.get_assets_def(dg.AssetKey("detections")).op


def test_detections_ask_for_a_cluster_instead_of_a_place_in_the_pool(tmp_path):
    here, there = detections_op(Project.model_validate({"dataset": tmp_path})), detections_op(on_cluster(tmp_path))
    assert (here.pool, there.pool) == ("gpu", None)
    assert SLURM_TAG not in here.tags
    assert there.tags[SLURM_TAG] == '{"mem": "64G"}'
    assert here.tags["badc/gpu"] == there.tags["badc/gpu"] == "1"


def test_the_executor_follows_the_profile(tmp_path):
    here = build_definitions(Project.model_validate({"dataset": tmp_path}))
    there = build_definitions(on_cluster(tmp_path))
    assert isinstance(here.executor, dg.ExecutorDefinition)
    assert isinstance(there.executor, dg.ExecutorDefinition)
    assert (here.executor.name, there.executor.name) == ("in_process", "slurm")


def test_other_steps_run_here(tmp_path):
    """Dagster's class under the executor is private: this would notice a change. No SLURM is needed."""
    dataset, home = make_dataset(tmp_path / "data", 2), tmp_path / "home"
    home.mkdir()
    (tmp_path / "badc.toml").write_text(f'dataset = "{tmp_path}/data"\nslurm.profile = "{PROFILE}"\n')
    with new_instance(home):
        pass
    storage = {"module": "badc_assets.defs.sqlite_storage", "class": "KeptSqliteStorage",
               "config": {"base_dir": str(home / "storage")}}  # fmt: skip
    (home / "dagster.yaml").write_text(json.dumps({"storage": {"custom": storage}, "telemetry": {"enabled": False}}))
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "badc_assets.definitions",
               "--select", "recording_catalog"]  # fmt: skip
    environment = {**os.environ, "DAGSTER_HOME": str(home), "BADC_PROJECT": str(tmp_path / "badc.toml")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Starting execution with step handler StepProcesses" in done.stderr
    with new_instance(home) as instance:
        assert set(instance.get_dynamic_partitions("recordings")) == set(dataset.recording_ids)


def test_other_assets_are_the_same(tmp_path):
    def specs(project: Project) -> dict[str, dg.AssetSpec]:
        return {spec.key.to_user_string(): spec for spec in build_definitions(project).resolve_all_asset_specs()}

    here, there = specs(Project.model_validate({"dataset": tmp_path})), specs(on_cluster(tmp_path))
    assert {name: spec.code_version for name, spec in here.items()} == {
        name: spec.code_version for name, spec in there.items()
    }, "where the work is done changes no result"


@pytest.mark.parametrize(
    ("tag", "expected"),
    [('{"memm": "1G"}', "did you mean 'mem'"), ("4G", "tag badc/slurm"), ('{"array": "0-9"}', "no option of sbatch")],
)
def test_a_wrong_tag_of_a_run_is_one_clear_line(tmp_path, instance, tag, expected):
    dataset = make_dataset(tmp_path / "data", 1)
    dataset.chunk()
    project = on_cluster(tmp_path / "data", chunking={"length_s": 2})
    assert run_assets(project, instance, ["recording_catalog"]).success
    job = dg.define_asset_job("job", selection=dg.AssetSelection.assets("detections"))
    merged = dg.Definitions.merge(build_definitions(project), dg.Definitions(jobs=[job]))
    done = merged.resolve_job_def("job").execute_in_process(
        instance=instance, partition_key=dataset.recording_ids[0], tags={SLURM_TAG: tag}, raise_on_error=False
    )
    assert expected in failure_text(done)


def test_a_cluster_whose_commands_are_not_here_is_one_clear_line(tmp_path, instance, monkeypatch):
    dataset = make_dataset(tmp_path / "data", 1)
    dataset.chunk()
    project = on_cluster(tmp_path / "data", chunking={"length_s": 2})
    assert run_assets(project, instance, ["recording_catalog"]).success
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    failed = run_assets(project, instance, ["detections"], dataset.recording_ids, checks=False)
    assert "cannot be started (No such file or directory); run this where SLURM's commands are" in failure_text(failed)


def test_the_daemon_cancels_what_is_left_behind(tmp_path, instance, monkeypatch):
    project = on_cluster(tmp_path)
    submission = new_submission(project.layout, "dead")
    submission.folder.mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/scancel"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    sensor = build_definitions(project).get_sensor_def("cancel_abandoned_tasks")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    said = sensor.evaluate_tick(dg.build_sensor_context(instance)).skip_message
    assert said == f"cancelled {submission.name}"
    assert (tmp_path / "said").read_text().endswith(f"--name {submission.name}\n")
    assert submission.is_closed
