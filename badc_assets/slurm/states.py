"""The states of a task in SLURM's own words, and what they come to for us."""

from __future__ import annotations

from dataclasses import dataclass

LIVE = frozenset(
    {
        "PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING", "STAGE_OUT",
        "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT",
    }
)  # fmt: skip
HELD = frozenset({"REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"})
HELD_REASONS = frozenset(
    {
        "AccountNotAllowed", "BadConstraints", "InvalidAccount", "InvalidQOS", "JobHeldAdmin", "JobHeldUser",
        "JobHoldMaxRequeue", "PartitionNodeLimit", "PartitionTimeLimit", "launch_failed_requeued_held",
    }
)  # fmt: skip
"""Why a task waits that will not begin before somebody changes something."""
ENDED = frozenset(
    {
        "COMPLETED", "FAILED", "OUT_OF_MEMORY", "TIMEOUT", "DEADLINE", "NODE_FAIL", "BOOT_FAIL", "PREEMPTED",
        "CANCELLED", "REVOKED",
    }
)  # fmt: skip
VANISHED = "VANISHED"
"""Our word for a task that SLURM does not know any more, and of which nothing says how it ended."""
NEVER_RUNS = frozenset({"BadConstraints", "InvalidAccount", "InvalidQOS"})
"""Why a task has failed without having begun."""


@dataclass(frozen=True, order=True)
class TaskId:
    """A task of an array job."""

    job: str
    index: int

    def __str__(self) -> str:
        return f"{self.job}_{self.index}"


@dataclass(frozen=True)
class TaskState:
    """`name` is one of SLURM's states, `reason` why it waits or ended. `exit_code`, `signal` and `node` where they are known."""

    name: str
    reason: str = ""
    exit_code: int = 0
    signal: int = 0
    node: str = ""
    restarts: int = 0

    @property
    def is_live(self) -> bool:
        """It may still do something. A word that is new to us counts as live: SLURM forgets ended tasks by itself."""
        return self.name not in ENDED and self.name != VANISHED

    @property
    def is_held(self) -> bool:
        """It waits for a person."""
        return self.name in HELD or (self.name == "PENDING" and self.reason in HELD_REASONS)


def state_name(text: str) -> str:
    """`CANCELLED` of `CANCELLED by 1000`, and of `CANCELLED+`."""
    return (text.split() or [""])[0].rstrip("+").upper()
