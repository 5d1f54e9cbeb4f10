"""BADC's files per recording: names, columns and order as BADC wrote them, counts as they are."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from badc_assets.detections.schema import BADC_COLUMNS
from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.reports.bundle import write_bundle
from badc_assets.reports.settings import ReportSettings
from badc_assets_tests.reports.builders import CHUNK_MS, add_results, dataset

GOLDEN = "GNWT-114_20230509_094500"
TEN_CHUNKS = [(at, at + CHUNK_MS, "empty") for at in range(0, 10 * CHUNK_MS, CHUNK_MS)]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return dataset(tmp_path)


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text("utf-8"), newline="")))


def test_an_empty_recording_has_the_same_files_headers_and_chunks_as_badc_but_no_detections(
    layout: Layout, shared_data: Path
) -> None:
    add_results(layout, GOLDEN, TEN_CHUNKS, [])
    result = write_bundle(layout, GOLDEN, ReportSettings())
    assert (result.detections, result.labels, result.chunks) == (0, 0, 10)
    golden = shared_data / "badc_fixtures/artifacts/aggregate"
    theirs = sorted(path.relative_to(golden) for path in golden.glob(f"{GOLDEN}_*/*"))
    assert len(theirs) == 10
    for name in theirs:
        old, new = (golden / name).read_bytes(), (layout.aggregate_dir / name).read_bytes()
        if name.suffix == ".json":
            assert list(json.loads(new)) == list(json.loads(old))
            assert json.loads(new) == json.loads(old) | {"detections": 0, "label_count": 0, "bucket_minutes": 60}
            continue
        assert new.splitlines()[0] == old.splitlines()[0], name
        if "label" in name.name:
            assert new.count(b"\n") == 1, "no label was found, so none is listed"
        else:
            assert new.count(b"\n") == old.count(b"\n")
            assert all(row[2] == "0" for row in rows(layout.aggregate_dir / name)[1:] if "recording" not in name.name)


def test_counts_means_and_buckets_worked_by_hand(layout: Layout) -> None:
    first_hour = [(0, 60_000, "ok"), (60_000, 120_000, "ok")]
    chunks = [*first_hour, (3_600_000, 3_660_000, "empty"), (3_660_000, 3_720_000, "failed")]
    found: list[tuple[int, str, float | None]] = [(1_000, "RUGR", 0.9), (2_000, "RUGR", 0.5), (70_000, "OVEN", 0.3)]
    add_results(layout, "a", chunks, found)
    result = write_bundle(layout, "a", ReportSettings())
    assert result.failed_chunks == 1
    folder = layout.aggregate_dir
    labels = [["RUGR", "RUGR bird", "2", "0.7"], ["OVEN", "OVEN bird", "1", "0.3"]]
    assert rows(folder / "a_quicklook/labels.csv")[1:] == labels
    counts = [["0", "2"], ["60000", "1"], ["3600000", "0"], ["3660000", ""]]
    assert [row[1:3] for row in rows(folder / "a_quicklook/chunks.csv")[1:]] == counts
    hours = [["0", "3", "0.5"], ["3600000", "0", ""]]
    assert rows(folder / "a_parquet_report/timeline.csv")[1:] == [[f"bucket_{i}", *hours[i]] for i in (0, 1)]
    assert rows(folder / "a_duckdb_exports/timeline.csv")[1:] == [[str(i), *hours[i]] for i in (0, 1)]
    assert rows(folder / "a_quicklook/recordings.csv")[1][:2] == ["a", "3"]
    assert rows(folder / "a_summary.csv")[0] == list(BADC_COLUMNS)
    assert [row[8] for row in rows(folder / "a_summary.csv")[1:]] == ["RUGR", "RUGR", "OVEN"]
    assert pq.read_schema(folder / "a.parquet").names == list(BADC_COLUMNS)


def test_the_database_has_badcs_table_and_views(layout: Layout) -> None:
    add_results(layout, "a", [(0, 60_000, "ok")], [(1_000, "RUGR", 0.9)])
    write_bundle(layout, "a", ReportSettings(bucket_minutes=30))
    with duckdb.connect(str(layout.aggregate_dir / "a.duckdb"), read_only=True) as connection:
        columns = {
            name: tuple(row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall())
            for name in ("detections", "label_summary", "recording_summary", "timeline_summary")
        }
    assert columns == {
        "detections": BADC_COLUMNS,
        "label_summary": ("label", "label_name", "detections", "avg_confidence"),
        "recording_summary": ("recording_id", "detections", "avg_confidence"),
        "timeline_summary": ("bucket_index", "bucket_start_ms", "detections", "avg_confidence"),
    }


def test_a_second_bundle_replaces_the_first_under_an_open_reader(layout: Layout) -> None:
    add_results(layout, "a", [(0, 60_000, "ok")], [(1_000, "RUGR", 0.9)])
    write_bundle(layout, "a", ReportSettings())
    before = {path: path.read_bytes() for path in layout.aggregate_dir.rglob("*.csv")}
    with duckdb.connect(str(layout.aggregate_dir / "a.duckdb"), read_only=True) as reader:
        write_bundle(layout, "a", ReportSettings())
        assert reader.execute("SELECT count(*) FROM detections").fetchone() == (1,)
    assert before == {path: path.read_bytes() for path in layout.aggregate_dir.rglob("*.csv")}
    assert not [path for path in layout.aggregate_dir.iterdir() if path.name.startswith(".")], "left over"


def test_commas_quotes_and_newlines_in_labels_stay_in_their_field(layout: Layout) -> None:
    label = 'Robin, "American"\n<b>'
    add_results(layout, "a", [(0, 60_000, "ok")], [(1_000, label, None)])
    write_bundle(layout, "a", ReportSettings())
    assert rows(layout.aggregate_dir / "a_quicklook/labels.csv")[1] == [label, f"{label} bird", "1", ""]


def test_top_settings_cut_label_lists_but_never_chunks(layout: Layout) -> None:
    found: list[tuple[int, str, float | None]] = [(1_000 + i, f"L{i}", 0.5) for i in range(5)]
    add_results(layout, "a", [(0, 60_000, "ok"), (60_000, 120_000, "empty")], found)
    write_bundle(layout, "a", ReportSettings(quicklook_top_labels=2, parquet_top_labels=3, duckdb_top_labels=4))
    folder = layout.aggregate_dir
    lengths = [
        len(rows(folder / name)) - 1
        for name in ("a_quicklook/labels.csv", "a_parquet_report/labels.csv", "a_duckdb_exports/label_summary.csv")
    ]
    assert lengths == [2, 3, 4]
    assert len(rows(folder / "a_quicklook/chunks.csv")) == 3


def test_missing_corrupt_and_misplaced_results_are_named(layout: Layout) -> None:
    with pytest.raises(BadcError, match=r"detections\.parquet: there are no results"):
        write_bundle(layout, "a", ReportSettings())
    add_results(layout, "a", [(0, 60_000, "ok")], [(1_000, "RUGR", 0.9)])
    layout.infer_dir("a").rename(layout.infer_dir("b"))
    with pytest.raises(BadcError, match="rows of another recording"):
        write_bundle(layout, "b", ReportSettings())
    add_results(layout, "b", [(0, 60_000, "ok")], [])
    layout.effort("b").write_bytes(b"PAR1 half a file")
    with pytest.raises(BadcError, match="cannot be read as Parquet"):
        write_bundle(layout, "b", ReportSettings())


def test_a_recording_named_like_the_datasets_database_is_refused(layout: Layout) -> None:
    add_results(layout, "badc", [(0, 60_000, "empty")], [])
    with pytest.raises(BadcError, match="would replace the dataset's database"):
        write_bundle(layout, "badc", ReportSettings())
