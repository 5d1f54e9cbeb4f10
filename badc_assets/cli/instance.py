"""The Dagster instance of the project, as commands and their child processes see it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from badc_assets.errors import BadcError
from badc_assets.files import exclusive

STORAGE = Path("data/dagster")


def prepare_instance() -> dict[str, str]:
    """The environment for Dagster commands, with an instance that is ready for several first users at once.

    DAGSTER_HOME is the present folder unless it is set. A new instance is migrated once under a lock: processes that
    start together on an empty one break it for good.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or Path.cwd())
    if not (home / "dagster.yaml").is_file():
        raise BadcError(home, "there is no dagster.yaml", "run from the repository's folder or set DAGSTER_HOME")
    # The folder of this interpreter comes first on PATH: git-annex and dagster are installed there.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "DAGSTER_HOME": str(home), "PATH": path}
    import dagster as dg

    from badc_assets.defs.recovery import mend_dead_runs

    marker = STORAGE / ".migrated"
    with exclusive(STORAGE / ".migrate.lock"):
        if not marker.exists():
            command = [sys.executable, "-m", "dagster", "instance", "migrate"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BadcError(STORAGE, f"Dagster could not set it up ({done.stderr.strip()[-300:]})", "remove it")
            marker.touch()
    os.environ.update(environment)
    with dg.DagsterInstance.get() as instance:
        for run_id in mend_dead_runs(instance):
            print(f"Run {run_id} had been killed; its slots are free again.")
    return environment
