"""A SLURM that does what a test says. Tasks run when the queue is looked at, and what they report is made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from badc_assets.detections.store import ResultStatus
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.slurm.events import Ended, Started, Stopped, append_event
from badc_assets.slurm.gateway import Partition, SlurmSilent
from badc_assets.slurm.patience import Passing
from badc_assets.slurm.states import TaskId, TaskState
from badc_assets.slurm.submission import Submission


@dataclass(frozen=True)
class Job:
    """An array that was taken: the options of its script, and the recordings of its tasks. `number` counts arrays from 1."""

    number: int
    submission: Submission
    options: dict[str, str]
    tasks: list[list[str]]
    run_id: str


@dataclass(frozen=True)
class Fate:
    """How a task ends, after `done` of its recordings (None: all), of which those in `failing` have an error."""

    state: TaskState = field(default_factory=lambda: TaskState("COMPLETED"))
    done: int | None = None
    failing: frozenset[str] = frozenset()
    stopped: Stopped | None = None
    begins: bool = True


@dataclass
class FakeSlurm:
    """`fate` decides over each task. `answers` are what the next calls raise, None for an answer; then all are answered."""

    fate: Callable[[Job, int], Fate] = lambda job, index: Fate()
    max_array: int = 1001
    submissions: list[Exception | None] = field(default_factory=list)
    looks: list[Exception | None] = field(default_factory=list)
    cancels: list[Exception | None] = field(default_factory=list)
    forgets: set[str] = field(default_factory=set)
    is_stuck: bool = False
    jobs: dict[str, Job] = field(default_factory=dict)
    states: dict[TaskId, TaskState] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)

    def submit(self, script: Path) -> str:
        trouble = self.submissions.pop(0) if self.submissions else None
        if trouble is not None and not isinstance(trouble, TakenInSilence):
            raise trouble
        submission = Submission(script.parent)
        plan = json.loads(submission.plan.read_text())
        marked = [line for line in script.read_text().splitlines() if line.startswith("#SBATCH --")]
        halves = [line.removeprefix("#SBATCH --").partition("=") for line in marked]
        options = {name: value for name, _, value in halves}
        number = str(100 + len(self.jobs))
        self.jobs[number] = Job(len(self.jobs) + 1, submission, options, plan["tasks"], plan["run_id"])
        self.states |= {TaskId(number, index): TaskState("PENDING") for index in range(len(plan["tasks"]))}
        if trouble is not None:
            raise trouble
        return number

    def find(self, name: str) -> str | None:
        return next((number for number, job in self.jobs.items() if job.submission.name == name), None)

    def tasks(self, jobs: Sequence[str]) -> dict[TaskId, TaskState]:
        trouble = self.looks.pop(0) if self.looks else None
        if trouble is not None:
            raise trouble
        asked = {task: state for task, state in self.states.items() if task.job in jobs}
        for task, state in asked.items():
            if state.is_live and not self.is_stuck:
                self._run(task)
        return {task: self.states[task] for task in asked if task.job not in self.forgets}

    def detail(self, task: TaskId) -> TaskState | None:
        return None if task.job in self.forgets else self.states.get(task)

    def cancel(self, names: Sequence[str]) -> None:
        trouble = self.cancels.pop(0) if self.cancels else None
        if trouble is not None:
            raise trouble
        self.cancelled += names
        for task, state in self.states.items():
            if self.jobs[task.job].submission.name in names and state.is_live:
                self.states[task] = TaskState("CANCELLED")

    def max_array_size(self) -> int:
        return self.max_array

    def partitions(self) -> list[Partition]:
        return [Partition("gpu", is_up=True, nodes=1, gres="gpu:2", time_limit="infinite"),
                Partition("old", is_up=False, nodes=1, gres="", time_limit="1:00:00")]  # fmt: skip

    def _run(self, task: TaskId) -> None:
        job = self.jobs[task.job]
        fate, events = self.fate(job, task.index), job.submission.events(task.index)
        self.states[task] = fate.state
        if not fate.begins:
            return
        append_event(events, Started("node"))
        recordings = job.tasks[task.index]
        for recording_id in recordings[: len(recordings) if fate.done is None else fate.done]:
            error = "it is too loud" if recording_id in fate.failing else ""
            append_event(events, DetectionOutcome(recording_id, made_up_result(recording_id, job.run_id, error)))
        if fate.stopped is not None:
            append_event(events, fate.stopped)
        elif fate.done is None:
            append_event(events, Ended())


class TakenInSilence(SlurmSilent):
    """The job is taken, and the answer is lost."""


@dataclass
class FakeTime:
    """Time that passes only where somebody waits."""

    seconds: float = 0.0

    @property
    def passing(self) -> Passing:
        return Passing(lambda: self.seconds, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds
        assert self.seconds < 100_000, "nothing happens any more"


def made_up_result(recording_id: str, run_id: str, error: str = "") -> ResultStatus:
    return ResultStatus(
        recording_id=recording_id,
        status="failed" if error else "completed",
        key="key",
        manifest_digest="digest",
        detections=0,
        audio_ms=1000,
        detector="energy",
        model_version="1",
        run_id=run_id,
        finished_at="2023-05-08T04:00:00+00:00",
        seconds=1.0,
        error=error,
    )
