"""Reading logs that grow, are cut, replaced or damaged."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.errors import BadcError
from badc_assets.inference.telemetry import reader as telemetry_reader
from badc_assets.inference.telemetry.reader import (
    MAX_LINE,
    LogFollower,
    count_lines,
    last_events,
    newest_log,
    parse_event,
)


def line(chunk: str, status: str = "start", **more: object) -> bytes:
    return json.dumps({"chunk_id": chunk, "status": status, **more}).encode() + b"\n"


def chunks(follower: LogFollower) -> list[str | None]:
    return [event.chunk_id if event else None for event in follower.events()]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
FIELDS = ("chunk_id", "gpu_index", "gpu_name", "status", "timestamp", "runtime_s", "details")
METRICS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("attempt", "worker", "backoff_s", "gpu_metrics", "stderr"), JSON)
)


@settings(deadline=None)
@given(
    st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON | METRICS)).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_no_line_makes_the_reader_raise(text):
    event = parse_event(text)
    if event is not None:
        assert event.worker
        assert event.attempt >= 1
        assert isinstance(event.is_last_attempt, bool)
        event.metric("utilization")
        assert event.runtime_s is None or math.isfinite(event.runtime_s)


@pytest.mark.parametrize(
    "text", [b"[" * 200_000, b'{"a":' * 100_000, b"1" * 10_000, b'{"status": 1e999999}', b"\xff\xfe{"]
)
def test_hostile_lines_are_no_events(text):
    assert parse_event(text) is None


def test_values_of_a_wrong_kind_are_absent():
    text = line("c", gpu_index="x", gpu_name=3, runtime_s=float("nan"), details=[], timestamp=None)
    event = parse_event(text)
    assert event is not None
    assert (event.gpu_index, event.gpu_name, event.runtime_s, event.details, event.timestamp) == (
        None,
        "",
        None,
        {},
        "",
    )
    huge = parse_event(line("c", runtime_s=10**400, gpu_index=10**400))
    assert huge is not None
    assert (huge.runtime_s, huge.gpu_index) == (None, None)


def test_a_line_of_badc_is_understood():
    event = parse_event(
        b'{"chunk_id":"REC_chunk_0_1","gpu_index":2,"gpu_name":"RTX","status":"failure","timestamp":'
        b'"2026-11-20T23:08:07.626555+00:00","finished_at":null,"runtime_s":0.01,"details":{"attempt":2,"returncode":7,'
        b'"stderr":"CUDA out of memory\\n","gpu_metrics":{"before":{"utilization":5},"after":null},"backoff_s":2}}'
    )
    assert event is not None
    assert (event.worker, event.attempt, event.is_last_attempt, event.metric("utilization")) == ("gpu-2", 2, False, 5.0)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=30), max_size=12), st.data())
def test_however_a_log_grows_each_line_comes_once(tmp_path_factory, pieces, data):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    text = b"".join(pieces)
    follower = LogFollower(path)
    seen: list[bytes] = []
    for piece in pieces:
        with path.open("ab") as log:
            log.write(piece)
        if data.draw(st.booleans()):
            seen += follower.lines()
    seen += follower.lines()
    assert seen == text.split(b"\n")[:-1]
    assert follower.restarts == 0


def test_a_line_counts_when_its_end_is_there(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(line("a") + line("b")[:10])
    follower = LogFollower(path)
    assert chunks(follower) == ["a"]
    assert chunks(follower) == []
    with path.open("ab") as log:
        log.write(line("b")[10:])
    assert chunks(follower) == ["b"]


def test_blocks_that_cut_lines_lose_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(telemetry_reader, "BLOCK", 7)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(line(f"c{number}") for number in range(50)))
    assert chunks(LogFollower(path)) == [f"c{number}" for number in range(50)]


@pytest.mark.parametrize("change", ["truncated", "rewritten", "replaced"])
def test_another_log_in_its_place_is_read_from_the_start(tmp_path, change):
    path = tmp_path / "log.jsonl"
    path.write_bytes(line("a") + line("b"))
    follower = LogFollower(path)
    assert chunks(follower) == ["a", "b"]
    if change == "truncated":
        path.write_bytes(line("c"))
    elif change == "rewritten":  # the same file, longer than before
        path.write_bytes(line("c") + line("d") * 9)
    else:
        (tmp_path / "new").write_bytes(line("c"))
        (tmp_path / "new").replace(path)
    assert chunks(follower)[0] == "c"
    assert follower.restarts == 1


def test_a_log_that_is_gone_for_a_moment(tmp_path):
    path = tmp_path / "log.jsonl"
    follower = LogFollower(path)
    assert chunks(follower) == []
    path.write_bytes(line("a"))
    assert chunks(follower) == ["a"]
    path.rename(tmp_path / "log.jsonl.1")
    assert chunks(follower) == []
    path.write_bytes(line("b"))
    assert chunks(follower) == ["b"]


def test_an_endless_line_is_dropped_and_what_follows_is_read(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(line("a") + b"x" * (3 * MAX_LINE))
    follower = LogFollower(path)
    assert chunks(follower) == ["a"]
    assert len(follower._partial) <= MAX_LINE
    with path.open("ab") as log:
        log.write(b"x\n" + line("b"))
    assert chunks(follower) == ["b"]


def test_a_folder_is_no_log(tmp_path):
    for read in (lambda path: list(LogFollower(path).lines()), lambda path: last_events(path, 1), count_lines):
        with pytest.raises(BadcError, match="cannot be read"):
            read(tmp_path)


@pytest.mark.parametrize("block", [16, 1 << 20])
def test_the_last_events_leave_out_samples_and_damage(tmp_path, monkeypatch, block):
    monkeypatch.setattr(telemetry_reader, "BLOCK", block)
    path = tmp_path / "log.jsonl"
    rest = [b"garbage\n" + line("", "sample") + line(f"c{number}") for number in range(40)]
    path.write_bytes(b"".join(rest) + line("", "sample") * 3)
    assert [event.chunk_id for event in last_events(path, 3)] == ["c37", "c38", "c39"]
    assert len(last_events(path, 100)) == 40
    assert count_lines(path) == 123


def test_the_newest_log_is_that_written_last(tmp_path):
    for age, name in enumerate(["a.jsonl", "c.jsonl", "b.jsonl"]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "z.jsonl").mkdir()
    (tmp_path / "y.jsonl").symlink_to(tmp_path / "absent")
    (tmp_path / "newest.summary.json").touch()
    assert newest_log(tmp_path) == tmp_path / "a.jsonl"


def test_without_a_log_it_says_so(tmp_path: Path):
    with pytest.raises(BadcError, match="no log of a run yet"):
        newest_log(tmp_path / "none")
