"""The recipe for a container."""

from __future__ import annotations

from badc_assets_tests import test_containers as containers
from badc_assets_tests.compared.rows import compared


@compared(
    "B22",
    situation="The recipe for a container of the cluster",
    badc="Its Python is older than the program needs, torch is missing, and HawkEars' files are not found",
    ours="A Python that the project supports, packages pinned as in `constraints.txt`; HawkEars has an environment of its own",
)
def test_the_recipe_fits_the_project():
    containers.test_both_start_from_one_python_that_the_project_supports()
    containers.test_every_package_is_pinned()
    assert "torch" in containers.constraints()
    containers.test_the_manual_names_paths_and_options_that_are_there()
