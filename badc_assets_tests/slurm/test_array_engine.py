"""What the engine makes of each thing that can happen to the tasks of an array, with a SLURM that does as it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from badc_assets.errors import BadcError
from badc_assets.files import exclusive
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.slurm.abandoned import cancel_abandoned, open_submissions
from badc_assets.slurm.array_engine import ArrayEngine
from badc_assets.slurm.events import Stopped
from badc_assets.slurm.gateway import SlurmSilent, SubmitRefused
from badc_assets.slurm.options import SbatchOptions
from badc_assets.slurm.profiles import ArraySettings, ClusterProfile, NodeSettings, RetrySettings
from badc_assets.slurm.states import TaskState
from badc_assets.slurm.submission import new_submission, read_plan
from badc_assets_tests.datasets import Dataset, fixed_clock, make_dataset
from badc_assets_tests.slurm.fake_slurm import FakeSlurm, FakeTime, Fate, Job, TakenInSilence, made_up_result

SECONDS = 3
OPTIONS = SbatchOptions({"mem": "4G", "time": "01:00:00"})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    """Six recordings that are chunked; nothing here gives them results."""
    made = make_dataset(tmp_path_factory.mktemp("data"), 6, seconds=SECONDS)
    made.chunk()
    return made


@dataclass
class Run:
    """A run of the engine over all recordings, two to a task."""

    dataset: Dataset
    slurm: FakeSlurm
    profile: ClusterProfile = field(
        default_factory=lambda: ClusterProfile(
            array=ArraySettings(audio_hours_per_task=2 * SECONDS / 3600, max_tasks=1000, throttle=0),
            retry=RetrySettings(attempts=3, max_memory="12G", max_time="03:00:00"),
        )  # pyright: ignore[reportCallIssue]
    )
    time: FakeTime = field(default_factory=FakeTime)
    said: list[str] = field(default_factory=list)

    @property
    def engine(self) -> ArrayEngine:
        return ArrayEngine(
            self.dataset.project, self.profile, OPTIONS, self.slurm, fixed_clock, "a-run", self.said.append,
            passing=self.time.passing,
        )  # fmt: skip

    def outcomes(self) -> dict[str, DetectionOutcome]:
        found = list(self.engine.run(self.dataset.recording_ids))
        assert len({each.recording_id for each in found}) == len(found)
        assert open_submissions(self.dataset.layout) == []
        assert not any(state.is_live for state in self.slurm.states.values())
        return {each.recording_id: each for each in found}


def on_first(state: TaskState, **how):
    """The first task of the first array ends so, all others well."""
    return lambda job, index: Fate(state, **how) if (job.number, index) == (1, 0) else Fate()


def test_all_recordings_in_one_array(dataset):
    run = Run(dataset, FakeSlurm())
    outcomes = run.outcomes()
    assert set(outcomes) == set(dataset.recording_ids)
    assert all(each.is_complete and not each.was_reused for each in outcomes.values())
    (job,) = run.slurm.jobs.values()
    assert [len(task) for task in job.tasks] == [2, 2, 2]
    assert job.options["array"] == "0-2"
    assert (job.options["mem"], job.options["time"]) == ("4G", "01:00:00")
    assert run.slurm.cancelled == []


def test_the_plan_holds_the_project_as_it_is(dataset):
    run = Run(dataset, FakeSlurm())
    run.outcomes()
    (job,) = run.slurm.jobs.values()
    plan = read_plan(job.submission)
    assert plan.project.layout == dataset.layout
    assert plan.project.wanted_results == dataset.project.wanted_results


def test_arrays_stay_below_the_limit_of_the_cluster(dataset):
    run = Run(dataset, FakeSlurm(max_array=2))
    run.outcomes()
    (job,) = run.slurm.jobs.values()
    assert [len(task) for task in job.tasks] == [3, 3]


@pytest.mark.parametrize(
    ("state", "name", "value"),
    [
        (TaskState("OUT_OF_MEMORY"), "mem", "8192M"),
        (TaskState("FAILED", signal=9), "mem", "8192M"),
        (TaskState("TIMEOUT"), "time", "02:00:00"),
        (TaskState("NODE_FAIL"), "mem", "4G"),
        (TaskState("PREEMPTED"), "time", "01:00:00"),
        (TaskState("FAILED", exit_code=1), "mem", "4G"),
    ],
)
def test_another_task_goes_on(dataset, state, name, value):
    run = Run(dataset, FakeSlurm(on_first(state, done=1)))
    outcomes = run.outcomes()
    assert all(each.is_complete for each in outcomes.values())
    assert len(outcomes) == len(dataset.recording_ids)
    _, second = run.slurm.jobs.values()
    assert second.tasks == [[dataset.recording_ids[1]]]
    assert second.options[name] == value


def test_what_failed_for_want_of_memory_is_tried_again(dataset):
    first = dataset.recording_ids[0]
    run = Run(dataset, FakeSlurm(on_first(TaskState("OUT_OF_MEMORY"), failing={first})))
    assert all(each.is_complete for each in run.outcomes().values())
    assert [job.tasks for job in run.slurm.jobs.values()][1] == [[first]]


def test_what_failed_for_other_reasons_is_not(dataset):
    first = dataset.recording_ids[0]
    run = Run(dataset, FakeSlurm(on_first(TaskState("COMPLETED"), failing={first})))
    outcomes = run.outcomes()
    assert outcomes[first].reason == "it is too loud"
    assert sum(each.is_complete for each in outcomes.values()) == 5
    assert len(run.slurm.jobs) == 1


def test_memory_is_raised_to_the_limit_and_then_it_is_the_end(dataset):
    def fate(job: Job, index: int) -> Fate:
        if index:
            return Fate()
        job.submission.log(0).write_text("loading\n\nslurmstepd: error: Detected 1 oom_kill event\n")
        return Fate(TaskState("OUT_OF_MEMORY", node="n7"), done=0)

    run = Run(dataset, FakeSlurm(fate))
    outcomes = run.outcomes()
    assert [job.options["mem"] for job in run.slurm.jobs.values()] == ["4G", "8192M", "12288M"]
    lost = outcomes[dataset.recording_ids[0]]
    assert lost.reason == "SLURM task 102_0 ran out of memory on n7 as did 2 before it"
    assert lost.log.endswith("\nloading\nslurmstepd: error: Detected 1 oom_kill event")
    assert sum(each.is_complete for each in outcomes.values()) == 4


def test_what_a_person_cancelled_stays_cancelled(dataset):
    run = Run(dataset, FakeSlurm(on_first(TaskState("CANCELLED"), done=1)))
    outcomes = run.outcomes()
    assert outcomes[dataset.recording_ids[1]].reason == "SLURM task 100_0 was cancelled in SLURM"
    assert sum(each.is_complete for each in outcomes.values()) == 5
    assert len(run.slurm.jobs) == 1


def test_a_requeued_task_is_waited_for_and_finds_what_it_did(dataset):
    """Its second life reports the first recording again, as one that was there already."""
    lives: list[str] = []

    def fate(job: Job, index: int) -> Fate:
        if index:
            return Fate()
        lives.append("")
        return Fate(TaskState("REQUEUED"), done=1) if len(lives) == 1 else Fate()

    outcomes = Run(dataset, FakeSlurm(fate)).outcomes()
    assert len(lives) == 2
    assert all(each.is_complete and not each.was_reused for each in outcomes.values())


def test_slurm_forgets_a_task(dataset):
    run = Run(dataset, FakeSlurm(on_first(TaskState("FAILED"), done=1), forgets={"100"}))
    assert all(each.is_complete for each in run.outcomes().values())
    assert run.slurm.jobs["101"].tasks == [[dataset.recording_ids[1]]]


def test_a_queue_without_an_answer_is_survived(dataset):
    run = Run(dataset, FakeSlurm(looks=[SlurmSilent("timed out")] * 5))
    assert all(each.is_complete for each in run.outcomes().values())
    assert [line for line in run.said if "answer" in line] == [
        "SLURM gives no answer (timed out); its tasks are waited for.", "SLURM answers again.",
    ]  # fmt: skip


def test_refused_for_now_and_then_taken(dataset):
    refused = SubmitRefused("AssocMaxSubmitJobLimit", is_final=False)
    run = Run(dataset, FakeSlurm(submissions=[refused, refused, refused]))
    assert all(each.is_complete for each in run.outcomes().values())
    assert [line for line in run.said if "does not take" in line] == [
        "SLURM does not take the array job for now (AssocMaxSubmitJobLimit); it is tried again."
    ]


def test_refused_for_too_long(dataset):
    run = Run(dataset, FakeSlurm(submissions=[SubmitRefused("the queue is full", is_final=False)] * 1000))
    with pytest.raises(BadcError, match="does not take the array job: the queue is full"):
        run.outcomes()
    assert run.time.seconds == pytest.approx(30 * 60, abs=3 * run.profile.poll_s)
    assert open_submissions(dataset.layout) == []


def test_refused_for_good(dataset):
    run = Run(dataset, FakeSlurm(submissions=[SubmitRefused("Invalid partition name specified", is_final=True)]))
    with pytest.raises(BadcError, match="Invalid partition"):
        run.outcomes()
    assert run.time.seconds == 0


def test_a_submission_whose_answer_is_lost_is_not_repeated(dataset):
    run = Run(dataset, FakeSlurm(submissions=[TakenInSilence("timed out")]))
    assert all(each.is_complete for each in run.outcomes().values())
    assert len(run.slurm.jobs) == 1


def test_what_no_task_can_do_stops_the_run_and_leaves_none(dataset):
    stopped = Stopped("detector energy", "cannot be loaded", "fetch it")
    run = Run(dataset, FakeSlurm(on_first(TaskState("FAILED", exit_code=1), done=0, stopped=stopped)))
    with pytest.raises(BadcError, match="detector energy: cannot be loaded; fetch it"):
        run.outcomes()
    assert len(run.slurm.jobs) == 1


def test_a_program_that_never_begins_is_not_tried_for_ever(dataset):
    run = Run(dataset, FakeSlurm(lambda job, index: Fate(TaskState("FAILED", exit_code=127), begins=False)))
    with pytest.raises(BadcError, match="ended before badc_assets began in it"):
        run.outcomes()
    assert len(run.slurm.jobs) == 1


def test_a_run_that_is_cancelled_leaves_no_task(dataset):
    run = Run(dataset, FakeSlurm(is_stuck=True))

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    engine = run.engine
    object.__setattr__(engine.passing, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(engine.run(dataset.recording_ids))
    assert not any(state.is_live for state in run.slurm.states.values())
    assert open_submissions(dataset.layout) == []


def test_a_slurm_that_does_not_hear_leaves_the_array_to_others(dataset):
    """And whoever looks next cancels it."""
    slurm = FakeSlurm(is_stuck=True, cancels=[SlurmSilent("timed out")] * 100)
    run = Run(dataset, slurm)
    listening = run.engine.run(dataset.recording_ids)
    slurm.fate = on_first(TaskState("RUNNING"), done=1)
    slurm.is_stuck = False
    next(listening)
    listening.close()  # pyright: ignore[reportAttributeAccessIssue]
    (left,) = open_submissions(dataset.layout)
    assert any(f"scancel --name={left.name}" in line for line in run.said)
    slurm.cancels.clear()
    assert cancel_abandoned(dataset.layout, slurm) == [left.name]
    assert open_submissions(dataset.layout) == []


def test_whoever_stops_listening_leaves_no_task(dataset):
    slurm = FakeSlurm(on_first(TaskState("RUNNING"), done=1))
    listening = Run(dataset, slurm).engine.run(dataset.recording_ids)
    next(listening)
    listening.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert not any(state.is_live for state in slurm.states.values())


def test_what_a_killed_run_left_behind_is_cancelled_and_what_a_live_one_waits_for_is_not(dataset):
    dead, live = new_submission(dataset.layout, "dead"), new_submission(dataset.layout, "live")
    for submission in (dead, live):
        submission.folder.mkdir(parents=True)
    slurm = FakeSlurm()
    with exclusive(live.lock):
        assert cancel_abandoned(dataset.layout, slurm) == [dead.name]
        assert cancel_abandoned(dataset.layout, slurm) == []
    live.close()


def test_a_task_on_a_slow_file_system_is_waited_for(dataset):
    """SLURM says that it ended well before its last lines can be seen here."""
    run = Run(dataset, FakeSlurm(on_first(TaskState("COMPLETED"), done=1)))
    sleep = run.time._sleep

    def and_then_it_shows(seconds: float) -> None:
        sleep(seconds)
        if run.time.seconds > 30:
            folder: Path = run.slurm.jobs["100"].submission.events(0)
            from badc_assets.slurm.events import append_event

            append_event(folder, DetectionOutcome(dataset.recording_ids[1], made_up_result("r", "a-run")))

    run.time._sleep = and_then_it_shows
    assert all(each.is_complete for each in run.outcomes().values())
    assert len(run.slurm.jobs) == 1


def test_the_script_makes_the_node_ready(dataset):
    node = NodeSettings(
        modules=("gcc", "apptainer"), setup=("ulimit -n 4096",), container="/images/badc.sif",
        variables={"A": "b c"}, scratch="$SLURM_TMPDIR",
    )  # fmt: skip
    run = Run(dataset, FakeSlurm())
    run.profile = run.profile.model_copy(update={"node": node, "array": ArraySettings(throttle=4, max_tasks=3)})
    run.outcomes()
    script = run.slurm.jobs["100"].submission.script.read_text()
    assert run.slurm.jobs["100"].options["array"] == "0-0%4"
    assert "module load gcc\nmodule load apptainer\nulimit -n 4096\nexport A='b c'\n" in script
    assert 'export TMPDIR="$SLURM_TMPDIR"' in script
    assert f"exec apptainer exec --nv --bind {dataset.layout.output} /images/badc.sif python -m" in script
