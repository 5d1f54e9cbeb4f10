from __future__ import annotations

import dagster as dg
import pytest


@pytest.fixture
def instance():
    """An instance on disk that goes away."""
    with dg.instance_for_test() as fresh:
        yield fresh
