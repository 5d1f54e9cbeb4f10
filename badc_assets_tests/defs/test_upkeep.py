"""fsck as a check, and the job that does again what is broken."""

from __future__ import annotations

import dagster as dg
import pytest

from badc_assets.definitions import build_definitions
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import PER_RECORDING, failure_text, run_assets
from badc_assets_tests.sounds import noise, write_sound


def run_job(dataset, instance, name: str, **arguments) -> dg.ExecuteInProcessResult:
    job = build_definitions(dataset.project).resolve_job_def(name)
    return job.execute_in_process(instance=instance, raise_on_error=False, **arguments)


@pytest.fixture
def dataset(tmp_path, instance):
    made = make_dataset(tmp_path, 4, bad=(1, 3))
    assert run_assets(made.project, instance, ["recording_catalog"]).success
    run_assets(made.project, instance, PER_RECORDING, made.recording_ids)
    return made


def test_fsck_is_a_check_that_fails_on_damage(dataset, instance):
    (evaluation,) = run_job(dataset, instance, "fsck").get_asset_check_evaluations()
    assert evaluation.passed
    path = dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav")
    path.write_bytes(path.read_bytes()[:-2] + b"\x01\x02")
    (evaluation,) = run_job(dataset, instance, "fsck").get_asset_check_evaluations()
    assert evaluation.passed
    full = {"ops": {"detection_aggregates_dataset_is_consistent": {"config": {"full": True}}}}
    (evaluation,) = run_job(dataset, instance, "fsck", run_config=full).get_asset_check_evaluations()
    assert not evaluation.passed
    assert dataset.recording_ids[0] in str(evaluation.metadata["list"].value)


def test_retry_asks_for_exactly_what_is_broken(dataset, instance):
    assert run_job(dataset, instance, "retry_failed").success
    (backfill,) = instance.get_backfills()
    target = backfill.asset_backfill_data.target_subset
    for name in PER_RECORDING:
        keys = set(target.get_partitions_subset(dg.AssetKey(name)).get_partition_keys())
        assert keys == {dataset.recording_ids[1], dataset.recording_ids[3]}, name


def test_nothing_is_asked_for_where_nothing_is_broken(dataset, instance):
    for number in (1, 3):
        write_sound(dataset.layout.source(f"audio/{dataset.recording_ids[number]}.wav"), noise(5, seed=number))
    assert run_assets(dataset.project, instance, ["recording_catalog"]).success
    assert run_assets(dataset.project, instance, PER_RECORDING, dataset.recording_ids).success
    assert run_job(dataset, instance, "retry_failed").success
    assert instance.get_backfills() == []


def test_without_a_catalogue_the_retry_says_what_to_do(tmp_path, instance):
    result = run_job(make_dataset(tmp_path, 1), instance, "retry_failed")
    assert not result.success
    assert "there is no catalogue" in failure_text(result)
