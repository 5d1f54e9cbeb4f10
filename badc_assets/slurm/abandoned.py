"""Array jobs that nobody waits for any more: whoever submitted them was killed. What they have finished is kept."""

from __future__ import annotations

from badc_assets.files import exclusive
from badc_assets.layout import Layout
from badc_assets.slurm.gateway import SlurmGateway, SlurmSilent
from badc_assets.slurm.submission import Submission, all_submissions


def open_submissions(layout: Layout) -> list[Submission]:
    """Those that may have tasks."""
    return [submission for submission in all_submissions(layout) if not submission.is_closed]


def cancel_abandoned(layout: Layout, slurm: SlurmGateway) -> list[str]:
    """Cancel the tasks of abandoned jobs; their names. Those that cannot be cancelled now are found the next time.

    An array is cancelled by its name, which it has before it has a number.
    """
    cancelled = []
    for submission in open_submissions(layout):
        with exclusive(submission.lock, wait=False) as is_abandoned:
            if is_abandoned and _cancelled(submission, slurm):
                cancelled.append(submission.name)
    return cancelled


def _cancelled(submission: Submission, slurm: SlurmGateway) -> bool:
    try:
        slurm.cancel([submission.name])
    except SlurmSilent:
        return False
    submission.close()
    return True
