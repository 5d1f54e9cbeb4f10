"""What is done about a task that has ended: nothing, again, again with more, or no more."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum

from badc_assets.slurm.options import SbatchOptions, memory_mib, memory_text, minutes, time_text
from badc_assets.slurm.profiles import RetrySettings
from badc_assets.slurm.states import NEVER_RUNS, TaskState


class End(StrEnum):
    """How a task ended, in the words that a person is shown."""

    WELL = "ended well"
    OUT_OF_MEMORY = "ran out of memory"
    KILLED = "was killed, perhaps because it ran out of memory"
    TIME_LIMIT = "met its time limit"
    NODE_LOST = "lost its node"
    PREEMPTED = "had to make room for other work"
    CANCELLED = "was cancelled in SLURM"
    VANISHED = "is not known to SLURM any more"
    NEVER_RUNS = "can never run"
    FAILED = "failed"


_BY_STATE = {
    "COMPLETED": End.WELL,
    "OUT_OF_MEMORY": End.OUT_OF_MEMORY,
    "TIMEOUT": End.TIME_LIMIT,
    "DEADLINE": End.CANCELLED,
    "NODE_FAIL": End.NODE_LOST,
    "BOOT_FAIL": End.NODE_LOST,
    "PREEMPTED": End.PREEMPTED,
    "CANCELLED": End.CANCELLED,
    "REVOKED": End.CANCELLED,
    "VANISHED": End.VANISHED,
}
NEEDS_MEMORY = frozenset({End.OUT_OF_MEMORY, End.KILLED})
FOR_A_PERSON = frozenset({End.CANCELLED, End.NEVER_RUNS})
"""Not tried again: somebody wanted it so, or has to change something first."""


def end_of(state: TaskState) -> End:
    """How a task that is in this state ended. Without accounting and cgroups a task that was killed for its memory has only its
    signal to tell of it; a shell reports that as 128 and the signal."""
    if state.name == "FAILED":
        if state.reason in NEVER_RUNS:
            return End.NEVER_RUNS
        is_killed = signal.SIGKILL in (state.signal, state.exit_code - 128)
        return End.KILLED if is_killed else End.FAILED
    return _BY_STATE.get(state.name, End.FAILED)


@dataclass(frozen=True)
class Again:
    """Submit what is left with these options. `changed` says what is different, in words."""

    options: SbatchOptions
    changed: str = ""


@dataclass(frozen=True)
class GiveUp:
    """Leave it. `reason` says why, after how the task ended."""

    reason: str


def decide(end: End, attempt: int, options: SbatchOptions, rules: RetrySettings) -> Again | GiveUp:
    """What to do with the recordings that a task has left; `attempt` counts from 1, `options` is what it was given."""
    if end in FOR_A_PERSON:
        return GiveUp("")
    if attempt >= rules.attempts:
        return GiveUp(f"as did {attempt - 1} before it" if attempt > 1 else "")
    if end in NEEDS_MEMORY:
        return _more_memory(end, options, rules)
    if end is End.TIME_LIMIT:
        return _more_time(options, rules)
    return Again(options)


def _more_memory(end: End, options: SbatchOptions, rules: RetrySettings) -> Again | GiveUp:
    asked = options.memory
    if asked is None:
        # What the cluster gives by default is not known here. A kill may have had another reason.
        return Again(options) if end is End.KILLED else GiveUp("and the profile sets no `mem` that could be raised")
    name, mib = asked
    raised = _raised(mib, rules.memory_factor, memory_mib(rules.max_memory or "0"))
    if raised == mib:
        return Again(options) if end is End.KILLED else GiveUp(f"with {memory_text(mib)}, and may not have more")
    return Again(options.merged({name: memory_text(raised)}), f"{name}={memory_text(raised)}")


def _more_time(options: SbatchOptions, rules: RetrySettings) -> Again:
    """A task that met its limit got somewhere: its journals shorten the next one, so the same limit may do."""
    if options.minutes is None:
        return Again(options)
    raised = _raised(options.minutes, rules.time_factor, minutes(rules.max_time or "0"))
    if raised == options.minutes:
        return Again(options)
    return Again(options.merged({"time": time_text(raised)}), f"time={time_text(raised)}")


def _raised(amount: int, factor: float, limit: int) -> int:
    raised = max(round(amount * factor), amount)
    return max(min(raised, limit), amount) if limit else raised
