"""Tables that take over what did not change are those that would be made anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badc_assets.layout import Layout
from badc_assets.recordings.model import Flag
from badc_assets.reports import collecting, earlier
from badc_assets.reports.aggregates import check_aggregates
from badc_assets.reports.collecting import TABLES, AggregateResult, collect_tables
from badc_assets.reports.inputs import inputs_digest
from badc_assets_tests.reports.builders import add_recording, add_results, dataset, entries

NAMES = ("a", "b", "b__1", "c", "d")
STATES = st.sampled_from(["absent", "gone", "waiting", "quarantined", "failed", "none", "one", "many", "damaged"])


def become(layout: Layout, recording_id: str, state: str) -> None:
    """Bring the files of a recording into a state."""
    for folder in (layout.infer_dir(recording_id), layout.chunk_dir(recording_id)):
        shutil.rmtree(folder, ignore_errors=True)
    layout.facts(recording_id).unlink(missing_ok=True)
    if state in ("absent", "gone"):
        return
    flags = (Flag("silent", "fatal", "no signal"),) if state == "quarantined" else ()
    add_recording(layout, recording_id, flags=flags, chunking="failed" if state == "failed" else "completed")
    found = {"none": 0, "one": 1, "many": 5, "quarantined": 2, "damaged": 3}
    if state in found:
        events: list[tuple[int, str, float | None]] = [(1000 * number, "RUGR", 0.5) for number in range(found[state])]
        add_results(layout, recording_id, [(0, 60_000, "ok"), (60_000, 120_000, "failed")], events)
    if state == "damaged":
        layout.detections(recording_id).write_bytes(b"PAR1 and no more")


def tables(layout: Layout) -> dict[str, pa.Table]:
    return {name: pq.read_table(layout.aggregate_table(name)).replace_schema_metadata(None) for name in TABLES}


def anew(layout: Layout, known: list) -> tuple[AggregateResult, dict[str, pa.Table]]:
    shutil.rmtree(layout.aggregate_table("effort").parent)
    return collect_tables(layout, known), tables(layout)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.dictionaries(st.sampled_from(NAMES), STATES, min_size=1), min_size=1, max_size=4))
def test_after_any_changes_the_tables_are_those_made_anew(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, str]]
) -> None:
    layout = dataset(tmp_path_factory.mktemp("changes"))
    now: dict[str, str] = {}
    for step in steps:
        for recording_id, state in step.items():
            become(layout, recording_id, state)
        now |= step
        collect_tables(layout, entries([name for name in now if now[name] != "gone"]))
    known = entries([name for name in now if now[name] != "gone"])
    result, found = collect_tables(layout, known), tables(layout)
    assert result.digest == inputs_digest(layout, known)
    made, made_tables = anew(layout, known)
    assert made_tables == found
    assert made.taken_over == 0
    assert (made.problems, made.detections, made.analysed_ms, made.failed_ms, made.recordings_counted) == (
        result.problems, result.detections, result.analysed_ms, result.failed_ms, result.recordings_counted,
    )  # fmt: skip


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = dataset(tmp_path)
    for name in NAMES:
        become(found, name, "many")
    collect_tables(found, entries(NAMES))
    return found


def test_only_what_changed_is_read_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    become(layout, "b", "one")
    read = []
    make = collecting.recording_outcome
    monkeypatch.setattr(
        collecting, "recording_outcome", lambda where, of: (read.append(of.entry.recording_id), make(where, of))[1]
    )
    result = collect_tables(layout, entries([*NAMES, "new"]))
    assert read == ["b", "new"]
    assert (result.recordings, result.taken_over, result.detections) == (6, 4, 21)
    assert check_aggregates(layout) == []


def test_a_file_that_was_damaged_since_is_noticed(layout: Layout) -> None:
    layout.detections("c").write_bytes(layout.detections("c").read_bytes()[:-20])
    for _ in range(2):  # and said every time
        result = collect_tables(layout, entries(NAMES))
        assert [problem.file for problem in result.problems] == ["artifacts/infer/c/detections.parquet"]
        assert (result.taken_over, result.recordings_counted) == (4, 4)


@pytest.mark.parametrize("spoil", ["missing", "garbage", "of another build", "other columns", "other version"])
def test_tables_that_do_not_belong_together_are_made_anew(
    layout: Layout, spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = layout.aggregate_table("effort")
    before, content = tables(layout), pq.read_table(target)
    if spoil == "missing":
        target.unlink()
    elif spoil == "garbage":
        target.write_bytes(b"PAR1")
    elif spoil == "of another build":
        pq.write_table(content.replace_schema_metadata(earlier.new_build()), target)
    elif spoil == "other columns":
        pq.write_table(content.drop_columns(["status"]), target)
    else:
        monkeypatch.setattr(earlier, "VERSION", "next")
    result = collect_tables(layout, entries(NAMES))
    assert result.taken_over == 0
    assert tables(layout) == before


def test_a_table_that_is_damaged_inside_is_made_anew(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end, which says where everything is, can be read."""
    target = layout.aggregate_table("detections")
    before, content = tables(layout), bytearray(target.read_bytes())
    metadata = pq.read_metadata(target)
    label = next(
        metadata.row_group(0).column(number)
        for number in range(metadata.num_columns)
        if metadata.row_group(0).column(number).path_in_schema == "confidence"
    )
    at = label.data_page_offset
    content[at : at + label.total_compressed_size] = b"\xff" * label.total_compressed_size
    target.write_bytes(content)
    result = collect_tables(layout, entries(NAMES))
    assert result.taken_over < len(NAMES)
    assert tables(layout) == before


def test_runs_of_rows_that_cross_batches_are_taken_over_whole(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tables(layout)
    monkeypatch.setattr(earlier, "_BATCH_ROWS", 3)
    assert collect_tables(layout, entries(NAMES)).taken_over == len(NAMES)
    assert tables(layout) == before
