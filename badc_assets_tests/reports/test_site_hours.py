"""Every recorded minute is in one place: analysed, failed, waiting or unusable, in its site and hour."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.layout import Layout
from badc_assets.recordings.current import require_catalog
from badc_assets.recordings.model import Flag
from badc_assets.reports.aggregates import check_aggregates
from badc_assets.reports.collecting import collect_tables
from badc_assets.reports.progress import suspect_recordings
from badc_assets.reports.site_hours import check_effort
from badc_assets.reports.views import effort_views, parquet_source
from badc_assets_tests.datasets import fixed_clock, make_dataset
from badc_assets_tests.reports.builders import add_recording, add_results, dataset, entries, entry
from badc_assets_tests.sounds import RATE_HZ, noise, write_sound

MINUTE = 60_000


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return dataset(tmp_path)


def site_hours(layout: Layout) -> list[tuple]:
    """(site, day, hour, minutes recorded, usable, analysed, failed, waiting, unusable)."""
    with duckdb.connect() as connection:
        for name in ("recordings", "effort"):
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {parquet_source(layout.aggregate_table(name))}")
        connection.execute(effort_views())
        rows = connection.execute(
            "SELECT site, strftime(day, '%m-%d'), hour, recorded_ms, usable_ms, analysed_ms, failed_ms, waiting_ms, unusable_ms "
            "FROM site_hours"
        ).fetchall()
    return [(*row[:3], *(ms / MINUTE for ms in row[3:])) for row in rows]


def add(layout: Layout, name: str, minutes: int, *, start: str | None = "2024-05-01T05:00:00", **facts) -> None:
    add_recording(layout, name, duration_ms=minutes * MINUTE, start_local=start, **facts)


def test_minutes_are_parted_by_hour_and_by_what_became_of_them(layout: Layout) -> None:
    add(layout, "a", 4, start="2024-05-01T23:58:00")
    add_results(
        layout, "a", [(m * MINUTE, (m + 1) * MINUTE, s) for m, s in enumerate(["ok", "failed", "empty", "ok"])], []
    )
    add(layout, "waits", 10)
    add(layout, "cut", 5, flags=(Flag("truncated", "fatal", "ends early"),), chunking=None)
    add(layout, "broken", 7, chunking="failed", site="Bog")
    ids = ["a", "waits", "cut", "broken"]
    collect_tables(layout, entries(ids))
    assert site_hours(layout) == [
        ("Bog", "05-01", 5, 7, 7, 0, 7, 0, 0),
        ("Pond", "05-01", 5, 15, 10, 0, 0, 10, 5),
        ("Pond", "05-01", 23, 2, 2, 1, 1, 0, 0),
        ("Pond", "05-02", 0, 2, 2, 2, 0, 0, 0),
    ]
    found = check_effort(layout, entries(ids))
    assert (found.differences, found.recorded_ms, found.unknown_length) == ((), 26 * MINUTE, 0)


def test_unknown_site_time_and_length(layout: Layout) -> None:
    add(layout, "a", 4, start=None, site=None)
    add(layout, "b", 3, start="no time", site="Pond")
    add_recording(layout, "c", duration_ms=None)
    collect_tables(layout, entries(["a", "b", "c", "never examined"]))
    assert site_hours(layout) == [("Pond", None, None, 3, 3, 0, 0, 3, 0), (None, None, None, 4, 4, 0, 0, 4, 0)]
    found = check_effort(layout, entries(["a", "b", "c", "never examined"]))
    assert (found.differences, found.unknown_length) == ((), 2)


def test_content_that_is_not_here_waits_and_is_no_suspect(layout: Layout) -> None:
    add(layout, "a", 5, flags=(Flag("content_missing", "fatal", "not fetched"),), chunking=None)
    known = [entry("a", state="content_missing")]
    collect_tables(layout, known)
    assert site_hours(layout) == [("Pond", "05-01", 5, 5, 5, 0, 0, 5, 0)]
    found = suspect_recordings(layout, known)
    assert (found.ok, found.flagged, found.quarantined) == (0, {}, {})


def test_partial_results_leave_the_rest_waiting(layout: Layout) -> None:
    add(layout, "a", 10)
    add_results(layout, "a", [(0, 4 * MINUTE, "ok")], [])
    collect_tables(layout, entries(["a"]))
    assert site_hours(layout) == [("Pond", "05-01", 5, 10, 10, 4, 0, 6, 0)]


def test_the_check_fails_when_a_minute_is_lost_or_counted_twice(layout: Layout) -> None:
    add(layout, "a", 4)
    add_results(layout, "a", [(0, 4 * MINUTE, "ok")], [])
    add(layout, "b", 4)
    collect_tables(layout, entries(["a", "b"]))
    table = layout.aggregate_table("effort")
    rows = pq.read_table(table)
    pq.write_table(rows.set_column(4, "effort_ms", [[5 * MINUTE]]), table)
    assert check_effort(layout, entries(["a", "b"])).differences == (
        "site Pond: 540000 ms of effort, the catalogue has 480000 ms",
    )
    pq.write_table(rows, table)
    recordings = layout.aggregate_table("recordings")
    pq.write_table(pq.read_table(recordings).slice(0, 1), recordings)
    assert check_effort(layout, entries(["a", "b"])).differences == (
        "site Pond: 240000 ms of effort, the catalogue has 480000 ms",
    )


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Pond", "Bog", None]),
            st.sampled_from(["2024-05-01T22:17:31", "2024-05-01T05:59:59", "2024-02-29T23:30:00", None]),
            st.lists(st.tuples(st.integers(1, 5_000_000), st.sampled_from(["ok", "empty", "failed"])), max_size=5),
            st.integers(0, 3_000_000),
        ),
        max_size=6,
    )
)
def test_the_sum_is_always_the_catalogue(tmp_path_factory, recordings) -> None:
    layout = dataset(tmp_path_factory.mktemp("sums"))
    ids = []
    for number, (site, start, chunks, rest) in enumerate(recordings):
        ids.append(f"r{number}")
        total = sum(ms for ms, _ in chunks) + rest
        add_recording(layout, ids[-1], site=site, start_local=start, duration_ms=total)
        position, rows = 0, []
        for ms, status in chunks:
            rows.append((position, position + ms, status))
            position += ms
        if rows:
            add_results(layout, ids[-1], rows, [])
    collect_tables(layout, entries(ids))
    found = check_effort(layout, entries(ids))
    assert found.differences == ()
    assert round(sum(row[3] for row in site_hours(layout)) * MINUTE) == found.recorded_ms


def test_quarantined_sound_is_unusable_and_never_silence(tmp_path: Path) -> None:
    """From the sound to the sums: one recording without signal, one in which two of eight seconds have none."""
    data = make_dataset(tmp_path, 3, seconds=8, detector="stub")
    mute, holed, good = data.recording_ids
    write_sound(tmp_path / "audio" / f"{mute}.wav", noise(8) * 0)
    sound = noise(8)
    sound[2 * RATE_HZ : 4 * RATE_HZ] = 0
    write_sound(tmp_path / "audio" / f"{holed}.wav", sound)
    data.chunk()
    engine = data.project.make_engine(fixed_clock, "run", say=print)
    refused = {outcome.recording_id: outcome.refused for outcome in engine.run(data.recording_ids) if outcome.refused}
    assert list(refused) == [mute]
    found = require_catalog(data.layout).entries
    collect_tables(data.layout, found)
    assert check_aggregates(data.layout) == []
    assert check_effort(data.layout, found).differences == ()
    rows = {row["recording_id"]: row for row in pq.read_table(data.layout.aggregate_table("recordings")).to_pylist()}
    assert [rows[name]["outcome"] for name in (mute, holed, good)] == ["quarantined", "analysed", "analysed"]
    assert [rows[name]["status"] for name in (mute, holed, good)] == ["quarantined", "flagged", "ok"]
    assert (rows[holed]["analysed_ms"], rows[holed]["unusable_ms"]) == (6000, 2000)
    assert rows[mute]["sound_lost_share"] == 1
    chunks = pq.read_table(data.layout.aggregate_table("chunk_quality")).to_pylist()
    assert [row["status"] for row in chunks if row["recording_id"] == holed] == ["ok", "quarantined", "ok", "ok"]
    (hour,) = site_hours(data.layout)
    assert [round(value * 60) for value in hour[3:]] == [24, 14, 14, 0, 0, 10]
