"""The dataset-wide tables hold every recording, count each hour once, and add up to their parts."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from dagster_duckdb import DuckDBResource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badc_assets.detections.store import status_path
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path, write_json
from badc_assets.layout import Layout
from badc_assets.recordings.model import Flag
from badc_assets.reports.aggregates import check_aggregates, fill_database
from badc_assets.reports.collecting import collect_tables
from badc_assets.reports.settings import ReportSettings
from badc_assets_tests.reports.builders import add_recording, add_results, dataset, entries

HOUR_MS = 3_600_000


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return dataset(tmp_path)


def outcomes(layout: Layout) -> dict[str, tuple[str, str]]:
    rows = pq.read_table(layout.aggregate_table("recordings")).to_pylist()
    return {row["recording_id"]: (row["outcome"], row["outcome_reason"]) for row in rows}


def test_every_recording_has_a_row_and_an_outcome(layout: Layout) -> None:
    add_recording(layout, "good")
    add_results(layout, "good", [(0, 60_000, "ok")], [(5, "RUGR", 0.5)])
    add_recording(layout, "cut", flags=(Flag("truncated", "fatal", "the file ends early"),), chunking=None)
    add_recording(layout, "half")
    add_results(layout, "half", [(0, 60_000, "empty"), (60_000, 120_000, "failed")], [])
    add_recording(layout, "waiting")
    add_recording(layout, "broken", chunking="failed")
    result = collect_tables(layout, entries(["waiting", "good", "cut", "never seen", "half", "broken", "good"]))
    assert outcomes(layout) == {
        "good": ("analysed", ""),
        "cut": ("quarantined", "truncated: the file ends early"),
        "half": ("partly analysed", "1 of 2 chunks failed: out of memory"),
        "waiting": ("not analysed", "no detector has been run on it"),
        "broken": ("failed", "chunking: disk went away"),
        "never seen": ("not analysed", "it has not been examined"),
    }
    assert (result.recordings, result.recordings_counted, result.effort_rows, result.detections) == (6, 2, 3, 1)
    assert (result.analysed_ms, result.failed_ms, result.problems) == (120_000, 60_000, ())
    assert check_aggregates(layout) == []


def test_results_from_before_the_quarantine_are_set_aside(layout: Layout) -> None:
    add_recording(layout, "a", flags=(Flag("silent", "fatal", "no signal"),))
    add_results(layout, "a", [(0, 60_000, "ok")], [(5, "RUGR", 0.5)])
    result = collect_tables(layout, entries(["a"]))
    assert (result.recordings_counted, result.detections) == (0, 0)
    assert pq.read_table(layout.aggregate_table("recordings"))["analysed_ms"].to_pylist() == [None]
    assert check_aggregates(layout) == []


@pytest.mark.parametrize("spoil", ["garbage", "cut short", "missing", "dangling link", "other recording"])
def test_one_bad_file_is_named_and_the_rest_goes_on(layout: Layout, spoil: str) -> None:
    for recording_id in ("a", "b"):
        add_recording(layout, recording_id)
        add_results(layout, recording_id, [(0, 60_000, "ok")], [(5, "RUGR", 0.5)])
    bad = layout.detections("a")
    content = {"garbage": b"not Parquet", "cut short": bad.read_bytes()[:-20]}
    bad.unlink()
    if spoil in content:
        bad.write_bytes(content[spoil])
    elif spoil == "dangling link":
        bad.symlink_to("../gone")
    elif spoil == "other recording":
        bad.write_bytes(layout.detections("b").read_bytes())
    result = collect_tables(layout, entries(["a", "b"]))
    assert [problem.file for problem in result.problems] == ["artifacts/infer/a/detections.parquet"]
    assert all(problem.problem and problem.remedy for problem in result.problems)
    assert (result.recordings, result.recordings_counted, result.effort_rows) == (2, 1, 1)
    assert outcomes(layout)["a"][0] == "failed", "hours without their detections would look like silence"


def test_results_of_which_the_writing_was_cut_off_do_not_count(layout: Layout) -> None:
    """A crash between the two tables leaves detections of one run beside effort of another, and no status."""
    add_recording(layout, "a")
    add_results(layout, "a", [(0, 60_000, "ok")], [(5, "RUGR", 0.5)])
    status_path(layout, "a").unlink()
    result = collect_tables(layout, entries(["a"]))
    assert (result.recordings_counted, len(result.problems)) == (0, 1)
    assert outcomes(layout)["a"][0] == "failed"
    assert check_aggregates(layout) == []


def test_unreadable_facts_and_status_are_problems_not_errors(layout: Layout) -> None:
    layout.facts("a").parent.mkdir(parents=True)
    layout.facts("a").write_text("[1]")
    layout.chunk_status("a").parent.mkdir(parents=True)
    layout.chunk_status("a").write_text("{half")
    layout.facts("b").write_text('{"recording_id": "b"}')
    result = collect_tables(layout, entries(["a", "b"]))
    assert [Path(problem.file).name for problem in result.problems] == ["a.json", ".chunk_status.json", "b.json"]
    assert outcomes(layout)["a"][0] == "not analysed"


def test_a_file_name_that_is_not_unicode_does_not_stop_the_tables(layout: Layout) -> None:
    add_recording(layout, "a", audio_path="audio/caf\udce9 <b>.wav")
    collect_tables(layout, entries(["a"]))
    assert pq.read_table(layout.aggregate_table("recordings"))["audio_path"].to_pylist() == [r"audio/caf\udce9 <b>.wav"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.dictionaries(
        st.sampled_from(["a", "b", "b__1", "c"]),
        st.lists(st.integers(0, 3 * 60_000 - 1), max_size=6),
        min_size=1,
    )
)
def test_tables_are_sorted_and_equal_the_sum_of_their_parts(
    tmp_path_factory: pytest.TempPathFactory, parts: dict[str, list[int]]
) -> None:
    layout = dataset(tmp_path_factory.mktemp("parts"))
    for recording_id, starts in parts.items():
        add_recording(layout, recording_id)
        chunks = [(at, at + 60_000, "ok") for at in (120_000, 0, 60_000)]
        add_results(layout, recording_id, chunks, [(at, "RUGR", 0.5) for at in starts])
    collect_tables(layout, entries(parts))
    detections = pq.read_table(layout.aggregate_table("detections"))
    keys = list(zip(detections["recording_id"].to_pylist(), detections["absolute_time_ms"].to_pylist(), strict=True))
    assert keys == sorted((recording_id, at) for recording_id, starts in parts.items() for at in starts)
    effort = pq.read_table(layout.aggregate_table("effort"))
    assert sum(effort["effort_ms"].to_pylist()) == 180_000 * len(parts)
    assert check_aggregates(layout) == []


def test_the_check_sees_a_recording_that_changed_after_the_tables_were_made(layout: Layout) -> None:
    add_recording(layout, "a")
    add_results(layout, "a", [(0, 60_000, "ok")], [(5, "RUGR", 0.5)])
    collect_tables(layout, entries(["a"]))
    add_results(layout, "a", [(0, 60_000, "ok"), (60_000, 90_000, "ok")], [(5, "RUGR", 0.5), (6, "RUGR", 0.5)])
    assert check_aggregates(layout) == [
        "a: the tables hold 1 detections, its own files hold 2",
        "a: the tables hold 1 chunks, its own files hold 2",
        "a: the tables hold 60000 effort_ms, its own files hold 90000",
    ]


def test_the_check_sees_rows_that_were_added_to_a_table(layout: Layout) -> None:
    for recording_id in ("a", "b"):
        add_recording(layout, recording_id)
        add_results(layout, recording_id, [(0, 60_000, "ok")], [(5, "RUGR", 0.5)])
    collect_tables(layout, entries(["a"]))
    more = layout.aggregate_table("detections")
    pq.write_table(pq.read_table(layout.detections("b")), more)
    found = check_aggregates(layout)
    assert "b: has 1 rows of detections but none of recordings" in found
    assert "a: the tables hold 0 detections, its own files hold 1" in found


def make_database(layout: Layout, settings: ReportSettings) -> None:
    with (
        atomic_path(layout.database) as temporary,
        DuckDBResource(database=str(temporary)).get_connection() as connection,
    ):
        fill_database(connection, layout, settings)


def test_hours_and_sites_worked_by_hand(layout: Layout) -> None:
    """Half an hour before 06:00 and half after; two detections before, one after; a failed chunk is no effort."""
    add_recording(layout, "a", start_local="2024-05-01T05:30:00", duration_ms=2 * HOUR_MS)
    chunks = [(0, HOUR_MS, "ok"), (HOUR_MS, 2 * HOUR_MS, "failed")]
    add_results(layout, "a", chunks, [(0, "RUGR", 0.9), (HOUR_MS // 2 - 1, "RUGR", 0.9), (HOUR_MS // 2, "RUGR", 0.9)])
    add_recording(layout, "b", site=None, start_local=None, duration_ms=HOUR_MS)
    add_results(layout, "b", [(0, HOUR_MS, "ok")], [(7, "OVEN", 0.4)])
    collect_tables(layout, entries(["a", "b"]))
    make_database(layout, ReportSettings())
    with duckdb.connect(str(layout.database), read_only=True) as connection:
        assert connection.execute("FROM site_hour_activity").fetchall() == [
            ("Pond", 5, 0.5, 2, 4.0),
            ("Pond", 6, 0.5, 1, 2.0),
            (None, None, 1.0, 1, 1.0),
        ]
        sites = connection.execute("SELECT site, recorded_hours, analysed_hours, failed_hours FROM effort_by_site")
        assert sites.fetchall() == [("Pond", 2.0, 1.0, 1.0), (None, 1.0, 1.0, 0.0)]
        assert connection.execute("FROM recording_summary").fetchall() == [("a", 3, 0.9), ("b", 1, 0.4)]


def test_overlapping_chunks_count_each_hour_once(layout: Layout) -> None:
    add_recording(layout, "a", start_local="2024-05-01T05:00:00")
    add_results(layout, "a", [(0, HOUR_MS, "empty"), (HOUR_MS // 2, 3 * HOUR_MS // 2, "empty")], [])
    effort = pq.read_table(layout.effort("a"))
    new_part = effort.set_column(effort.column_names.index("effort_ms"), "effort_ms", [[HOUR_MS, HOUR_MS // 2]])
    pq.write_table(new_part, layout.effort("a"))
    state = json.loads(status_path(layout, "a").read_bytes())
    write_json(status_path(layout, "a"), {**state, "effort_bytes": layout.effort("a").stat().st_size})
    collect_tables(layout, entries(["a"]))
    make_database(layout, ReportSettings())
    with duckdb.connect(str(layout.database), read_only=True) as connection:
        hours = connection.execute("SELECT hour, effort_hours FROM site_hour_activity").fetchall()
    assert hours == [(5, 1.0), (6, 0.5)]


def test_a_reader_keeps_its_database_while_a_new_one_takes_its_place(layout: Layout) -> None:
    add_recording(layout, "a")
    add_results(layout, "a", [(0, 60_000, "ok")], [(5, "RUGR", 0.5)])
    collect_tables(layout, entries(["a"]))
    make_database(layout, ReportSettings())
    with duckdb.connect(str(layout.database), read_only=True) as reader:
        add_results(layout, "a", [(0, 60_000, "ok")], [(5, "RUGR", 0.5), (6, "RUGR", 0.5)])
        collect_tables(layout, entries(["a"]))
        make_database(layout, ReportSettings())
        assert reader.execute("SELECT count(*) FROM detections").fetchone() == (1,)
    with duckdb.connect(str(layout.database), read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM detections").fetchone() == (2,)
    assert [path.name for path in layout.aggregate_dir.iterdir() if path.name.startswith(".")] == []


def test_a_dataset_without_recordings_has_empty_tables_and_a_whole_database(tmp_path: Path) -> None:
    layout = dataset(tmp_path / "it's [odd] * here")
    assert collect_tables(layout, entries([])).recordings == 0
    make_database(layout, ReportSettings())
    assert check_aggregates(layout) == []
    with duckdb.connect(str(layout.database), read_only=True) as connection:
        for view in ("label_summary", "recording_summary", "timeline_summary", "site_hour_activity", "effort_by_site"):
            assert connection.execute(f"FROM {view}").fetchall() == []


def test_without_tables_the_reader_is_told_what_to_do(layout: Layout) -> None:
    with pytest.raises(BadcError, match="make the detection aggregates first"):
        check_aggregates(layout)
