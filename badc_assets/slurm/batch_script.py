"""The bash script of an array job whose tasks report to whoever waits for them."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from badc_assets.layout import Layout
from badc_assets.slurm.options import SbatchOptions
from badc_assets.slurm.profiles import NodeSettings
from badc_assets.slurm.splitting import array_range
from badc_assets.slurm.submission import Submission

TASK_MODULE = "badc_assets.slurm.task"


def batch_script(
    submission: Submission, *, tasks: int, options: SbatchOptions, throttle: int, node: NodeSettings, layout: Layout
) -> str:
    """Each task is told its number by SLURM, and reads in the plan which recordings are its own.

    `--requeue`: a task that makes room for others, or whose node is lost, begins again and finds its journals; its log goes on.
    """
    log = str(submission.folder / "logs").replace("%", "%%")
    lines = [
        "#!/usr/bin/env bash",
        f"#SBATCH --job-name={submission.name}",
        f"#SBATCH --array={array_range(tasks, throttle)}",
        f'#SBATCH --output="{log}/%a.log"',
        "#SBATCH --open-mode=append",
        "#SBATCH --requeue",
        *options.directives(),
        "set -eo pipefail",
        'echo "task $SLURM_ARRAY_TASK_ID of job $SLURM_ARRAY_JOB_ID on $(hostname)"',
        *(f"module load {shlex.quote(module)}" for module in node.modules),
        *node.setup,
        *_exports(node, os.environ),
        f"exec {shlex.join(_command(submission, node, layout))}",
    ]
    return "\n".join(lines) + "\n"


def _exports(node: NodeSettings, here: Mapping[str, str]) -> list[str]:
    variables = dict(node.variables)
    if not node.container and here.get("PYTHONPATH"):
        variables.setdefault("PYTHONPATH", here["PYTHONPATH"])
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    if node.scratch:
        # In double quotes, so that the shell of the node says what a variable in it is.
        lines.append(f'export TMPDIR="{node.scratch}"; mkdir -p "$TMPDIR"')
    return lines


def _command(submission: Submission, node: NodeSettings, layout: Layout) -> list[str]:
    if not node.container:
        return [node.python or sys.executable, "-m", TASK_MODULE, str(submission.folder)]
    places = dict.fromkeys(str(place) for place in (layout.dataset, layout.output))
    binds = [word for place in places for word in ("--bind", place)]
    program = [node.python or "python", "-m", TASK_MODULE, str(submission.folder)]
    return ["apptainer", "exec", *node.container_options, *binds, str(Path(node.container).expanduser()), *program]
