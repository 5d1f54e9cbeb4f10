"""What the code location offers: a snapshot, so that no name, partition, check or job changes unnoticed."""

from __future__ import annotations

import dagster as dg
import pytest

from badc_assets.definitions import build_definitions
from badc_assets.project import Project


@pytest.fixture
def definitions(tmp_path):
    return build_definitions(Project.model_validate({"dataset": tmp_path}))


def described(spec: dg.AssetSpec) -> dict:
    return {
        "group": spec.group_name,
        "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "partitions": spec.partitions_def.name
        if isinstance(spec.partitions_def, dg.DynamicPartitionsDefinition)
        else None,
        "code_version": spec.code_version,
    }


def test_assets(definitions, snapshot):
    specs = {spec.key.to_user_string(): described(spec) for spec in definitions.resolve_all_asset_specs()}
    assert dict(sorted(specs.items())) == snapshot


def test_checks(definitions, snapshot):
    graph = definitions.resolve_asset_graph()
    checks = {
        f"{key.asset_key.to_user_string()}:{key.name}": {
            "blocking": graph.get(key).blocking,
            "partitioned": graph.get(key).partitions_def is not None,
        }
        for key in graph.asset_check_keys
    }
    assert dict(sorted(checks.items())) == snapshot


def test_jobs_sensors_and_schedules(definitions, snapshot):
    repository = definitions.get_repository_def()
    assert {
        "jobs": sorted(job.name for job in repository.get_all_jobs()),
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
        "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
    } == snapshot


def test_every_asset_and_check_says_what_it_is(definitions):
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description, spec.key
    graph = definitions.resolve_asset_graph()
    for key in graph.asset_check_keys:
        assert graph.get(key).description, key


def test_partitioned_assets_run_in_ranges(definitions):
    graph = definitions.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        if node.partitions_def is not None:
            assert node.backfill_policy == dg.BackfillPolicy.single_run(), key


def test_detections_wait_for_a_gpu(definitions):
    (op,) = [node for node in definitions.resolve_asset_graph().assets_defs if dg.AssetKey("detections") in node.keys]
    assert op.op.pool == "gpu"
    assert op.op.tags["badc/gpu"] == "1"
