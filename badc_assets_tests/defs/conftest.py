from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from badc_assets.project import Project
from badc_assets_tests.datasets import Dataset, make_dataset
from badc_assets_tests.defs.running import PER_RECORDING, run_assets
from badc_assets_tests.instances import new_instance

CHUNKING = {"length_s": 2}


@pytest.fixture
def instance():
    """An instance on disk that goes away."""
    with new_instance() as fresh:
        yield fresh


@pytest.fixture(scope="session")
def _finished_once(tmp_path_factory) -> Path:
    """A dataset of three recordings that went through the whole graph, in `data`, and its instance, in `home`."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "home").mkdir()
    with new_instance(folder / "home") as instance:
        dataset = make_dataset(folder / "data", 3, chunking=CHUNKING)
        assert run_assets(dataset.project, instance, ["recording_catalog"]).success
        assert run_assets(dataset.project, instance, (*PER_RECORDING, "report_bundle"), dataset.recording_ids).success
        assert run_assets(dataset.project, instance, ["detection_aggregates", "dataset_report"]).success
    return folder


@pytest.fixture
def finished(_finished_once, tmp_path) -> Dataset:
    """A copy of it, times and all."""
    shutil.copytree(_finished_once / "data", tmp_path, dirs_exist_ok=True)
    ids = sorted(path.stem for path in (tmp_path / "audio").iterdir())
    return Dataset(Project.model_validate({"dataset": tmp_path, "chunking": CHUNKING}), tuple(ids))


@pytest.fixture
def finished_instance(_finished_once, tmp_path_factory):
    """A copy of its instance."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(_finished_once / "home", home, dirs_exist_ok=True)
    with new_instance(home) as instance:
        yield instance
