"""fsck finds each kind of damage, names it, and calls nothing damage that is a state."""

from __future__ import annotations

import json
import os

import pyarrow.parquet as pq
import pytest

from badc_assets.errors import BadcError
from badc_assets.files import exclusive
from badc_assets.upkeep.findings import RULES
from badc_assets.upkeep.fsck import fsck
from badc_assets_tests.cli.same_process import SameProcess
from badc_assets_tests.cli.test_commands import home
from badc_assets_tests.datasets import make_dataset

__all__ = ["home"]


@pytest.fixture
def dataset(tmp_path):
    made = make_dataset(tmp_path / "data", 3)
    made.chunk()
    made.analyse()
    made.publish()
    return made


def found(dataset, *, is_full=False):
    """(rule, severity, subject) of everything that was found."""
    result = fsck(dataset.layout, is_full=is_full, readers=2)
    assert {finding.rule for finding in result.findings} <= set(RULES)
    return [(finding.rule, finding.severity, finding.subject) for finding in result.findings]


@pytest.mark.parametrize("is_full", [False, True])
def test_a_sound_dataset_has_nothing_to_report(dataset, is_full):
    result = fsck(dataset.layout, is_full=is_full)
    assert result.findings == ()
    assert result.recordings == 3


def test_without_a_catalogue_it_says_so(tmp_path):
    with pytest.raises(BadcError, match="there is no catalogue"):
        fsck(make_dataset(tmp_path, 1).layout, is_full=False)


def test_changed_sound_is_damage_and_only_full_mode_reads_it(dataset):
    name = dataset.recording_ids[0]
    path = dataset.layout.source(f"audio/{name}.wav")
    stat = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1  # outside the three blocks of the content key, or inside: full mode reads all
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert found(dataset) == []
    assert ("manifest_matches_sound", "damage", name) in found(dataset, is_full=True)


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda layout, name: layout.manifest(name).unlink(), ("manifest_intact", "damage")),
        (
            lambda layout, name: layout.manifest(name).write_text(
                layout.manifest(name).read_text().replace(",2000,", ",1999,")
            ),
            ("manifest_intact", "damage"),
        ),
        (lambda layout, name: layout.detections(name).write_bytes(b"short"), ("results_intact", "damage")),
        (lambda layout, name: (layout.infer_dir(name) / ".infer_status.json").unlink(), ("results_intact", "damage")),
    ],
)
def test_damage_is_found_in_fast_mode(dataset, break_it, expected):
    name = dataset.recording_ids[1]
    break_it(dataset.layout, name)
    assert (*expected, name) in found(dataset)


def test_what_is_being_written_is_left_alone(dataset):
    name = dataset.recording_ids[1]
    (dataset.layout.infer_dir(name) / ".infer_status.json").unlink()
    dataset.layout.aggregate_table("recordings").unlink()
    with exclusive(dataset.layout.locks / "infer" / f"{name}.lock"):
        assert ("results_intact", "damage", name) not in found(dataset)


def test_rows_that_contradict_the_manifest_are_found_in_full_mode(dataset):
    name = dataset.recording_ids[2]
    path = dataset.layout.effort(name)
    table = pq.ParquetFile(path).read()
    pq.write_table(table.slice(1), path)
    status = dataset.layout.infer_dir(name) / ".infer_status.json"
    value = json.loads(status.read_text()) | {"effort_bytes": path.stat().st_size}
    status.write_text(json.dumps(value))
    assert ("results_match_manifest", "damage", name) not in found(dataset)
    assert ("results_match_manifest", "damage", name) in found(dataset, is_full=True)


def test_tables_that_lost_rows_are_damage(dataset):
    table = dataset.layout.aggregate_table("detections")
    pq.write_table(pq.ParquetFile(table).read().slice(1), table)
    assert ("tables_match_results", "damage", str(table)) in found(dataset)


def test_a_table_that_is_gone_or_cut_off_is_damage(dataset):
    table = dataset.layout.aggregate_table("effort")
    table.write_bytes(table.read_bytes()[:50])
    assert ("tables_match_results", "damage", str(table)) in found(dataset)
    table.unlink()
    assert ("tables_match_results", "damage", str(table)) in found(dataset)


def test_a_row_that_contradicts_its_recording_is_damage(dataset):
    path = dataset.layout.aggregate_table("recordings")
    table = pq.ParquetFile(path).read()
    pq.write_table(table.slice(1), path)
    assert ("tables_match_results", "damage", dataset.recording_ids[0]) in found(dataset)


def test_results_made_after_the_tables_are_a_notice(dataset):
    (dataset.layout.infer_dir(dataset.recording_ids[0]) / ".infer_status.json").unlink()
    other = dataset.project.model_copy(update={"detector": "stub"})
    type(dataset)(other, dataset.recording_ids).analyse("later")
    table = str(dataset.layout.aggregate_table("recordings"))
    assert found(dataset) == [("tables_match_results", "notice", table)]
    assert found(dataset, is_full=True) == [("tables_match_results", "notice", table)]


def test_gone_sound_and_strays_are_notices(dataset):
    name = dataset.recording_ids[0]
    dataset.layout.source(f"audio/{name}.wav").unlink()
    assert ("content_present", "notice", name) in found(dataset)
    dataset.examine()
    assert ("results_have_sound", "notice", name) in found(dataset)
    dataset.layout.manifest("nobody").write_text("x")
    assert ("no_strays", "notice", "manifests/nobody.csv") in found(dataset)
    assert fsck(dataset.layout, is_full=True).damage == ()


def test_the_command_has_an_exit_status_for_damage(home, dataset):
    shell = SameProcess(home, dataset.layout.dataset)
    status, output = shell("badc", "fsck")
    assert status == 0
    assert "3 recordings looked through (fast): 0 damaged, 0 notices" in output
    dataset.layout.manifest(dataset.recording_ids[0]).unlink()
    status, output = shell("badc", "fsck", "--full")
    assert status == 3
    assert dataset.recording_ids[0] in output
    status, output = shell("badc", "fsck", "--json")
    assert status == 3
    assert json.loads(output)["damage"] == 1
    dataset.layout.catalog.unlink()
    status, output = shell("badc", "fsck")
    assert status == 1
