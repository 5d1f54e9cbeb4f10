"""The Dagster instance of the project, as commands and their child processes see it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from badc_assets.errors import BadcError
from badc_assets.upkeep.storage.chosen import chosen_home
from badc_assets.upkeep.storage.kinds import INSTANCE_FILE, InstanceStorage, storage_of

STORAGE = Path("data/dagster")


def instance_environment() -> dict[str, str]:
    """The environment for Dagster commands: DAGSTER_HOME is as it is set, else what `badc instance use` chose, else the present
    folder.

    Raises BadcError when that folder has no dagster.yaml.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or chosen_home(Path.cwd()) or Path.cwd())
    if not (home / INSTANCE_FILE).is_file():
        raise BadcError(home, "there is no dagster.yaml", "run from the repository's folder or set DAGSTER_HOME")
    # The folder of this interpreter comes first on PATH: git-annex and dagster are installed there.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "DAGSTER_HOME": str(home), "PATH": path}


def instance_storage(environment: Mapping[str, str]) -> InstanceStorage:
    """Where the instance of this environment keeps its history."""
    return storage_of(Path(environment["DAGSTER_HOME"]) / INSTANCE_FILE, environment, STORAGE)


def passed_over_home(environment: Mapping[str, str]) -> Path | None:
    """The home that `badc instance use` chose, when DAGSTER_HOME names another."""
    chosen = chosen_home(Path.cwd())
    return chosen if chosen is not None and not chosen.samefile(environment["DAGSTER_HOME"]) else None


def migrate_once(environment: Mapping[str, str]) -> None:
    """Set up a new instance, under a lock: processes that start together on an empty one break it for good."""
    storage = instance_storage(environment)
    storage.reach()
    if storage.is_set_up():
        return
    with storage.locked():
        if storage.is_set_up():
            return
        command = [sys.executable, "-m", "dagster", "instance", "migrate"]
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
        if done.returncode:
            reason = done.stderr.strip()[-300:]
            raise BadcError(storage.description, f"Dagster could not set it up ({reason})", "empty it and start again")
        storage.mark_set_up()


def prepare_instance(lost_machine: str = "") -> dict[str, str]:
    """The environment for Dagster commands, with an instance that is set up and free of what killed runs held. Runs on
    `lost_machine` count as killed."""
    environment = instance_environment()
    import dagster as dg

    from badc_assets.defs.recovery import mend_dead_runs

    migrate_once(environment)
    os.environ.update(environment)
    with dg.DagsterInstance.get() as instance:
        for run_id in mend_dead_runs(instance, lost_machine):
            print(f"Run {run_id} had been killed; its slots are free again.")
    return environment
