"""The Dagster instance of the project, as commands and their child processes see it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from badc_assets.errors import BadcError
from badc_assets.files import exclusive

STORAGE = Path("data/dagster")
_MARKER = STORAGE / ".migrated"


def instance_environment() -> dict[str, str]:
    """The environment for Dagster commands: DAGSTER_HOME is the present folder unless it is set.

    Raises BadcError when that folder has no dagster.yaml.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or Path.cwd())
    if not (home / "dagster.yaml").is_file():
        raise BadcError(home, "there is no dagster.yaml", "run from the repository's folder or set DAGSTER_HOME")
    # The folder of this interpreter comes first on PATH: git-annex and dagster are installed there.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "DAGSTER_HOME": str(home), "PATH": path}


def is_migrated() -> bool:
    """Whether the instance has been set up."""
    return _MARKER.exists()


def migrate_once(environment: dict[str, str]) -> None:
    """Set up a new instance, under a lock: processes that start together on an empty one break it for good."""
    with exclusive(STORAGE / ".migrate.lock"):
        if is_migrated():
            return
        command = [sys.executable, "-m", "dagster", "instance", "migrate"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BadcError(STORAGE, f"Dagster could not set it up ({done.stderr.strip()[-300:]})", "remove it")
        _MARKER.touch()


def prepare_instance() -> dict[str, str]:
    """The environment for Dagster commands, with an instance that is set up and free of what killed runs held."""
    environment = instance_environment()
    import dagster as dg

    from badc_assets.defs.recovery import mend_dead_runs

    migrate_once(environment)
    os.environ.update(environment)
    with dg.DagsterInstance.get() as instance:
        for run_id in mend_dead_runs(instance):
            print(f"Run {run_id} had been killed; its slots are free again.")
    return environment
