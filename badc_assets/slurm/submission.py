"""An array job on disk: a folder below `artifacts/slurm` with what its tasks are to do, its script, their events and logs.

Whoever submitted it holds the lock of the folder while it watches. So a lock that can be had belongs to an array that nobody
waits for any more; see `abandoned.py`.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from badc_assets.errors import BadcError
from badc_assets.files import write_json
from badc_assets.layout import Layout
from badc_assets.project import Project

LOG_LINES = 20
_LOG_BYTES = 16_384


@dataclass(frozen=True)
class Submission:
    """The places of an array job. The name of the folder is that of the job."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def script(self) -> Path:
        return self.folder / "script.sh"

    @property
    def plan(self) -> Path:
        return self.folder / "plan.json"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    def events(self, task: int) -> Path:
        return self.folder / "events" / f"{task}.jsonl"

    def log(self, task: int) -> Path:
        return self.folder / "logs" / f"{task}.log"

    @property
    def is_closed(self) -> bool:
        """No task of it is left."""
        return (self.folder / "closed").exists()

    def close(self) -> None:
        (self.folder / "closed").touch()

    def log_tail(self, task: int) -> str:
        """The last lines that a task and SLURM wrote; empty where there are none."""
        try:
            with self.log(task).open("rb") as file:
                file.seek(max(file.seek(0, 2) - _LOG_BYTES, 0))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return "\n".join([line for line in lines if line.strip()][-LOG_LINES:])


@dataclass(frozen=True)
class Plan:
    """What the tasks of an array are to do: `tasks[i]` are the recordings of the task with number i."""

    run_id: str
    project: Project
    tasks: tuple[tuple[str, ...], ...]


def new_submission(layout: Layout, run_id: str) -> Submission:
    """A folder with a name that no other job has."""
    return Submission(layout.slurm_dir / f"badc-{run_id[:8]}-{secrets.token_hex(3)}")


def all_submissions(layout: Layout) -> list[Submission]:
    return [Submission(folder) for folder in sorted(layout.slurm_dir.glob("badc-*")) if folder.is_dir()]


def write_plan(submission: Submission, plan: Plan) -> None:
    """Settings that are the default are left out: JSON would make 40.0 of a 40, and their hashes differ."""
    layout = plan.project.layout
    settings: dict[str, Any] = plan.project.model_dump(mode="json", exclude_defaults=True)
    settings |= {"dataset": str(layout.dataset), "audio": str(layout.audio), "output": str(layout.output)}
    for name in ("events", "logs"):
        (submission.folder / name).mkdir(parents=True, exist_ok=True)
    write_json(submission.plan, {"run_id": plan.run_id, "project": settings, "tasks": plan.tasks})


def read_plan(submission: Submission) -> Plan:
    """Raises BadcError where there is none that this version can read."""
    try:
        value = json.loads(submission.plan.read_bytes())
        project = Project.model_validate(value["project"])
        return Plan(value["run_id"], project, tuple(tuple(task) for task in value["tasks"]))
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise BadcError(submission.plan, f"is no plan of an array job ({error})", "start the run again") from error
