"""Two datasets in one instance: each has its own assets, partitions, sensors and jobs, and they never meet."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from badc_assets.definitions import build_definitions
from badc_assets.detections.store import read_result_status
from badc_assets.project import Project
from badc_assets_tests.defs.test_definitions import described
from badc_assets_tests.sounds import noise, write_sound

RANGE = "dagster/asset_partition_range_"


def project(folder: Path, name: str, **settings) -> Project:
    content = {"quiet_s": 0, "keep_free_gb": 0}
    return Project.model_validate({"name": name, "dataset": folder / name, "content": content, **settings})


@pytest.fixture
def projects(tmp_path) -> tuple[Project, Project]:
    """Both have a recording `a`, of different sound."""
    for seed, (name, recordings) in enumerate({"north": "ab", "south-2024": "ac"}.items()):
        for recording in recordings:
            sound = noise(1, seed=10 * seed + ord(recording), level=0.1, rate_hz=8000)
            write_sound(tmp_path / name / "audio" / f"{recording}.wav", sound, rate_hz=8000)
    return project(tmp_path, "north", detector="stub"), project(tmp_path, "south-2024")


def test_assets(projects, snapshot):
    definitions = build_definitions(*projects)
    specs = {spec.key.to_user_string(): described(spec) for spec in definitions.resolve_all_asset_specs()}
    repository = definitions.get_repository_def()
    assert {
        "assets": dict(sorted(specs.items())),
        "checks": sorted(str(key.to_user_string()) for key in definitions.resolve_asset_graph().asset_check_keys),
        "jobs": sorted(job.name for job in repository.get_all_jobs()),
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
        "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
    } == snapshot


def noticed(definitions: dg.Definitions, instance: dg.DagsterInstance, sensor: str) -> dg.ExecuteInProcessResult:
    """Ticks until a run is asked for, and that run."""
    cursor = None
    for _ in range(5):
        context = dg.build_sensor_context(instance=instance, cursor=cursor, definitions=definitions)
        result = definitions.resolve_sensor_def(sensor).evaluate_tick(context)
        cursor = result.cursor
        for added in result.dynamic_partitions_requests or ():
            instance.add_dynamic_partitions(added.partitions_def_name, list(added.partition_keys))
        for request in result.run_requests or ():
            job = definitions.resolve_job_def(request.job_name or "")
            return job.execute_in_process(instance=instance, tags=dict(request.tags), raise_on_error=False)
    raise AssertionError("nothing was noticed")


def test_each_is_noticed_analysed_and_reported_by_itself(projects, instance):
    north, south = projects
    definitions = build_definitions(*projects)
    for sensor in ("new_recordings_north", "new_recordings_south_2024"):
        assert noticed(definitions, instance, sensor).success
    assert instance.get_dynamic_partitions("north/recordings") == ["a", "b"]
    assert instance.get_dynamic_partitions("south_2024/recordings") == ["a", "c"]
    assert instance.get_dynamic_partitions("recordings") == []
    for key, keys in (("north", {"a", "b"}), ("south_2024", {"a", "c"})):
        for asset in ("recordings", "chunk_manifest", "chunk_status", "detections"):
            assert instance.get_materialized_partitions(dg.AssetKey([key, asset])) == keys
    results = [read_result_status(each.layout, "a") for each in projects]
    assert [result and result.detector for result in results] == ["stub", "energy"]

    assert definitions.resolve_job_def("publish_south_2024").execute_in_process(instance=instance).success
    assert (south.layout.report_dir / "index.html").is_file()
    assert not north.layout.report_dir.exists()


def test_a_failure_is_told_where_it_happened(projects, instance, monkeypatch):
    north, south = projects
    instance.add_dynamic_partitions("north/recordings", ["nowhere"])
    definitions = build_definitions(*projects)
    job = definitions.resolve_job_def("publish_north")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    for name in ("tell_of_failures_north", "tell_of_failures_south_2024"):
        sensor = definitions.resolve_sensor_def(name)
        failure = next(event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE")
        context = dg.build_run_status_sensor_context(
            sensor_name=name, dagster_instance=instance, dagster_run=result.dagster_run, dagster_event=failure
        )
        sensor(context.for_run_failure())
    assert "publish_north" in north.layout.failure_log.read_text()
    assert not south.layout.failure_log.exists()
