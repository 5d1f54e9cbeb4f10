"""A SLURM array job over the recordings of a dataset, as one bash script, without Dagster and without a daemon.

Run by `bash`, the script submits itself and, where wanted, the job that gathers the results when all tasks have ended. Run by
SLURM it is one task. Every task finds what is done already: a requeued one goes on where it was, and so does the whole script.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from badc_assets.errors import BadcError

MAX_ARRAY = 1000
"""SLURM's own limit is 1001 (MaxArraySize), counted from 0."""


@dataclass(frozen=True)
class SlurmOptions:
    """What `sbatch` is told; empty for what the cluster decides. `throttle` is how many tasks may run at a time, 0 for all."""

    job_name: str = "badc-infer"
    account: str = ""
    partition: str = ""
    gres: str = ""
    time: str = ""
    cpus_per_task: str = ""
    mem: str = ""
    log_dir: str = ""
    throttle: int = 0
    max_array: int = MAX_ARRAY

    def directives(self, tasks: int) -> list[str]:
        """The `#SBATCH` lines of the array. Raises BadcError for a value that SLURM would take for two."""
        named = {
            "job-name": self.job_name, "account": self.account, "partition": self.partition, "gres": self.gres,
            "time": self.time, "cpus-per-task": self.cpus_per_task, "mem": self.mem,
        }  # fmt: skip
        for name, value in named.items():
            if any(character.isspace() for character in value):
                raise BadcError(f"--sockeye-{name}", f"holds a blank ({value!r})", "SLURM takes one word here")
        lines = [f"--{name}={value}" for name, value in named.items() if value]
        lines.append(f"--array=1-{tasks}" + (f"%{self.throttle}" if self.throttle else ""))
        lines.append("--requeue")
        # The log of a requeued task goes on where it was.
        lines.append("--open-mode=append")
        return [f"#SBATCH {line}" for line in lines]


@dataclass(frozen=True)
class ArrayJob:
    """`manifests` are relative to `folder`, from which everything runs. `command` gets them as arguments; `after` is run when all
    tasks have ended, however. `environment` is set for both."""

    folder: Path
    manifests: Sequence[str]
    command: Sequence[str]
    after: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    options: SlurmOptions = SlurmOptions()

    @property
    def per_task(self) -> int:
        """Recordings of one task: as few as the length of an array allows."""
        return -(-len(self.manifests) // self.options.max_array)

    @property
    def tasks(self) -> int:
        return -(-len(self.manifests) // self.per_task)


def array_script(job: ArrayJob) -> str:
    """The text of the script. Raises BadcError when there is nothing to do."""
    if not job.manifests:
        raise BadcError("--sockeye-script", "would have no tasks: nothing is left to analyse", "--include-existing")
    log_dir = job.options.log_dir or "artifacts/logs/slurm"
    manifests = "\n".join(f"  {shlex.quote(manifest)}" for manifest in job.manifests)
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(job.environment.items()))
    return _SCRIPT.format(
        directives="\n".join(job.options.directives(job.tasks)),
        folder=shlex.quote(str(job.folder)),
        log_dir=shlex.quote(log_dir),
        exports=exports,
        manifests=manifests,
        per_task=job.per_task,
        submission=_submission(job),
        command=shlex.join(job.command),
    )


def _submission(job: ArrayJob) -> str:
    submit = 'array=$(sbatch --parsable --output="$LOGS/%x-%A_%a.out" "$SCRIPT")\n  array=${array%%;*}'
    lines = [submit, 'echo "array job $array"']
    if job.after:
        options = job.options
        asked = [f"--job-name={options.job_name}-after"]
        asked += [f"--account={options.account}"] if options.account else []
        asked += ["--dependency=afterany:$array", "--output=$LOGS/%x-%j.out"]
        # The command is quoted for the shell that --wrap starts, and once more for this one.
        wrapped = shlex.quote(f"cd {shlex.quote(str(job.folder))} && {shlex.join(job.after)}")
        lines.append(
            f'echo "results: job $(sbatch --parsable {" ".join(_double(word) for word in asked)} --wrap={wrapped})"'
        )
    return "\n  ".join(lines)


def _double(word: str) -> str:
    """In double quotes, where only our own `$array` and `$LOGS` are names."""
    return f'"{word}"'


_SCRIPT = """#!/usr/bin/env bash
{directives}
# Submit with `bash`, not with `sbatch`: it submits itself, and what comes after it.
set -euo pipefail

FOLDER={folder}
cd "$FOLDER"
LOGS={log_dir}
mkdir -p "$LOGS"
{exports}

if [ -z "${{SLURM_ARRAY_TASK_ID:-}}" ]; then
  SCRIPT=$(cd "$OLDPWD" && realpath "${{BASH_SOURCE[0]}}")
  {submission}
  exit 0
fi

MANIFESTS=(
{manifests}
)
PER_TASK={per_task}
MINE=("${{MANIFESTS[@]:(SLURM_ARRAY_TASK_ID - 1) * PER_TASK:PER_TASK}}")
echo "task $SLURM_ARRAY_TASK_ID on $(hostname): ${{#MINE[@]}} recordings, from ${{MINE[0]}}"
exec {command} "${{MINE[@]}}"
"""
