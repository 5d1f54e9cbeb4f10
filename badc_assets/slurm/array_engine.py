"""Run a detector over recordings on the nodes of a cluster, and tell what became of each as if it had been run here.

It has the form of `inference.engine.Engine`. Whoever takes its outcomes stays where it is and needs little: it submits an array,
looks at the queue, and reads what the tasks report. The tasks do the work of a local run on the same files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from badc_assets.chunks.status import Clock
from badc_assets.errors import BadcError
from badc_assets.files import exclusive, write_text
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.inference.telemetry.run_log import NoLog, RunLog
from badc_assets.project import Project
from badc_assets.slurm.abandoned import cancel_abandoned
from badc_assets.slurm.batch_script import batch_script
from badc_assets.slurm.gateway import SlurmGateway
from badc_assets.slurm.options import SbatchOptions
from badc_assets.slurm.patience import Passing, PatientQueue
from badc_assets.slurm.profiles import ClusterProfile
from badc_assets.slurm.retries import NEEDS_MEMORY, Again, End, decide, end_of
from badc_assets.slurm.splitting import ArrayLimits, Sized, shares
from badc_assets.slurm.states import TaskId, TaskState
from badc_assets.slurm.submission import Plan, Submission, new_submission, write_plan
from badc_assets.slurm.submitting import Handover
from badc_assets.slurm.triage import needing_nodes
from badc_assets.slurm.watched import WatchedTask, watched

LATE_FILES_S = 60.0
"""How long a shared file system may take to show here what a task wrote before it ended well."""
NEVER_BEGAN = 3
"""When this many tasks failed before our program began in them, and it began in none, it will not in others."""
TELL_EACH_S = 60.0


@dataclass(frozen=True)
class ArrayEngine:
    """A detector, a cluster, and what its tasks ask for."""

    project: Project
    profile: ClusterProfile
    options: SbatchOptions
    slurm: SlurmGateway
    clock: Clock
    run_id: str
    say: Callable[[str], None]
    log: RunLog = field(default_factory=NoLog)
    passing: Passing = field(default_factory=Passing)

    def run(self, recording_ids: Iterable[str]) -> Iterator[DetectionOutcome]:
        """Analyse the recordings; yields what became of each as soon as it is known, in whatever order.

        When the block that takes the outcomes ends, however it does, no task is left. Raises BadcError when SLURM does not take
        the work, or when a task says that no task could do it; what was finished until then is kept.
        """
        with ExitStack() as stack:
            yield from _ArrayRun(self, stack).outcomes(recording_ids)


class _ArrayRun:
    """One call of `ArrayEngine.run`: arrays that wait to be submitted, and tasks that are watched."""

    def __init__(self, engine: ArrayEngine, stack: ExitStack) -> None:
        self._engine = engine
        self._stack = stack
        self._layout = engine.project.layout
        self._queue = PatientQueue(engine.slurm, engine.passing, engine.say)
        self._submissions: list[Submission] = []
        self._handovers: list[Handover] = []
        self._tasks: list[WatchedTask] = []
        self._again: list[tuple[tuple[str, ...], SbatchOptions, int]] = []
        self._has_begun = False
        self._never_began = 0
        self._told: tuple[Counter[str], float] = (Counter(), -TELL_EACH_S)

    def outcomes(self, recording_ids: Iterable[str]) -> Iterator[DetectionOutcome]:
        for name in cancel_abandoned(self._layout, self._engine.slurm):
            self._engine.say(f"Cancelled {name}, which an earlier run that was killed has left behind.")
        work: list[Sized] = []
        for found in needing_nodes(self._engine.project, self._engine.clock, self._engine.run_id, recording_ids):
            if isinstance(found, DetectionOutcome):
                yield found
            else:
                work.append(found)
        if not work:
            return
        try:
            self._prepare(tuple(shares(work, self._limits())), self._engine.options, attempt=1)
            while self._handovers or self._tasks:
                self._submit()
                yield from self._look()
                self._prepare_again()
                if self._handovers or self._tasks:
                    self._engine.passing.sleep(self._engine.profile.poll_s)
        finally:
            self._leave_none()

    def _limits(self) -> ArrayLimits:
        array = self._engine.profile.array
        return ArrayLimits(self._engine.slurm.max_array_size(), array.max_tasks, 3600 * array.audio_hours_per_task)

    def _prepare(self, tasks: tuple[tuple[str, ...], ...], options: SbatchOptions, attempt: int) -> None:
        """Write down what an array is to do. From then on whoever finds its lock free may cancel it."""
        engine, layout = self._engine, self._layout
        submission = new_submission(layout, engine.run_id)
        self._stack.enter_context(exclusive(submission.lock))
        self._submissions.append(submission)
        write_plan(submission, Plan(engine.run_id, engine.project, tasks))
        throttle, node = engine.profile.array.throttle, engine.profile.node
        script = batch_script(
            submission, tasks=len(tasks), options=options, throttle=throttle, node=node, layout=layout
        )
        write_text(submission.script, script)
        self._handovers.append(Handover(submission, tasks, options, attempt))

    def _submit(self) -> None:
        now, patience_s = self._engine.passing.now(), 60 * self._engine.profile.retry.submit_minutes
        for handover in [one for one in self._handovers if one.next_at <= now]:
            job = handover.tried(self._engine.slurm, now, patience_s)
            if job is not None:
                self._handovers.remove(handover)
                self._tasks += watched(handover, job)
                self._say_submitted(handover, job)
            elif handover.refused_since == now:
                self._engine.say(f"SLURM does not take the array job for now ({handover.problem}); it is tried again.")

    def _look(self) -> Iterator[DetectionOutcome]:
        """What the tasks report. Their states are asked for first, so that of an ended task everything has been read."""
        states = self._queue.states([task.id for task in self._tasks])
        for task in list(self._tasks):
            yield from task.news(self._engine.run_id)
            self._has_begun |= task.has_started
            state = states.get(task.id)
            if state is None:
                continue
            if state.is_live:
                self._tell_held(task, state)
            elif not self._is_late(task, end_of(state)):
                self._tasks.remove(task)
                yield from self._ended(task, state)
        self._tell_progress(states)

    def _is_late(self, task: WatchedTask, end: End) -> bool:
        """It ended well, and what it wrote cannot be seen here yet."""
        if end is not End.WELL or not task.left:
            return False
        now = self._engine.passing.now()
        task.well_since = now if task.well_since is None else task.well_since
        return now - task.well_since < LATE_FILES_S

    def _ended(self, task: WatchedTask, state: TaskState) -> Iterator[DetectionOutcome]:
        """A task is over: pass on what failed in it, and see what becomes of the recordings that it has not done."""
        end = end_of(state)
        if not task.left and end not in NEEDS_MEMORY:
            end = End.WELL
        elif end is End.WELL:
            end = End.FAILED
        self._require_hope(task, end)
        open_ids = (*task.left, *(task.failed if end in NEEDS_MEMORY else ()))
        yield from (outcome for each, outcome in task.failed.items() if each not in open_ids)
        if not open_ids:
            return
        where = f" on {state.node}" if state.node else ""
        said = f"SLURM task {task.id} {end}{where}"
        decision = decide(end, task.attempt, task.options, self._engine.profile.retry)
        if isinstance(decision, Again):
            more = f" with {decision.changed}" if decision.changed else ""
            self._engine.say(f"{said}. Another task goes on with {len(open_ids)} recordings{more}. {self._log(task)}")
            self._again.append((open_ids, decision.options, task.attempt + 1))
            return
        reason = f"{said} {decision.reason}".rstrip()
        tail = self._log(task)
        self._engine.say(f"{reason}. {len(open_ids)} recordings are left out. {tail}")
        for recording_id in open_ids:
            known = task.failed.get(recording_id, DetectionOutcome(recording_id, None, refused=reason))
            yield replace(known, log=tail)

    def _require_hope(self, task: WatchedTask, end: End) -> None:
        """Raises BadcError for a task that ended in a way that all others will."""
        if task.stopped is not None and end is not End.OUT_OF_MEMORY:
            raise BadcError(task.stopped.subject, task.stopped.problem, task.stopped.remedy)
        if end is not End.FAILED or task.has_started or self._has_begun:
            return
        self._never_began += 1
        if self._never_began >= min(NEVER_BEGAN, self._engine.profile.retry.attempts):
            tail = task.submission.log_tail(task.id.index).splitlines() or ["it has no log"]
            remedy = f"correct [node] in the profile of the cluster; see {task.submission.log(task.id.index)}"
            raise BadcError(f"SLURM task {task.id}", f"ended before badc_assets began in it: {tail[-1]}", remedy)

    def _prepare_again(self) -> None:
        """Recordings that go to another task, those that ask for the same in one array."""
        groups: dict[tuple[int, tuple[tuple[str, str], ...]], list[tuple[str, ...]]] = {}
        for recording_ids, options, attempt in self._again:
            groups.setdefault((attempt, tuple(sorted(options.values.items()))), []).append(recording_ids)
        self._again.clear()
        for (attempt, values), tasks in groups.items():
            self._prepare(tuple(tasks), SbatchOptions(dict(values)), attempt)

    def _leave_none(self) -> None:
        """Cancel what still runs or waits. What cannot be cancelled now is cancelled by the next run, or by the daemon."""
        names = {task.submission.name for task in self._tasks}
        names |= {handover.submission.name for handover in self._handovers if handover.may_be_there}
        if names:
            self._engine.say(f"Cancelling {len(self._tasks)} SLURM tasks.")
            ids = [task.id for task in self._tasks]
            if not self._queue.cancel(sorted(names), ids):
                self._engine.say(f"SLURM tasks may be left: cancel them by `scancel --name={','.join(sorted(names))}`.")
                return
        for submission in self._submissions:
            submission.close()

    def _say_submitted(self, handover: Handover, job: str) -> None:
        count = sum(len(task) for task in handover.tasks)
        asked = " ".join(f"{name}={value}" for name, value in sorted(handover.options.values.items()))
        self._engine.say(
            f"SLURM job {job} ({handover.submission.name}): {len(handover.tasks)} tasks, {count} recordings. {asked}"
        )

    def _tell_held(self, task: WatchedTask, state: TaskState) -> None:
        if state.is_held and not task.is_held:
            self._engine.say(
                f"SLURM task {task.id} is held ({state.reason or state.name}): `scontrol release {task.id}`."
            )
        task.is_held = state.is_held

    def _tell_progress(self, states: Mapping[TaskId, TaskState]) -> None:
        counts, (told, at) = Counter(state.name for state in states.values() if state.is_live), self._told
        now = self._engine.passing.now()
        if counts and counts != told and now - at >= TELL_EACH_S:
            self._engine.say("SLURM tasks: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
            self._told = counts, now

    def _log(self, task: WatchedTask) -> str:
        tail = task.submission.log_tail(task.id.index)
        return f"Log: {task.submission.log(task.id.index)}" + (f"\n{tail}" if tail else "")
