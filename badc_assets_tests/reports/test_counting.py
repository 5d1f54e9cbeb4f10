"""What is moved, deleted, damaged or chunked anew after it was analysed is counted once, or not at all; never wrongly."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from badc_assets.chunks.chunking import chunk_recordings
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.inference.engine import Engine
from badc_assets.layout import Layout
from badc_assets.recordings.current import examine_recordings, require_catalog, update_catalog
from badc_assets.recordings.model import CatalogEntry, Flag
from badc_assets.reports.aggregates import check_aggregates, mixed_detectors
from badc_assets.reports.collecting import collect_tables
from badc_assets.reports.counting import STALE_REASON
from badc_assets.reports.dataset_report import write_dataset_report
from badc_assets.reports.inputs import inputs_digest
from badc_assets.reports.progress import dataset_progress
from badc_assets.reports.settings import ReportSettings
from badc_assets_tests.datasets import Dataset, fixed_clock, make_dataset
from badc_assets_tests.reports.builders import add_chunking, add_recording, add_results, dataset, entries, entry

CHUNKS = [(0, 60_000, "ok")]
FOUND: list[tuple[int, str, float | None]] = [(5, "RUGR", 0.5)]
NO_CLIPS = ReportSettings(example_clips=0)
THREE_SECONDS = ChunkSettings(length_s=3, overlap_s=0)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return dataset(tmp_path)


@pytest.fixture
def processed(tmp_path: Path) -> Dataset:
    """Two recordings of 4 s, analysed."""
    made = make_dataset(tmp_path, 2, seconds=4)
    process(made)
    return made


def process(made: Dataset, *, chunk: ChunkSettings | None = None, only: list[str] | None = None) -> None:
    """Scan, then examine, chunk and analyse; all recordings, or `only` some."""
    layout, project = made.layout, made.project
    update_catalog(layout)
    ids = only or require_catalog(layout).all_ids
    list(examine_recordings(layout, ids, project.recordings))
    settings = chunk or project.chunking
    list(chunk_recordings(layout, ids, settings, fixed_clock))
    engine = Engine(layout, project.make_detector(), settings, project.inference, fixed_clock, "run")
    list(engine.run(ids))


def totals(made: Dataset) -> tuple[int, int, int]:
    """Recordings counted, ms analysed, detections; the tables, the page and its CSVs must agree on them."""
    layout = made.layout
    result = collect_tables(layout, require_catalog(layout).entries)
    assert check_aggregates(layout) == []
    report = write_dataset_report(layout, NO_CLIPS)
    assert report.detections == result.detections
    assert round(report.analysed_hours * 3_600_000) == result.analysed_ms
    assert report.recordings == sum(int(row["recordings"]) for row in csv_rows(layout, "sites"))
    for name in ("sites", "effort"):
        assert sum(int(row["detections"] or 0) for row in csv_rows(layout, name)) == result.detections, name
    return result.recordings_counted, result.analysed_ms, result.detections


def csv_rows(layout: Layout, name: str) -> list[dict[str, str]]:
    text = (layout.report_dir / f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def table_rows(layout: Layout) -> dict[str, dict]:
    rows = pq.read_table(layout.aggregate_table("recordings")).to_pylist()
    return {row["recording_id"]: row for row in rows}


def collect(layout: Layout, *known: CatalogEntry) -> dict[str, tuple[str, str]]:
    """recording -> (results, outcome)."""
    collect_tables(layout, known)
    return {key: (row["results"], row["outcome"]) for key, row in table_rows(layout).items()}


def stages(made: Dataset) -> dict[str, int]:
    return {str(k): n for k, n in dataset_progress(made.layout, require_catalog(made.layout).entries).counts.items()}


@pytest.mark.parametrize("examined_again", [True, False], ids=["examined again", "only scanned"])
def test_deleted_audio_changes_no_number_and_is_listed(processed: Dataset, examined_again: bool) -> None:
    before = totals(processed)
    assert before[0] == 2
    recorded = sum(float(row["recorded_hours"]) for row in csv_rows(processed.layout, "sites"))
    gone = processed.recording_ids[0]
    processed.layout.source(f"audio/{gone}.wav").unlink()
    if examined_again:
        process(processed)
    else:
        update_catalog(processed.layout)
    assert totals(processed) == before
    assert sum(float(row["recorded_hours"]) for row in csv_rows(processed.layout, "sites")) == recorded
    assert {row["recording_id"]: row["state"] for row in csv_rows(processed.layout, "effort")}[gone] == "vanished"
    assert stages(processed) == {"analysed": 1, "vanished": 1}
    assert "1 recording is gone from the dataset" in (processed.layout.report_dir / "index.html").read_text("utf-8")


@pytest.mark.parametrize("old_too", [True, False], ids=["all run again", "only the new one run"])
def test_a_moved_file_is_counted_once_where_it_is_now(processed: Dataset, old_too: bool) -> None:
    before = totals(processed)
    old = processed.recording_ids[0]
    source = processed.layout.source(f"audio/{old}.wav")
    (source.parent / "archive").mkdir()
    source.rename(source.parent / "archive" / source.name)
    process(processed, only=None if old_too else [f"archive__{old}"])
    assert totals(processed) == before
    row = table_rows(processed.layout)[old]
    assert (row["state"], row["outcome"], row["moved_to"]) == ("vanished", "moved", f"audio/archive/{old}.wav")
    assert f"audio/archive/{old}.wav" in row["outcome_reason"]
    assert [row["recordings"] for row in csv_rows(processed.layout, "sites")] == ["2"]
    assert csv_rows(processed.layout, "failures") == []
    assert stages(processed) == {"analysed": 2, "moved": 1}


def test_moved_and_not_analysed_yet_is_not_counted_and_moved_back_is_counted_again(processed: Dataset) -> None:
    before = totals(processed)
    first = processed.layout.source(f"audio/{processed.recording_ids[0]}.wav")
    second = first.with_name("elsewhere.wav")
    first.rename(second)
    update_catalog(processed.layout)
    assert totals(processed)[0] == 1
    process(processed)
    assert totals(processed) == before
    second.rename(first)
    process(processed)
    assert totals(processed) == before
    assert table_rows(processed.layout)["elsewhere"]["moved_to"] == f"audio/{first.name}"


def test_moved_twice_and_deleted_in_the_end_is_counted_once(processed: Dataset) -> None:
    before = totals(processed)
    place = processed.layout.source(f"audio/{processed.recording_ids[0]}.wav")
    for name in ("second.wav", "third.wav"):
        place = place.rename(place.with_name(name))
        process(processed)
        assert totals(processed) == before
    place.unlink()
    process(processed)
    assert totals(processed) == before
    assert [row["moved_to"] for row in table_rows(processed.layout).values()].count("audio/third.wav") == 2


def test_deleted_after_its_move_but_before_it_was_analysed_there(layout: Layout) -> None:
    add_recording(layout, "a")
    add_results(layout, "a", CHUNKS, FOUND)
    add_recording(layout, "b")
    gone = (entry("a", state="vanished"), entry("b", state="vanished", moved_from="audio/a.wav"))
    assert collect(layout, *gone) == {"a": ("counted", "analysed"), "b": ("none", "not analysed")}
    fetched = (gone[0], replace(gone[1], state="content_missing"))
    assert collect(layout, *fetched)["a"] == ("moved", "moved"), "the new file is known, its content is elsewhere"


def test_a_new_recording_with_the_name_of_one_that_moved_away_and_was_deleted(layout: Layout) -> None:
    for recording_id in ("a", "b"):
        add_recording(layout, recording_id)
        add_results(layout, recording_id, CHUNKS, FOUND)
    moved = entry("b", state="vanished", moved_from="audio/a.wav", content_key="MD5E-old")
    assert collect(layout, entry("a", content_key="MD5E-new"), moved)["b"] == ("counted", "analysed")
    assert collect(layout, entry("a", content_key="MD5E-old"), moved)["b"] == ("moved", "moved")


def test_audio_that_was_spoilt_after_its_analysis_is_not_counted(processed: Dataset) -> None:
    _, analysed_ms, found = totals(processed)
    bad = processed.recording_ids[0]
    processed.layout.source(f"audio/{bad}.wav").write_bytes(b"no sound at all" * 100)
    process(processed)
    counted, ms, detections = totals(processed)
    assert (counted, ms) == (1, analysed_ms // 2)
    assert detections < found
    row = table_rows(processed.layout)[bad]
    assert (row["results"], row["outcome"], row["analysed_ms"]) == ("set aside", "quarantined", None)


def test_results_of_other_chunks_than_the_present_are_stale(processed: Dataset) -> None:
    """The settings changed; one recording was chunked anew, and the run was stopped before it was analysed."""
    _, analysed_ms, _ = totals(processed)
    again = processed.recording_ids[1]
    list(chunk_recordings(processed.layout, [again], THREE_SECONDS, fixed_clock))
    assert totals(processed)[:2] == (1, analysed_ms // 2)
    row = table_rows(processed.layout)[again]
    assert (row["results"], row["outcome"], row["outcome_reason"]) == ("stale", "not analysed", STALE_REASON)
    progress = dataset_progress(processed.layout, require_catalog(processed.layout).entries)
    assert progress.counts == {"analysed": 1, "stale": 1}
    assert progress.broken == {again: f"stale: {STALE_REASON}"}
    process(processed, chunk=THREE_SECONDS, only=[again])
    assert totals(processed)[:2] == (2, analysed_ms)


def test_each_part_of_the_rule_is_needed(layout: Layout) -> None:
    facts = add_recording(layout, "a")
    add_results(layout, "a", CHUNKS, FOUND)
    here = entry("a")
    assert collect(layout, here)["a"] == ("counted", "analysed")
    add_chunking(layout, facts, "in_progress")
    assert collect(layout, here)["a"] == ("stale", "not analysed")
    add_chunking(layout, facts, "failed")
    assert collect(layout, here)["a"] == ("stale", "failed")
    add_chunking(layout, facts, manifest_digest="other rows")
    assert collect(layout, here)["a"] == ("stale", "not analysed")
    add_chunking(layout, replace(facts, content_key="other content"))
    assert collect(layout, here)["a"] == ("stale", "not analysed")
    layout.chunk_status("a").unlink()
    assert collect(layout, here)["a"] == ("stale", "not analysed")
    add_chunking(layout, facts)
    layout.facts("a").unlink()
    assert collect(layout, here)["a"] == ("stale", "not analysed")


@pytest.mark.parametrize("code", ["content_missing", "missing", "vanished"])
def test_content_that_is_not_here_now_changes_no_number(layout: Layout, code: str) -> None:
    add_recording(layout, "a", duration_ms=None, flags=(Flag(code, "fatal", "not here"),))
    add_results(layout, "a", CHUNKS, FOUND)
    add_recording(layout, "never", flags=(Flag(code, "fatal", "not here"),), chunking=None)
    known = (entry("a", state="content_missing"), entry("never", state="content_missing"))
    outcome = "not analysed" if code == "content_missing" else "quarantined"
    assert collect(layout, *known) == {"a": ("counted", "analysed"), "never": ("none", outcome)}
    assert table_rows(layout)["a"]["duration_ms"] == 60_000
    stage = "content missing" if code == "content_missing" else "quarantined"
    assert dataset_progress(layout, known).counts == {"analysed": 1, stage: 1}


def test_a_failed_analysis_is_failed_effort_and_no_more(layout: Layout) -> None:
    add_recording(layout, "a")
    add_results(layout, "a", [(0, 60_000, "failed")], [], status="failed")
    result = collect_tables(layout, entries(["a"]))
    assert (result.recordings_counted, result.analysed_ms, result.failed_ms) == (0, 0, 60_000)
    row = table_rows(layout)["a"]
    assert (row["results"], row["outcome"]) == ("failed", "failed")
    assert row["outcome_reason"] == "1 of 1 chunks failed: out of memory"
    assert dataset_progress(layout, entries(["a"])).broken == {"a": "analysis failed: out of memory"}
    assert check_aggregates(layout) == []


def test_a_recording_shorter_than_a_millisecond_is_analysed(layout: Layout) -> None:
    add_recording(layout, "a", duration_ms=0)
    add_results(layout, "a", [(0, 0, "empty")], [])
    assert collect(layout, entry("a"))["a"] == ("counted", "analysed")


def test_better_metadata_reaches_the_tables_without_a_new_analysis(layout: Layout) -> None:
    add_recording(layout, "a", site=None)
    add_results(layout, "a", CHUNKS, [(1_500, "RUGR", 0.5)])
    columns = []
    for facts in ({"site": None}, {"site": "Pond", "start_utc": "2024-05-01T11:00:00+00:00"}):
        add_recording(layout, "a", **facts)
        collect_tables(layout, entries(["a"]))
        (row,) = pq.read_table(layout.aggregate_table("detections")).to_pylist()
        columns.append((row["site"], row["start_utc"]))
    assert columns == [(None, None), ("Pond", "2024-05-01T11:00:01.500+00:00")]
    assert "site" not in pq.read_schema(layout.detections("a")).names


def test_mixed_detectors_are_named_on_the_page_too(layout: Layout) -> None:
    versions = {"a": "energy-1.0+abc", "b": "energy-2.0+abc", "c": "energy-2.0+abc", "bad": "energy-3.0+abc"}
    for recording_id, version in versions.items():
        add_recording(layout, recording_id)
        chunks = [(0, 60_000, "failed" if recording_id == "bad" else "ok")]
        status = "failed" if recording_id == "bad" else "completed"
        add_results(layout, recording_id, chunks, [], model_version=version, status=status)
    mixed = []
    for ids in (["b", "c", "bad"], versions):
        collect_tables(layout, entries(ids))
        mixed.append(mixed_detectors(layout))
        write_dataset_report(layout, NO_CLIPS)
        page = (layout.report_dir / "index.html").read_text("utf-8")
        assert ("are mixed on this page" in page) == bool(mixed[-1])
    assert mixed == [[], ["energy energy-2.0+abc: 2 recordings", "energy energy-1.0+abc: 1 recording"]]


def test_the_digest_of_the_inputs_follows_the_catalogue(layout: Layout) -> None:
    add_recording(layout, "a")
    add_results(layout, "a", CHUNKS, FOUND)
    states = [
        (entry("a"),),
        (entry("a", state="vanished"),),
        (entry("a", state="vanished"), entry("b")),
        (entry("a", state="vanished"), entry("b", moved_from="audio/a.wav")),
    ]
    digests = [inputs_digest(layout, known) for known in states]
    assert len(set(digests)) == len(states)
    assert digests == [inputs_digest(layout, reversed(known)) for known in states]


def test_each_setting_changes_the_digest_of_what_it_changes() -> None:
    others = {"min_confidence": 0.5, "clip_sample_rate_hz": 16_000}
    usual = ReportSettings()
    for name in ReportSettings.model_fields:
        other = ReportSettings.model_validate({name: others.get(name, getattr(usual, name) + 1)})
        parts = ("bundle", "database", "page")
        changed = {part for part in parts if getattr(other, f"{part}_digest") != getattr(usual, f"{part}_digest")}
        if name == "bucket_minutes":
            assert changed == {"bundle", "database"}
        else:
            assert changed == ({"bundle"} if "_top_" in name else {"page"}), name
