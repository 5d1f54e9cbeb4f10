"""A task of an array, as it is seen from where its outcomes are waited for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.slurm.events import Ended, EventFile, Started, Stopped
from badc_assets.slurm.options import SbatchOptions
from badc_assets.slurm.states import TaskId
from badc_assets.slurm.submission import Submission
from badc_assets.slurm.submitting import Handover


@dataclass
class WatchedTask:
    """`left` are recordings without an outcome. `failed` are held back until it is known how the task ended: what failed
    because there was too little memory is worth another task."""

    id: TaskId
    submission: Submission
    options: SbatchOptions
    attempt: int
    left: dict[str, None]
    events: EventFile
    failed: dict[str, DetectionOutcome] = field(default_factory=dict)
    has_started: bool = False
    has_ended: bool = False
    stopped: Stopped | None = None
    well_since: float | None = None
    is_held: bool = False

    def news(self, run_id: str) -> Iterator[DetectionOutcome]:
        """What has become final since the last look."""
        for event in self.events.news():
            if isinstance(event, Started):
                # SLURM has begun it anew: what it said before it was stopped does not count.
                self.has_started, self.has_ended, self.stopped = True, False, None
            elif isinstance(event, Stopped):
                self.stopped = event
            elif isinstance(event, Ended):
                self.has_ended = True
            else:
                yield from self._outcome(event, run_id)

    def _outcome(self, outcome: DetectionOutcome, run_id: str) -> Iterator[DetectionOutcome]:
        recording_id = outcome.recording_id
        if recording_id not in self.left and recording_id not in self.failed:
            return
        self.left.pop(recording_id, None)
        self.failed.pop(recording_id, None)
        if outcome.is_complete or outcome.is_orphan:
            # A task that began anew finds what this run has made before.
            is_ours = outcome.result is not None and outcome.result.run_id == run_id
            yield replace(outcome, was_reused=outcome.was_reused and not is_ours)
        else:
            self.failed[recording_id] = outcome


def watched(handover: Handover, job: str) -> list[WatchedTask]:
    """The tasks of an array that SLURM has taken."""
    return [
        WatchedTask(
            TaskId(job, number),
            handover.submission,
            handover.options,
            handover.attempt,
            dict.fromkeys(recordings),
            EventFile(handover.submission.events(number)),
        )
        for number, recordings in enumerate(handover.tasks)
    ]
