"""Results on disk: whole or not there, and replaced only by whole ones."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter

import pytest

from badc_assets.chunks.manifest import Chunk, chunk_id
from badc_assets.detections.schema import BADC_COLUMNS, DETECTION_COLUMNS
from badc_assets.detections.store import ResultStatus, read_result_status, read_table, status_path, write_results
from badc_assets.detections.tables import Analysed, Trace, detection_columns, effort_rows, place
from badc_assets.detectors.protocol import DetectorInfo, Event, Label
from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.recordings.model import RecordingFacts

LABEL = Label("RUGR", "Ruffed Grouse")
TRACE = Trace(DetectorInfo("d", "1", "file", (LABEL,), "s"), "run")
FACTS = RecordingFacts("R", "audio/R.wav", "key", 1)
STATUS = ResultStatus("R", "completed", "k", "m", 2, 9000, "d", "d-1", "run", "2023-05-08T00:00:00+00:00", 0.1)


def chunk(start_ms: int, end_ms: int) -> Chunk:
    return Chunk("R", chunk_id("R", start_ms, end_ms), "audio/R.wav", start_ms, end_ms, 1000, f"sha-{start_ms}")


CHUNKS = (chunk(0, 4000), chunk(3000, 7000), chunk(6000, 9000))
ANALYSED = {chunk.chunk_id: Analysed() for chunk in CHUNKS}
EVENTS = (Event(6500, 8000, LABEL, 0.5), Event(2500, 3500, LABEL, 0.9, low_hz=100.0), Event(3000, 3200, LABEL, 0.7))


def write(layout: Layout, events=EVENTS, status=STATUS, parts=None) -> ResultStatus:
    placed = place(events, CHUNKS)
    found = Counter(chunk.chunk_id for _, chunk in placed)
    parts = [detection_columns(FACTS, placed, TRACE)] if parts is None else parts
    return write_results(layout, status, parts, effort_rows(CHUNKS, found, TRACE, ANALYSED))


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path, tmp_path, tmp_path)


def test_an_event_belongs_to_the_last_chunk_that_has_begun(layout):
    write(layout)
    rows = read_table(layout.detections("R")).to_pylist()
    assert [(row["absolute_time_ms"], row["chunk_start_ms"], row["timestamp_ms"], row["end_ms"]) for row in rows] == [
        (2500, 0, 2500, 3500),
        (3000, 3000, 0, 200),
        (6500, 6000, 500, 2000),
    ]
    assert {row["chunk_sha256"] for row in rows} == {"sha-0", "sha-3000", "sha-6000"}


def test_badcs_columns_come_first(layout):
    write(layout)
    names = read_table(layout.detections("R")).schema.names
    assert tuple(names[:18]) == BADC_COLUMNS
    assert names == list(DETECTION_COLUMNS)


def test_results_that_come_in_parts_are_one_table(layout):
    placed = place(EVENTS, CHUNKS)
    write(layout, parts=[detection_columns(FACTS, [one], TRACE) for one in placed])
    parts = read_table(layout.detections("R"))
    write(layout)
    assert parts.equals(read_table(layout.detections("R")))


def test_a_write_that_fails_leaves_the_old_results(layout):
    first = write(layout)
    before = read_table(layout.detections("R"))

    def parts():
        yield detection_columns(FACTS, place(EVENTS[:1], CHUNKS), TRACE)
        raise OSError(28, "No space left on device")

    with pytest.raises(BadcError, match="No space left"):
        write(layout, parts=parts())
    assert read_result_status(layout, "R") == first
    assert read_table(layout.detections("R")).equals(before)
    assert {path.name for path in layout.infer_dir("R").iterdir()} == {
        "detections.parquet", "effort.parquet", ".infer_status.json"
    }  # fmt: skip


@pytest.mark.parametrize("damage", ["cut table", "no table", "cut status", "other json"])
def test_what_is_not_whole_does_not_count(layout, damage):
    write(layout)
    table, status = layout.effort("R"), status_path(layout, "R")
    if damage == "cut table":
        table.write_bytes(table.read_bytes()[:-9])
    elif damage == "no table":
        table.unlink()
    else:
        status.write_text(status.read_text()[:40] if damage == "cut status" else json.dumps({"status": "completed"}))
    assert read_result_status(layout, "R") is None


def test_overlap_is_effort_only_once():
    rows = effort_rows(CHUNKS, {CHUNKS[1].chunk_id: 2}, TRACE, ANALYSED)
    assert [(row["effort_ms"], row["status"], row["detections"]) for row in rows] == [
        (4000, "empty", 0),
        (3000, "ok", 2),
        (2000, "empty", 0),
    ]


def test_what_a_killed_process_began_goes_when_the_recording_is_written_again(layout):
    ended = subprocess.Popen(["true"])
    ended.wait()
    folder = layout.infer_dir("R")
    folder.mkdir(parents=True)
    begun, alive = (folder / f".detections.parquet.{pid}.abcd.tmp" for pid in (ended.pid, os.getppid()))
    begun.touch()
    alive.touch()
    write(layout)
    assert not begun.exists()
    assert alive.exists(), "another process is writing it"
