"""Tasks of a real SLURM: what they find is what a local run finds, whatever happens to them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.slurm.abandoned import open_submissions
from badc_assets.slurm.array_engine import ArrayEngine
from badc_assets.slurm.events import EventFile, Started
from badc_assets.slurm.gateway import SlurmCommands
from badc_assets.slurm.profiles import ArraySettings, ClusterProfile, RetrySettings
from badc_assets.slurm.submission import Submission, all_submissions
from badc_assets_tests.datasets import Dataset, fixed_clock, make_dataset
from badc_assets_tests.slurm.real_slurm import GPUS, MAX_ARRAY_SIZE, RealSlurm, until
from badc_assets_tests.whole_runs import results

pytestmark = pytest.mark.system

CHUNKS = 4
ON_GPU = {"gres": "gpu:1", "mem": "500M", "time": "00:10:00", "partition": "low"}


def profile(seconds_per_task: float, **options: str) -> ClusterProfile:
    return ClusterProfile(
        cpu={**ON_GPU, **options},
        array=ArraySettings(audio_hours_per_task=seconds_per_task / 3600),  # pyright: ignore[reportCallIssue]
        retry=RetrySettings(attempts=3, submit_minutes=1),  # pyright: ignore[reportCallIssue]
        poll_s=0.3,
    )  # pyright: ignore[reportCallIssue]


@dataclass
class Running:
    """A run of the engine in a thread of its own, while the test does things to its tasks."""

    engine: ArrayEngine
    recording_ids: tuple[str, ...]
    said: list[str] = field(default_factory=list)
    outcomes: dict[str, DetectionOutcome] = field(default_factory=dict)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for outcome in self.engine.run(self.recording_ids):
                self.outcomes[outcome.recording_id] = outcome
        except Exception as error:  # noqa: BLE001  it is raised again where the test waits
            self.error = error

    @property
    def submissions(self) -> list[Submission]:
        return all_submissions(self.engine.project.layout)

    def finished(self) -> dict[str, DetectionOutcome]:
        self._thread.join(90)
        assert not self._thread.is_alive(), self.engine.project.layout.slurm_dir
        if self.error is not None:
            raise self.error
        assert open_submissions(self.engine.project.layout) == []
        return self.outcomes


def started(dataset: Dataset, how: ClusterProfile) -> Running:
    said: list[str] = []
    engine = ArrayEngine(
        dataset.project, how, how.options(uses_gpu=False), SlurmCommands(), fixed_clock, "a-run", said.append
    )
    return Running(engine, dataset.recording_ids, said)


@pytest.fixture
def slow(tmp_path, program) -> Dataset:
    """One recording of four chunks, and a detector that takes a moment for each."""
    return with_program(tmp_path / "data", program, 1)


def with_program(folder: Path, program: Path, count: int) -> Dataset:
    detectors = {"command": {"command": [str(program)]}}
    made = make_dataset(folder, count, seconds=2 * CHUNKS, detector="command", detectors=detectors)
    made.chunk()
    return made


def calls(program: Path) -> int:
    diary = program.parent / "diary"
    return diary.stat().st_size if diary.exists() else 0


def same_as_alone(dataset: Dataset, folder: Path, program: Path | None = None) -> None:
    """The tables are those of a local run."""
    count = len(dataset.recording_ids)
    if program is None:
        alone = make_dataset(folder, count)
        alone.chunk()
    else:
        (program.parent / "seconds").write_text("0")
        alone = with_program(folder, program, count)
    alone.analyse()
    for recording_id in dataset.recording_ids:
        made, expected = results(dataset.layout, recording_id), results(alone.layout, recording_id)
        assert made == expected
        assert all(table.num_rows for table in made)


def the_task(slurm: RealSlurm) -> str:
    """The one task that runs, as SLURM calls it."""
    return next(line.split()[0] for line in slurm.live_tasks() if line.endswith("RUNNING"))


def process_of(submission: Submission, number: int = 0) -> int:
    """The process of a task. Raises AssertionError where there is none."""
    wanted = f"SLURM_ARRAY_TASK_ID={number}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            is_ours = str(submission.folder).encode() in words and b"badc_assets.slurm.task" in words
            if is_ours and wanted in (folder / "environ").read_bytes().split(b"\0"):
                return int(folder.name)
    raise AssertionError("the task does not run")


def test_two_gpus_share_the_recordings_and_the_tables_are_those_of_a_local_run(slurm, tmp_path):
    dataset = make_dataset(tmp_path / "data", 7)
    dataset.chunk()
    run = started(dataset, profile(seconds_per_task=5))
    outcomes = run.finished()
    assert all(outcome.is_complete and not outcome.was_reused for outcome in outcomes.values())
    (submission,) = run.submissions
    begun = [event for number in range(MAX_ARRAY_SIZE) for event in EventFile(submission.events(number)).news()
             if isinstance(event, Started)]  # fmt: skip
    assert len(begun) == MAX_ARRAY_SIZE, "seven recordings in as many tasks as the cluster allows"
    assert {event.gpus for event in begun} == {str(number) for number in range(GPUS)}
    same_as_alone(dataset, tmp_path / "alone")
    again = started(dataset, profile(seconds_per_task=5))
    assert all(outcome.was_reused for outcome in again.finished().values())
    assert len(again.submissions) == 1, "nothing was submitted"


Harm = Callable[[RealSlurm, Running], None]


def kill(slurm: RealSlurm, run: Running) -> None:
    os.kill(process_of(run.submissions[0]), signal.SIGKILL)


def end_its_time(slurm: RealSlurm, run: Running) -> None:
    task = the_task(slurm)
    slurm.run("scontrol", "update", f"jobid={task}", "endtime=now")
    until(lambda: f"{task} RUNNING" not in slurm.live_tasks(), "the end of its time", at_most_s=70)


def lose_the_node(slurm: RealSlurm, run: Running) -> None:
    """For a task that SLURM is not to begin again by itself."""
    slurm.run("scontrol", "update", f"jobid={the_task(slurm)}", "requeue=0")
    slurm.run("scontrol", "update", "nodename=localhost", "state=down", "reason=test")
    until(lambda: len(run.submissions) == 2, "another task")
    # It may have come back by itself, and then this is refused.
    subprocess.run(["scontrol", "update", "nodename=localhost", "state=resume"], check=False)


def requeue(slurm: RealSlurm, run: Running) -> None:
    task = the_task(slurm)
    slurm.run("scontrol", "requeue", task)
    begin_now(slurm, task)


def make_room(slurm: RealSlurm, run: Running) -> None:
    """Something that is more important needs the whole node for a second."""
    task = the_task(slurm)
    slurm.run("sbatch", "--partition=high", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    begin_now(slurm, task)


def begin_now(slurm: RealSlurm, task: str) -> None:
    """SLURM lets a task that it begins anew wait for two minutes. In the second of its end a node would not have it back."""
    until(lambda: f"{task} PENDING" in slurm.live_tasks(), "the task in the queue")
    slurm.run("scontrol", "update", f"jobid={task}", "starttime=now+2seconds")


HARM: dict[Harm, tuple[int, str]] = {
    kill: (2, "was killed, perhaps because it ran out of memory on localhost"),
    end_its_time: (2, "met its time limit"),
    lose_the_node: (2, "lost its node"),
    requeue: (1, ""),
    make_room: (1, ""),
}
"""What is done to a task; how many arrays it takes, and what is said."""


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
def test_it_goes_on_where_the_journal_ends(slurm, slow, program, tmp_path, harm):
    run = started(slow, profile(100))
    until(lambda: calls(program) >= 1, "the detector")
    # What is in hand now does not end by itself before the harm is done.
    (program.parent / "seconds").write_text("60")
    until(lambda: calls(program) >= 2, "the second chunk")
    harm(slurm, run)
    (program.parent / "seconds").write_text("0")
    (outcome,) = run.finished().values()
    arrays, said = HARM[harm]
    assert outcome.is_complete
    assert not outcome.was_reused
    assert len(run.submissions) == arrays, "\n".join(run.said)
    assert any(said in line for line in run.said), run.said
    assert calls(program) <= CHUNKS + 1, "only what was in hand is done twice"
    same_as_alone(slow, tmp_path / "alone", program)


def test_a_killed_task_asks_for_more_memory_and_a_late_one_for_more_time(slurm, slow, program):
    run = started(slow, profile(100))
    until(lambda: calls(program) >= 1, "the detector")
    kill(slurm, run)
    run.finished()
    (one,) = [line for line in run.submissions[0].script.read_text().splitlines() if "--mem" in line]
    (two,) = [line for line in run.submissions[1].script.read_text().splitlines() if "--mem" in line]
    assert sorted([one, two]) == ["#SBATCH --mem=1000M", "#SBATCH --mem=500M"]


def test_what_a_person_cancels_is_left_out_and_the_rest_is_done(slurm, tmp_path, program):
    dataset = with_program(tmp_path / "data", program, 2)
    run = started(dataset, profile(8))
    until(lambda: calls(program) >= 2, "the detector")
    task = the_task(slurm)
    slurm.run("scancel", task)
    outcomes = run.finished()
    left_out = [outcome for outcome in outcomes.values() if not outcome.is_complete]
    assert [outcome.reason.split(" on ")[0] for outcome in left_out] == [f"SLURM task {task} was cancelled in SLURM"]
    assert "CANCELLED AT" in left_out[0].log, "SLURM's own words are in the log"
    assert len(run.submissions) == 1


def test_a_program_that_fails_is_shown_with_its_log(slurm, slow):
    how = profile(100).model_copy(update={"node": profile(100).node.model_copy(update={"python": "/no/python"})})
    run = started(slow, how)
    with pytest.raises(Exception, match=r"ended before badc_assets began in it: .*/no/python"):
        run.finished()


def test_refused_and_then_taken(slurm, slow):
    slurm.run("scontrol", "update", "partitionname=low", "state=inactive")
    try:
        run = started(slow, profile(100))
        until(lambda: any("does not take" in line for line in run.said), "the refusal")
    finally:
        slurm.run("scontrol", "update", "partitionname=low", "state=up")
    assert all(outcome.is_complete for outcome in run.finished().values())
    assert len(run.submissions) == 1


def test_refused_for_good(slurm, slow):
    run = started(slow, profile(100, partition="none"))
    with pytest.raises(Exception, match=r"does not take the array job: .*[Ii]nvalid partition"):
        run.finished()


def test_a_controller_that_restarts_is_survived(slurm, slow, program):
    run = started(slow, profile(100))
    until(lambda: calls(program) >= 1, "the detector")
    slurm.stop_controller()
    try:
        until(lambda: any("gives no answer" in line for line in run.said), "the silence")
    finally:
        slurm.start_controller()
    assert all(outcome.is_complete for outcome in run.finished().values())
    assert len(run.submissions) == 1


def test_a_run_that_ends_early_leaves_no_task(slurm, slow, program):
    (program.parent / "seconds").write_text("30")
    how = profile(100)
    engine = started_by_hand(slow, how)
    listening = engine.run(slow.recording_ids)
    listener = threading.Thread(target=lambda: until(lambda: calls(program) >= 1, "the detector"))
    listener.start()

    class Enough(Exception):
        pass

    def sleep(seconds: float) -> None:
        listener.join(0.3)
        if not listener.is_alive():
            raise Enough

    object.__setattr__(engine.passing, "sleep", sleep)
    with pytest.raises(Enough):
        list(listening)
    assert slurm.live_tasks() == []


def started_by_hand(dataset: Dataset, how: ClusterProfile) -> ArrayEngine:
    options = how.options(uses_gpu=False)
    return ArrayEngine(dataset.project, how, options, SlurmCommands(), fixed_clock, "a-run", lambda text: None)


KILLED = """
import sys
from pathlib import Path
from badc_assets.project import Project
from badc_assets_tests.datasets import Dataset
from badc_assets_tests.slurm.test_real_tasks import profile, started_by_hand
project = Project.model_validate({"dataset": Path(sys.argv[1]), "chunking": {"length_s": 2}, "detector": "command",
                                  "detectors": {"command": {"command": [sys.argv[2]]}}})
recording = sys.argv[3]
for outcome in started_by_hand(Dataset(project, (recording,)), profile(100)).run([recording]):
    pass
"""


def test_the_next_run_cancels_what_a_killed_one_left_behind_and_goes_on(slurm, slow, program):
    import sys

    command = [sys.executable, "-c", KILLED, str(slow.layout.dataset), str(program), slow.recording_ids[0]]
    victim = subprocess.Popen(command)
    until(lambda: calls(program) >= 2, "the detector")
    victim.kill()
    victim.wait()
    assert len(slurm.live_tasks()) == 1
    run = started(slow, profile(100))
    assert all(outcome.is_complete for outcome in run.finished().values())
    assert any("left behind" in line for line in run.said)
    assert calls(program) <= CHUNKS + 1
