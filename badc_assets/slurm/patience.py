"""SLURM's queue as it is seen by somebody who can wait: times without an answer are told once and survived."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from badc_assets.slurm.gateway import SlurmGateway, SlurmSilent
from badc_assets.slurm.states import VANISHED, TaskId, TaskState

CANCEL_S = 30.0
"""How long it is tried to tell SLURM that tasks are not wanted any more."""
END_S = 5.0
"""How long they are then watched: SLURM gives them half a minute to end, and sees to it."""


@dataclass(frozen=True)
class Passing:
    """How time passes."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class PatientQueue:
    """Looks at tasks, and cancels them."""

    def __init__(self, slurm: SlurmGateway, passing: Passing, say: Callable[[str], None]) -> None:
        self._slurm = slurm
        self._passing = passing
        self._say = say
        self._is_silent = False

    def states(self, tasks: Sequence[TaskId]) -> dict[TaskId, TaskState]:
        """The state of each task; of some there may be none just now. What SLURM has forgotten is VANISHED."""
        try:
            known = self._slurm.tasks(sorted({task.job for task in tasks}))
            states = {task: self._whole(task, known.get(task)) for task in tasks}
        except SlurmSilent as silent:
            if not self._is_silent:
                self._say(f"SLURM gives no answer ({silent}); its tasks are waited for.")
            self._is_silent = True
            return {}
        if self._is_silent:
            self._say("SLURM answers again.")
        self._is_silent = False
        return states

    def _whole(self, task: TaskId, state: TaskState | None) -> TaskState:
        """The queue does not say why a task failed."""
        if state is not None and state.name not in ("FAILED", "NODE_FAIL"):
            return state
        return self._slurm.detail(task) or state or TaskState(VANISHED)

    def cancel(self, names: Sequence[str], tasks: Sequence[TaskId]) -> bool:
        """Cancel these jobs. True when SLURM has taken that on; their tasks may need a moment to end."""
        deadline = self._passing.now() + CANCEL_S
        while not self._is_cancelled(names):
            if self._passing.now() >= deadline:
                return False
            self._passing.sleep(1.0)
        deadline = self._passing.now() + END_S
        while self._run(tasks) and self._passing.now() < deadline:
            self._passing.sleep(0.5)
        return True

    def _is_cancelled(self, names: Sequence[str]) -> bool:
        try:
            self._slurm.cancel(names)
        except SlurmSilent as silent:
            self._say(f"SLURM gives no answer ({silent}).")
            return False
        return True

    def _run(self, tasks: Sequence[TaskId]) -> bool:
        try:
            known = self._slurm.tasks(sorted({task.job for task in tasks}))
        except SlurmSilent:
            return True
        return any(state.is_live for state in known.values())
