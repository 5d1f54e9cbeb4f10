"""What importing the code loads: a step process must start in seconds, and the domain must work without Dagster.

Each test imports in a fresh interpreter, since this one has everything loaded already.
"""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import badc_assets

HEAVY = ["torch", "transformers", "pandas", "duckdb", "datalad", "pyarrow", "soundfile", "soxr", "matplotlib", "maad"]
FRAMEWORKS = ["dagster", "dagster_duckdb", "dagster_postgres", "typer"]
OUTER = {"definitions", "defs", "cli"}

# Imports the modules named in argv[2] in order, and reports which of them first brought in a library named in argv[1].
PROBE = """
import importlib, json, sys
waiting, offenders = set(json.loads(sys.argv[1])), {}
for module in json.loads(sys.argv[2]):
    found = importlib.import_module(module)
    if module == "badc_assets.definitions":
        found.defs()
    loaded = waiting & set(sys.modules)
    if loaded:
        offenders[module] = sorted(loaded)
        waiting -= loaded
print(json.dumps(offenders))
"""


def first_loaders(unwanted: list[str], modules: list[str], dataset: Path) -> dict[str, list[str]]:
    """The modules whose import loads a library nothing before them had loaded, with those libraries."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(unwanted), json.dumps(modules)],
        env={**os.environ, "BADC_DATASET": str(dataset)},
        cwd=dataset,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def domain_modules() -> list[str]:
    """Every module of badc_assets outside Dagster's and the command line's folders."""
    found = pkgutil.walk_packages(badc_assets.__path__, "badc_assets.")
    return [module.name for module in found if module.name.split(".")[1] not in OUTER]


def test_the_code_location_loads_without_heavy_libraries(tmp_path):
    assert first_loaders(HEAVY, ["badc_assets.definitions"], tmp_path) == {}


def test_the_domain_loads_without_dagster_and_typer(tmp_path):
    modules = domain_modules()
    assert len(modules) > 10, modules
    assert first_loaders(FRAMEWORKS, modules, tmp_path) == {}


def test_the_probe_names_the_module_that_loads_a_library(tmp_path):
    assert first_loaders(["colorsys"], ["badc_assets.errors", "colorsys"], tmp_path) == {"colorsys": ["colorsys"]}
