"""The summary of a run: BADC's bytes, nothing forgotten over attempts, old and damaged files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.errors import BadcError
from badc_assets.inference.telemetry.run_summary import RunSummary, read_summary, summary_path, workers_path
from badc_assets.inference.telemetry.summary_file import Job

TEXT = st.text(max_size=20)
JOBS = st.builds(
    lambda status, attempts, output, worker, recording, backoff, error: Job(
        status,
        attempts,
        attempts - 1,
        output if status == "success" else None,
        worker,
        recording,
        backoff,
        error,
        error if status == "failure" else None,
    ),
    st.sampled_from(["success", "failure"]),
    st.integers(1, 9),
    TEXT,
    TEXT,
    st.none() | TEXT,
    st.none() | st.floats(0, 99, allow_nan=False),
    st.none() | TEXT,
)


def succeed(summary: RunSummary, chunk: str, **more: Any) -> None:
    given = {"recording_id": "R", "worker": "gpu-0", "attempts": 1, "output": f"artifacts/infer/R/{chunk}.json", **more}
    summary.succeeded(chunk, **given)


def fail(summary: RunSummary, chunk: str, **more: Any) -> None:
    given = {"recording_id": "R", "worker": "gpu-0", "attempts": 3, "error": "no memory", "last_backoff_s": 4.0, **more}
    summary.failed(chunk, **given)


def written(summary: RunSummary, folder: Path) -> dict[str, Any]:
    summary.write(folder / "run.jsonl")
    return json.loads(summary_path(folder / "run.jsonl").read_text())


def badc_summary(index: Mapping[str, Any], base: str, recording: str, root: str) -> RunSummary:
    """The run of a recording of the public BADC dataset: its chunks in turn on two GPUs."""
    pattern = re.compile(rf"artifacts/infer/{base}{recording}/(.*_chunk_(\d+)_\d+)\.json")
    found = [match for path in index if (match := pattern.fullmatch(path))]
    chunks = [match[1] for match in sorted(found, key=lambda match: int(match[2]))]
    summary = RunSummary(f"{root}artifacts/telemetry/infer/{recording}.jsonl", ["gpu-0", "gpu-1"])
    for position, chunk in enumerate(chunks):
        output = f"{root}artifacts/infer/{recording}/{chunk}.json"
        succeed(summary, chunk, recording_id=recording, worker=f"gpu-{position % 2}", output=output)
    return summary


RECORDINGS = (
    "GNWT-114_20230509_094500",
    "GNWT-131_20230508_050402",
    "GNWT-290_20230331_235938",
    "GNWT049_20230401_010000",
    "GNWT231_20230501_072500",
)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_both_files_are_badcs(shared_data, tmp_path, recording):
    """Of the JSON the dataset tells the size; its CSV is there to compare."""
    fixtures = shared_data / "badc_fixtures"
    index = json.loads((fixtures / "annex_index.json").read_text())
    name = f"artifacts/telemetry/tmp_bundle/infer/{recording}.jsonl.summary.json"
    badc_summary(index, "tmp_bundle/", recording, "").write(tmp_path / "log.jsonl")
    assert summary_path(tmp_path / "log.jsonl").stat().st_size == index[name]["size"]
    assert workers_path(tmp_path / "log.jsonl").read_bytes() == (fixtures / f"{name}.workers.csv").read_bytes()


@pytest.mark.parametrize("recording", ["GNWT-114_20230509_094500", "GNWT049_20230401_010000"])
def test_without_its_newest_keys_the_json_is_badcs_to_the_byte(shared_data, tmp_path, recording):
    """Of an earlier version of BADC the dataset knows the MD5: it had neither last_backoff_s nor last_error."""
    index = json.loads((shared_data / "badc_fixtures/annex_index.json").read_text())
    summary = badc_summary(index, "", recording, "/home/gep/projects/badc/data/datalad/bogus/")
    summary.write(tmp_path / "log.jsonl")
    text = summary_path(tmp_path / "log.jsonl").read_text()
    older = text.replace(',\n      "last_backoff_s": null,\n      "last_error": null', "")
    assert (
        hashlib.md5(older.encode()).hexdigest()
        == index[f"artifacts/telemetry/infer/{recording}.jsonl.summary.json"]["md5"]
    )
    (tmp_path / "older.json").write_text(older)
    assert read_summary(tmp_path / "older.json").jobs == summary.jobs


def test_failures_have_their_error_and_count(tmp_path):
    summary = RunSummary("log", ["gpu-0", "gpu-1", "cpu-0"])
    succeed(summary, "a", attempts=2, last_backoff_s=2, last_error="hiccup")
    fail(summary, "b", worker="gpu-1")
    values = written(summary, tmp_path)
    assert list(values["jobs"]["b"].items()) == [
        ("status", "failure"),
        ("attempts", 3),
        ("retries", 2),
        ("output", None),
        ("worker", "gpu-1"),
        ("recording_id", "R"),
        ("last_backoff_s", 4.0),
        ("last_error", "no memory"),
        ("error", "no memory"),
    ]
    assert values["workers"]["gpu-0"] == {"success": 1, "failure": 0, "retries": 1, "failed_retries": 0}
    assert workers_path(tmp_path / "run.jsonl").read_bytes() == (
        b"worker,jobs,success,failure,retries,failed_retries\r\n"
        b"cpu-0,0,0,0,0,0\r\ngpu-0,1,1,0,1,0\r\ngpu-1,1,0,1,2,2\r\n"
    )


def test_an_empty_summary_is_readable(tmp_path):
    summary = RunSummary("log")
    assert written(summary, tmp_path) == {"telemetry_log": "log", "workers": {}, "jobs": {}}
    assert read_summary(summary_path(tmp_path / "run.jsonl")).jobs == {}


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(TEXT | st.sampled_from(["status", "jobs"]), JOBS, max_size=8), TEXT)
def test_what_was_written_is_read_again_and_is_what_json_would_write(tmp_path_factory, jobs, log):
    folder = tmp_path_factory.mktemp("summary")
    summary = RunSummary(log)
    for chunk, job in jobs.items():
        summary.put(chunk, job)
    values = written(summary, folder)
    assert summary_path(folder / "run.jsonl").read_text() == json.dumps(values, indent=2)
    again = read_summary(summary_path(folder / "run.jsonl"))
    assert (again.telemetry_log, dict(again.jobs), list(again.jobs)) == (log, jobs, list(jobs))
    assert again.worker_counts() == summary.worker_counts()


def test_successes_of_earlier_attempts_are_never_forgotten(tmp_path):
    log = tmp_path / "run.jsonl"
    first = RunSummary("log")
    succeed(first, "a")
    fail(first, "b")
    first.write(log)
    for chunk in ("b", "c"):
        resumed = RunSummary("log")
        succeed(resumed, chunk, worker="gpu-1")
        resumed.merge(read_summary(summary_path(log)))
        resumed.write(log)
    final = read_summary(summary_path(log))
    assert list(final.jobs) == ["a", "b", "c"]
    assert sorted(final.successes()) == [("R", "a"), ("R", "b"), ("R", "c")]
    counts = final.worker_counts()
    assert (counts["gpu-0"].success, counts["gpu-1"].success, counts["gpu-0"].failure) == (1, 2, 0)


def test_a_failure_never_hides_a_success(tmp_path):
    earlier = RunSummary("log")
    succeed(earlier, "a")
    fail(earlier, "b", error="first")
    later = RunSummary("log")
    fail(later, "a")
    fail(later, "b", error="second")
    later.merge(earlier)
    assert later.jobs["a"].status == "success"
    assert later.jobs["b"].error == "second"
    fail(later, "a")
    assert later.jobs["a"].status == "success"


def test_old_entries_without_some_keys_are_read(tmp_path):
    entry = {"status": "success", "attempts": 1, "retries": 0, "output": "x.json", "worker": "gpu-0"}
    file = tmp_path / "old.json"
    file.write_text(json.dumps({"telemetry_log": "log", "workers": {"gpu-0": {}}, "jobs": {"c": entry}}))
    summary = read_summary(file)
    assert summary.jobs["c"] == Job("success", 1, 0, "x.json", "gpu-0")
    assert list(summary.successes()) == [(None, "c")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{}",
        b'{"jobs": []}',
        b'{"jobs": {"a": 1}}',
        b'{"jobs": {"a": {"status": "odd"}}}',
        b'{"jobs": {"a": {"status": "success", "attempts": "many"}}}',
        b'{"jobs": {"a": {"status": "success", "attempts": -1}}}',
        b'{"jobs": {"a": {"status": "success", "worker": 3}}}',
        b'{"jobs": {"a": {"status": "success", "last_backoff_s": NaN}}}',
        b'{"jobs": {"status": "success"}}',
        b"[" * 100_000,
    ],
)
def test_damaged_files_are_one_line(tmp_path, content):
    (tmp_path / "summary.json").write_bytes(content)
    with pytest.raises(BadcError, match="is not the summary of a run"):
        read_summary(tmp_path / "summary.json")


@settings(deadline=None)
@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(
    st.sampled_from(["jobs", "status", "workers", "attempts", "success"]) | st.text(), inner)).map(
        lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_bytes_are_a_summary_or_a_badc_error(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("summary") / "summary.json"
    file.write_bytes(content)
    try:
        read_summary(file)
    except BadcError as error:
        assert "\n" not in str(error)


def test_a_summary_that_is_not_there(tmp_path):
    with pytest.raises(BadcError, match="cannot be read"):
        read_summary(tmp_path / "none.json")


def test_writing_waits_its_time_and_longer_when_it_is_slow(tmp_path):
    now = [0.0]
    steps = [0.0]

    def clock() -> float:
        now[0] += steps[0]
        return now[0]

    log = tmp_path / "run.jsonl"
    summary = RunSummary("log", clock=clock)
    assert not summary.write_if_due(log)
    now[0] = 5
    assert summary.write_if_due(log)
    assert not summary.write_if_due(log)
    now[0] = 10
    steps[0] = 2.0
    assert summary.write_if_due(log)
    steps[0] = 0.0
    now[0] += 39
    assert not summary.write_if_due(log)
    now[0] += 2
    assert summary.write_if_due(log)


def test_chunks_that_went_alike_share_their_record():
    summary = RunSummary("log")
    for number in range(100):
        succeed(summary, f"chunk{number}", output="artifacts/infer/R/detections.parquet")
    assert len({id(job) for job in summary.jobs.values()}) == 1


def test_a_failed_write_leaves_the_old_summary(tmp_path, monkeypatch):
    log = tmp_path / "run.jsonl"
    summary = RunSummary("log")
    succeed(summary, "a")
    summary.write(log)
    before = summary_path(log).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("badc_assets.files.sync", full)
    succeed(summary, "b")
    with pytest.raises(BadcError, match="No space left"):
        summary.write(log)
    assert summary_path(log).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "run.jsonl.summary.json",
        "run.jsonl.summary.json.workers.csv",
    ]
