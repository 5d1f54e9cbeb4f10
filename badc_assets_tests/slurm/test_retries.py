"""What is done about tasks that did not end well."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.slurm.options import SbatchOptions, memory_mib, minutes
from badc_assets.slurm.profiles import RetrySettings
from badc_assets.slurm.retries import FOR_A_PERSON, Again, End, GiveUp, decide, end_of
from badc_assets.slurm.states import TaskState

RULES = RetrySettings(
    attempts=3, memory_factor=2, max_memory="20G", time_factor=1.5, max_time="02:00:00", submit_minutes=1
)
OPTIONS = SbatchOptions({"mem": "8G", "time": "01:00:00", "partition": "gpu"})

ENDS = {
    End.WELL: TaskState("COMPLETED"),
    End.OUT_OF_MEMORY: TaskState("OUT_OF_MEMORY", exit_code=0, signal=125),
    End.KILLED: TaskState("FAILED", "JobLaunchFailure", signal=9),
    End.TIME_LIMIT: TaskState("TIMEOUT"),
    End.NODE_LOST: TaskState("NODE_FAIL"),
    End.PREEMPTED: TaskState("PREEMPTED"),
    End.CANCELLED: TaskState("CANCELLED"),
    End.VANISHED: TaskState("VANISHED"),
    End.NEVER_RUNS: TaskState("FAILED", "BadConstraints"),
    End.FAILED: TaskState("FAILED", "NonZeroExitCode", exit_code=1),
}


@pytest.mark.parametrize("end", End)
def test_ends_are_recognised(end: End):
    assert end_of(ENDS[end]) is end


def test_a_shell_reports_a_kill_as_137():
    assert end_of(TaskState("FAILED", "NonZeroExitCode", exit_code=137)) is End.KILLED


@pytest.mark.parametrize("end", [End.OUT_OF_MEMORY, End.KILLED])
def test_more_memory_up_to_the_limit(end: End):
    again = decide(end, 1, OPTIONS, RULES)
    assert again == Again(SbatchOptions({**OPTIONS.values, "mem": "16384M"}), "mem=16384M")
    assert isinstance(again, Again)
    again = decide(end, 2, again.options, RULES)
    assert isinstance(again, Again)
    assert again.options.values["mem"] == "20480M"


def test_memory_at_the_limit_is_the_end_of_it():
    assert isinstance(decide(End.OUT_OF_MEMORY, 1, SbatchOptions({"mem": "20G"}), RULES), GiveUp)
    assert isinstance(decide(End.OUT_OF_MEMORY, 1, SbatchOptions({}), RULES), GiveUp)
    assert isinstance(decide(End.KILLED, 1, SbatchOptions({"mem": "20G"}), RULES), Again)


def test_more_time_and_the_same_again_at_the_limit():
    again = decide(End.TIME_LIMIT, 1, OPTIONS, RULES)
    assert again == Again(SbatchOptions({**OPTIONS.values, "time": "01:30:00"}), "time=01:30:00")
    at_limit = SbatchOptions({"time": "02:00:00"})
    assert decide(End.TIME_LIMIT, 1, at_limit, RULES) == Again(at_limit)


@pytest.mark.parametrize("end", [End.NODE_LOST, End.PREEMPTED, End.VANISHED, End.FAILED])
def test_the_same_again(end: End):
    assert decide(end, 1, OPTIONS, RULES) == Again(OPTIONS)


ends, attempts = st.sampled_from(list(End)), st.integers(1, 30)
rules = st.builds(
    RetrySettings,
    attempts=st.integers(1, 20),
    memory_factor=st.floats(1, 16),
    max_memory=st.sampled_from(["", "1M", "7G", "1T"]),
    time_factor=st.floats(1, 16),
    max_time=st.sampled_from(["", "1", "3-00:00:00"]),
)
options = st.fixed_dictionaries(
    {}, optional={"mem": st.sampled_from(["1", "100", "6G"]), "time": st.sampled_from(["1", "0:30", "1-0"])}
).map(SbatchOptions)


@given(ends, attempts, options, rules)
def test_attempts_are_counted_and_a_person_is_asked(end, attempt, asked, rule):
    decision = decide(end, attempt, asked, rule)
    if attempt >= rule.attempts or end in FOR_A_PERSON:
        assert isinstance(decision, GiveUp)


@given(ends, attempts, options, rules)
def test_never_less_than_before_and_never_beyond_the_limits(end, attempt, asked, rule):
    decision = decide(end, attempt, asked, rule)
    if isinstance(decision, GiveUp):
        return
    assert decision.options.values.keys() == asked.values.keys()
    for name, amount, limit in (("mem", memory_mib, rule.max_memory), ("time", minutes, rule.max_time)):
        if name in asked.values:
            before, after = amount(asked.values[name]), amount(decision.options.values[name])
            assert after >= before
            assert after == before or not limit or after <= amount(limit)
    changed = {name for name in asked.values if decision.options.values[name] != asked.values[name]}
    assert changed <= ({"mem"} if end in (End.OUT_OF_MEMORY, End.KILLED) else {"time"})
