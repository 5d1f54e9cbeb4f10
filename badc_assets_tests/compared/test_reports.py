"""Tables and totals: what is damaged, what holds nothing, and what is made again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb

from badc_assets.chunks.manifest import Chunk
from badc_assets.reports.detection_json import chunk_json
from badc_assets_tests.compared.command import badc, ended, start
from badc_assets_tests.compared.rows import compared
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.sounds import noise, write_sound

EVENT = {
    "timestamp_ms": 10, "end_ms": 20, "label_code": "AMRO", "label_name": "Robin, American", "label": "AMRO",
    "confidence": 0.9,
}  # fmt: skip


def add_json(folder: Path, number: int, *events: dict[str, object]) -> None:
    """BADC's detection JSON of one chunk."""
    folder.mkdir(parents=True, exist_ok=True)
    chunk = Chunk("R", f"R_chunk_{number}", "audio/a,b.wav", number * 1000, number * 1000 + 1000, 0, "")
    text = chunk_json(chunk, list(events), status="ok", runner="hawkears", dataset_root="/ds")
    (folder / f"{number}.json").write_text(text)


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


@compared(
    "F13b",
    "B15",
    situation="Among the detection JSON one file is torn and one holds a list; a label has a comma",
    badc="The torn one is dropped without a word, the list ends it with AttributeError, the comma makes 19 fields of 18",
    ours="Both files are named, the others gathered, exit status 1; the comma is quoted",
)
def test_damaged_json(data: Path):
    folder = data / "infer"
    for number in range(3):
        add_json(folder, number, EVENT)
    (folder / "torn.json").write_text((folder / "0.json").read_text()[:50])
    (folder / "list.json").write_text("[]")
    said = badc("infer", "aggregate", folder, "--output", data / "t.csv")
    assert said.status == 1
    assert said.line("torn.json: is not valid JSON") and said.line("list.json: is no detection JSON")
    assert said.line("3 detections in 3 chunks")
    rows = rows_of(data / "t.csv")
    assert [(row["label_name"], row["source_path"]) for row in rows] == [("Robin, American", "audio/a,b.wav")] * 3


@compared(
    "F14",
    "B21",
    situation="`pipeline run` again: nothing new, one recording more, the plan removed",
    badc="An old plan is used; with a new recording the plan holds only that one; without a plan exit 1",
    ours="The plan says what this run chunked; every run goes over the whole dataset, whatever plans there are",
)
def test_pipeline_again(data: Path):
    dataset = make_dataset(data, 2)
    command = ("pipeline", "run", "--json", "--detector", "energy")
    assert badc(*command).json["stages"]["analysis"]["done"] == 2
    assert badc(*command).json["stages"]["analysis"] == {"recordings": 2, "done": 0, "found done": 2, "left out": 0}
    write_sound(data / "audio/new.wav", noise(3))
    said = badc(*command)
    assert (said.status, said.json["stages"]["analysis"]["found done"]) == (0, 2)
    plan = data / "plans/pipeline_chunks.json"
    assert [row["recording_id"] for row in json.loads(plan.read_text())] == ["new"]
    plan.unlink()
    assert badc(*command).status == 0
    totals = rows_of(data / "artifacts/aggregate/aggregate_summary/recording_summary.csv")
    assert {row["recording_id"] for row in totals} == {*dataset.recording_ids, "new"}


@compared(
    "F19",
    "B25",
    situation="Two `report duckdb` into one file at once, while somebody has it open",
    badc="One ends with DuckDB's lock error",
    ours="Both succeed: the file is made beside the old one and replaces it whole; who reads the old one keeps it",
)
def test_two_databases(data: Path):
    add_json(data / "infer", 1, EVENT)
    table, database = data / "t.parquet", data / "t.duckdb"
    assert badc("infer", "aggregate", data / "infer", "--output", data / "t.csv", "--parquet", table).status == 0
    command = ("report", "duckdb", "--parquet", table, "--database", database)
    assert badc(*command).status == 0
    with duckdb.connect(str(database)) as reader:
        both = [start(*command) for _ in range(2)]
        said = [ended(process) for process in both]
        assert [each.status for each in said] == [0, 0], said
        assert reader.execute("SELECT count(*) FROM detections").fetchall() == [(1,)]
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.execute("SELECT label, detections FROM label_summary").fetchall() == [("AMRO", 1)]
    assert list(data.glob(".t.duckdb*")) == []


@compared(
    "B12",
    situation="Chunks in which nothing was found",
    badc="Counted as detections of a label `none`, in every report",
    ours="No detections: they are effort, and their recording counts 0. The same rows in tables of BADC's are not counted",
)
def test_nothing_found(data: Path):
    dataset = make_dataset(data, 1)
    (recording,) = dataset.recording_ids
    assert badc("pipeline", "run", "--stub-runner").status == 0
    totals = data / "artifacts/aggregate/aggregate_summary"
    assert rows_of(totals / "label_summary.csv") == []
    (row,) = rows_of(totals / "recording_summary.csv")
    assert (row["recording_id"], row["detections"]) == (recording, "0")
    chunks = rows_of(data / f"artifacts/aggregate/{recording}_quicklook/chunks.csv")
    assert [row["detections"] for row in chunks] == ["0", "0", "0"]

    add_json(data / "theirs", 1)
    as_badc = ("--compat", "badc", "--output", data / "t.csv", "--parquet", data / "theirs/R.parquet")
    assert badc("infer", "aggregate", data / "theirs", *as_badc).status == 0
    assert ",none," in (data / "t.csv").read_text()
    assert badc("report", "aggregate-dir", data / "theirs", "--export-dir", data / "out").status == 0
    assert rows_of(data / "out/label_summary.csv") == []
