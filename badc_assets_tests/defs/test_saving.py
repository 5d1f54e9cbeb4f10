"""Results as commits: one for each run, on record with every recording, and also after a run that ended red."""

from __future__ import annotations

import dagster as dg
import pytest

from badc_assets.definitions import build_definitions
from badc_assets.defs.runless import report_files
from badc_assets.project import Project
from badc_assets.stages import stages
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import PER_RECORDING, materialized, run_assets
from badc_assets_tests.git import git_environment, require_programs, run_in


@pytest.fixture
def dataset(tmp_path, instance, monkeypatch):
    require_programs("git", "git-annex", "datalad")
    for name, value in git_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "data"
    run_in(tmp_path, "datalad", "create", "-c", "text2git", str(root))
    made = make_dataset(root, 3, bad=(2,))
    run_in(root, "datalad", "save", "-m", "sound")
    assert run_assets(made.project, instance, ["recording_catalog"]).success
    return made


def head(dataset) -> str:
    return run_in(dataset.layout.dataset, "git", "rev-parse", "HEAD")


def process(dataset, instance, first: str, last: str) -> dg.ExecuteInProcessResult:
    job = build_definitions(dataset.project).resolve_job_def("process_recordings")
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


def test_a_run_ends_with_one_commit_that_is_on_record(dataset, instance):
    first, second, _ = dataset.recording_ids
    before = head(dataset)
    result = process(dataset, instance, first, second)
    assert result.success
    commit = head(dataset)
    assert run_in(dataset.layout.dataset, "git", "rev-parse", "HEAD^") == before
    assert materialized(instance, "saved_results") == {first, second}
    event = instance.get_latest_materialization_event(dg.AssetKey("saved_results"))
    assert event.asset_materialization.metadata["commit"].value == commit
    assert event.asset_materialization.tags["dagster/data_version"] == commit
    assert f"badc batch --again artifacts/runs/{result.run_id}.json" in run_in(
        dataset.layout.dataset, "git", "log", "-1", "--format=%B"
    )
    assert process(dataset, instance, first, second).success
    assert head(dataset) == commit


def test_a_commit_that_commands_made_is_on_record_too(dataset, instance):
    first, second, _ = dataset.recording_ids
    dataset.chunk()
    dataset.analyse()
    commit = stages.saved(dataset.project, dataset.recording_ids)
    report_files(dataset.project, instance)
    assert {first, second} <= materialized(instance, "saved_results")
    event = instance.get_latest_materialization_event(dg.AssetKey("saved_results"))
    assert event.asset_materialization.tags["dagster/data_version"] == commit
    assert report_files(dataset.project, instance).materializations == 0


def test_what_a_red_run_finished_is_saved_afterwards(dataset, instance):
    first, _, bad = dataset.recording_ids
    before = head(dataset)
    result = process(dataset, instance, first, bad)
    assert not result.success
    assert head(dataset) == before
    (event,) = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    context = dg.build_run_status_sensor_context("x", event, instance, instance.get_run_by_id(result.run_id))
    repository = build_definitions(dataset.project).get_repository_def()
    request = repository.get_sensor_def("save_after_failure")(context.for_run_failure())
    assert request.job_name == "save_results"
    job = build_definitions(dataset.project).resolve_job_def("save_results")
    assert job.execute_in_process(instance=instance, tags=request.tags).success
    assert run_in(dataset.layout.dataset, "git", "rev-parse", "HEAD^") == before
    assert materialized(instance, "saved_results") == set(dataset.recording_ids)
    assert run_in(dataset.layout.dataset, "git", "status", "--porcelain") == ""


def test_saving_is_part_of_the_graph_only_where_results_are_saved(tmp_path, dataset, monkeypatch):
    def names(project: Project) -> set[str]:
        return {spec.key.to_user_string() for spec in build_definitions(project).resolve_all_asset_specs()}

    assert "saved_results" in names(dataset.project)
    assert "saved_results" not in names(Project.model_validate({"dataset": tmp_path}))
    monkeypatch.setenv("BADC_DISABLE_DATALAD", "1")
    assert "saved_results" not in names(dataset.project)


def test_only_one_batch_is_saved_at_a_time(dataset):
    graph = build_definitions(dataset.project).resolve_asset_graph()
    (made,) = [one for one in graph.assets_defs if dg.AssetKey("saved_results") in one.keys]
    assert made.op.pool == "datalad"
    assert PER_RECORDING == ("recordings", "chunk_manifest", "chunk_status", "detections")
