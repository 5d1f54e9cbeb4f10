"""Acoustic indices through Dagster: on demand only, each recording for itself."""

from __future__ import annotations

import dagster as dg
import pytest

from badc_assets.definitions import build_definitions
from badc_assets.project import Project
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import failure_text, materialized, run_assets

CHUNKS = ("recordings", "chunk_manifest", "chunk_status")


@pytest.fixture
def dataset(tmp_path, instance):
    made = make_dataset(tmp_path, 3, bad=(1,))
    run_assets(made.project, instance, ["recording_catalog"])
    run_assets(made.project, instance, CHUNKS, made.recording_ids)
    return made


def test_good_recordings_are_done_and_bad_ones_named(dataset, instance):
    first, bad, third = dataset.recording_ids
    result = run_assets(dataset.project, instance, ["acoustic_indices"], dataset.recording_ids)
    assert not result.success
    assert bad in failure_text(result)
    assert materialized(instance, "acoustic_indices") == {first, third}
    assert dataset.layout.indices(first).is_file()
    assert not dataset.layout.indices(bad).exists()
    assert [e.check_name for e in result.get_asset_check_evaluations()] == ["indices_in_bounds"]


def test_one_recording_with_its_check_and_nothing_the_second_time(dataset, instance):
    (first, *_) = dataset.recording_ids
    for unchanged in (False, True):
        result = run_assets(dataset.project, instance, ["acoustic_indices"], [first])
        assert result.success
        (event,) = result.asset_materializations_for_node("acoustic_indices")
        assert event.metadata["unchanged"].value is unchanged
        assert event.metadata["dagster/row_count"].value == 3
        (evaluation,) = result.get_asset_check_evaluations()
        assert (evaluation.check_name, evaluation.passed) == ("indices_in_bounds", True)


def test_without_the_library_the_step_fails_with_one_line(tmp_path, instance, monkeypatch):
    dataset = make_dataset(tmp_path, 1)
    run_assets(dataset.project, instance, ["recording_catalog"])
    monkeypatch.setattr("badc_assets.chunks.indices.scikit_maad.DISTRIBUTION", "scikit-maad-not-installed")
    result = run_assets(dataset.project, instance, ["acoustic_indices"], [dataset.recording_ids[0]])
    assert not result.success
    text = failure_text(result)
    assert "pip install 'badc-assets[indices]'" in text
    assert "\n" not in text


def test_their_settings_change_their_code_version_only(tmp_path):
    def versions(**tables) -> dict[str, str | None]:
        project = Project.model_validate({"dataset": tmp_path, **tables})
        return {s.key.to_user_string(): s.code_version for s in build_definitions(project).resolve_all_asset_specs()}

    plain, other = versions(), versions(indices={"window": 1024})
    assert {name for name in plain if plain[name] != other[name]} == {"acoustic_indices"}


def test_no_job_takes_them_along(tmp_path):
    repository = build_definitions(Project.model_validate({"dataset": tmp_path})).get_repository_def()
    for job in repository.get_all_jobs():
        if not job.name.startswith("__"):
            assert dg.AssetKey("acoustic_indices") not in job.asset_layer.selected_asset_keys
