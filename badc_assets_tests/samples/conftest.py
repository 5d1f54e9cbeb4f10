"""The sample dataset, made once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from badc_assets.samples.synthesis import SampleDataset, make_sample_dataset


@pytest.fixture(scope="session")
def sample_dataset(tmp_path_factory: pytest.TempPathFactory) -> SampleDataset:
    """Shared: a test that changes files works on a copy."""
    folder: Path = tmp_path_factory.mktemp("samples") / "dataset"
    return make_sample_dataset(folder)
