"""Reports from Parquet files: BADC's own files byte for byte where it is asked for, and right numbers otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from badc_assets.cli.main import app
from badc_assets.detections.schema import BADC_COLUMNS, BADC_TYPES
from badc_assets.errors import BadcError
from badc_assets.reports.bundle_parts import BundlePlaces, write_parts
from badc_assets.reports.canonical import read_canonical
from badc_assets.reports.rollup import roll_up, tables_of, write_rollup
from badc_assets.reports.settings import ReportSettings

MINUTE = 60_000
FOUND = [("a", 0, "RUGR", 0.9), ("a", 0, "RUGR", 0.5), ("a", MINUTE, None, None), ("b", 0, "OVEN", 0.3)]


def placeholder(recording: str, chunk: str, start_ms: int) -> dict:
    """What BADC writes for a chunk without detections."""
    row = dict.fromkeys(BADC_COLUMNS)
    return row | {
        "recording_id": recording, "chunk_id": chunk, "chunk_start_ms": start_ms, "chunk_end_ms": start_ms + MINUTE,
        "label": "none", "status": "stub", "runner": "stub",
    }  # fmt: skip


def table(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, pa.schema([(n, getattr(pa, t.replace("double", "float64"))())
                                                         for n, t in BADC_TYPES.items()])), path)  # fmt: skip
    return path


def found_table(path: Path) -> Path:
    rows = []
    for recording, start_ms, label, confidence in FOUND:
        row = placeholder(recording, f"{recording}_{start_ms}", start_ms)
        if label is not None:
            row |= {"label": label, "label_code": label, "label_name": f"{label} bird", "confidence": confidence}
            row |= {"timestamp_ms": 100, "status": "ok"}
        rows.append(row)
    return table(path, rows)


def golden_rows(recording: str, folder: Path) -> list[dict]:
    chunks = (folder / f"{recording}_quicklook/chunks.csv").read_text().splitlines()[1:]
    return [placeholder(recording, chunk.split(",")[0], int(chunk.split(",")[1])) for chunk in chunks]


@pytest.mark.parametrize("below", ["", "tmp_bundle"])
def test_badcs_files_are_reproduced_byte_for_byte(tmp_path, shared_data, below):
    golden = shared_data / "badc_fixtures/artifacts/aggregate" / below
    recordings = [path.name.removesuffix("_quicklook") for path in sorted(golden.glob("*_quicklook"))]
    assert len(recordings) >= 4
    compared = 0
    for recording in recordings:
        parquet = table(tmp_path / f"{recording}.parquet", golden_rows(recording, golden))
        minutes = json.loads((golden / f"{recording}_parquet_report/summary.json").read_text())["bucket_minutes"]
        written = write_parts(
            parquet, BundlePlaces.beside(tmp_path, recording), ReportSettings(bucket_minutes=minutes), as_badc=True
        )
        for path in written:
            if path.suffix != ".duckdb":
                assert path.read_bytes() == (golden / path.relative_to(tmp_path)).read_bytes(), path
                compared += 1
    totals = golden / "aggregate_summary"
    order = [line.split(",")[0] for line in (totals / "recording_summary.csv").read_text().splitlines()[1:]]
    found = roll_up([tmp_path / f"{recording}.parquet" for recording in order], as_badc=True)
    for path in write_rollup(tmp_path / "aggregate_summary", found, 10, as_badc=True):
        assert path.read_bytes() == (totals / path.name).read_bytes(), path
        compared += 1
    assert compared == 10 * len(recordings) + 2


def badc(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["report", *map(str, arguments)], env={"COLUMNS": "200"})
    if result.exception is not None:
        raise result.exception
    return result.output


def test_a_chunk_without_detections_is_no_detection(tmp_path):
    parquet = found_table(tmp_path / "t.parquet")
    tables = read_canonical([parquet])
    assert tables.detections.num_rows == 3
    assert tables.effort.to_pylist() == [
        {"recording_id": "a", "chunk_id": "a_0", "chunk_start_ms": 0, "status": "ok"},
        {"recording_id": "a", "chunk_id": "a_60000", "chunk_start_ms": MINUTE, "status": "empty"},
        {"recording_id": "b", "chunk_id": "b_0", "chunk_start_ms": 0, "status": "ok"},
    ]
    badc("summary", "--parquet", parquet, "--output", tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text() == "label,detections,avg_confidence\nRUGR,2,0.7\nOVEN,1,0.3\n"
    badc("summary", "--parquet", parquet, "--output", tmp_path / "s.csv", "--compat", "badc")
    assert "none,1,\n" in (tmp_path / "s.csv").read_text()
    badc("summary", "--parquet", parquet, "--group-by", "recording_id,label", "--output", tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text().splitlines()[1:] == ["a,RUGR,2,0.7", "b,OVEN,1,0.3"]


def test_each_part_is_a_command(tmp_path):
    parquet = found_table(tmp_path / "t.parquet")
    shown = badc("quicklook", "--parquet", parquet, "--output-dir", tmp_path / "q")
    assert "RUGR bird" in shown
    chunks = (tmp_path / "q/chunks.csv").read_text().splitlines()[1:]
    assert chunks == ["a_0,0,2,0.7", "a_60000,60000,0,", "b_0,0,1,0.3"]
    badc("parquet", "--parquet", parquet, "--bucket-minutes", "0", "--output-dir", tmp_path / "p")
    assert json.loads((tmp_path / "p/summary.json").read_text()) == {
        "detections": 3, "label_count": 2, "recording_count": 2, "first_chunk_ms": 0, "last_chunk_ms": MINUTE,
        "bucket_minutes": 1,
    }  # fmt: skip
    badc("duckdb", "--parquet", parquet, "--database", tmp_path / "d.duckdb", "--export-dir", tmp_path / "d")
    with duckdb.connect(str(tmp_path / "d.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT label, detections FROM label_summary").fetchall() == [
            ("RUGR", 2),
            ("OVEN", 1),
        ]
        names = [row[0] for row in connection.execute("DESCRIBE detections").fetchall()]
    assert tuple(names) == BADC_COLUMNS
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == [
        "label_summary.csv", "recording_summary.csv", "timeline.csv",
    ]  # fmt: skip


def test_a_bundle_has_the_parts_that_are_asked_for(tmp_path):
    parquet = found_table(tmp_path / "t.parquet")
    badc("bundle", "--parquet", parquet)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["t.duckdb", "t.parquet", "t_duckdb_exports", "t_parquet_report", "t_quicklook"]
    out = tmp_path / "out"
    options = ("--no-quicklook", "--no-duckdb-report", "--parquet-report-dir", out / "mine")
    badc("bundle", "--parquet", parquet, "--output-dir", out, "--run-prefix", "x", *options)
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == [
        "mine/labels.csv", "mine/recordings.csv", "mine/summary.json", "mine/timeline.csv",
    ]  # fmt: skip


def test_totals_over_a_folder(tmp_path):
    for number in range(12):
        table(tmp_path / f"r{number}.parquet", [placeholder(f"r{number}", "c", 0)])
    found_table(tmp_path / "z.parquet")
    badc("aggregate-dir", tmp_path, "--export-dir", tmp_path / "totals")
    labels = (tmp_path / "totals/label_summary.csv").read_text().splitlines()
    assert labels == ["label_name,label,detections,avg_confidence", "RUGR bird,RUGR,2,0.7", "OVEN bird,OVEN,1,0.3"]
    recordings = (tmp_path / "totals/recording_summary.csv").read_text().splitlines()
    assert len(recordings) == 1 + 14, "all recordings, not the first ten"
    assert recordings[1:3] == ["a,2,0.7", "b,1,0.3"]
    assert recordings[3] == "r0,0,"
    table(tmp_path / "only_detections.parquet", [placeholder("x", "c", 0)])
    assert tables_of(tmp_path) == [tmp_path / "only_detections.parquet"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("summary", "--parquet", "nowhere.parquet"), "there is no such file"),
        (("summary", "--parquet", "text.parquet"), "cannot be read as Parquet"),
        (("summary", "--parquet", "other.parquet"), "has no column recording_id, chunk_id"),
        (
            ("summary", "--parquet", "good.parquet", "--group-by", "colour"),
            "colour is nothing to group by|colour: is nothing",
        ),
        (("aggregate-dir", "nowhere"), "there is no such folder"),
        (("aggregate-dir", "."), "other.parquet: cannot be read|text.parquet: cannot be read"),
        (("aggregate-dir", "empty"), "holds no Parquet files"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    found_table(Path("good.parquet"))
    Path("text.parquet").write_text("label\n")
    Path("empty").mkdir()
    pq.write_table(pa.table({"label": ["x"], "confidence": [0.5], "chunk_start_ms": [0]}), "other.parquet")
    with pytest.raises(BadcError, match=said) as caught:
        badc(*arguments)
    assert "\n" not in str(caught.value)
