"""Everything that can be wrong with files, through the whole graph: it is recorded with its reason, and the rest is finished."""

from __future__ import annotations

import csv
import html
import multiprocessing
import os
import time
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow.parquet as pq
import pytest

from badc_assets.chunks.manifest import read_manifest
from badc_assets.cli.outstanding import work_to_do
from badc_assets.detections.store import read_result_status, read_table, status_path
from badc_assets.project import Project
from badc_assets.recordings.current import require_catalog
from badc_assets.recordings.facts import read_facts
from badc_assets.reports.progress import dataset_progress
from badc_assets_tests.audio.builders import chunk as riff_chunk
from badc_assets_tests.audio.builders import cut, format_chunk, riff
from badc_assets_tests.datasets import Dataset, make_dataset
from badc_assets_tests.defs.running import PER_RECORDING, failure_text, materialized, run_assets
from badc_assets_tests.instances import new_instance
from badc_assets_tests.sounds import noise, with_tone, write_sound
from badc_assets_tests.whole_runs import analysed, results, run_all, shown, temporary_files

ANNEX_KEY = "SHA256E-s96044--" + 64 * "a" + ".wav"


@pytest.fixture
def instance():
    """An instance on disk that goes away."""
    with new_instance() as fresh:
        yield fresh


def reason(dataset: Dataset, recording: str) -> str:
    """Why a recording is not done, as `badc status` lists it."""
    text = dataset_progress(dataset.layout, require_catalog(dataset.layout).entries).broken.get(recording, "")
    assert "\n" not in text
    return text


def counted(dataset: Dataset) -> dict[str, str]:
    """recording -> outcome, from the dataset's table."""
    rows = pq.read_table(dataset.layout.aggregate_table("recordings")).to_pylist()
    assert len({row["recording_id"] for row in rows}) == len(rows)
    return {row["recording_id"]: row["outcome"] for row in rows}


def add_bad_files(audio: Path) -> dict[str, str]:
    """File stem -> what its reason has to say. The names sort between those of `make_dataset`."""
    (audio / "SITE-1_a_random.wav").write_bytes(bytes(range(256)) * 20)
    (audio / "SITE-1_b_nothing.wav").write_bytes(b"")
    (audio / "SITE-1_c_header.wav").write_bytes(riff(format_chunk(), riff_chunk(b"data", b"")))
    return {
        "SITE-1_a_random": "quarantined: unreadable: cannot be read as sound",
        "SITE-1_b_nothing": "quarantined: empty: has no bytes",
        "SITE-1_c_header": "quarantined: empty: has a header but no samples",
    }


@pytest.mark.parametrize("truncated", ["quarantine", "flag"])
def test_bad_sound_files(tmp_path, instance, capfd, truncated):
    dataset = make_dataset(tmp_path, 2, recordings={"truncated": truncated})
    audio = tmp_path / "audio"
    expected = add_bad_files(audio)
    (audio / "SITE-1_d_annexed.wav").symlink_to(f"../.git/annex/objects/Xx/Yy/{ANNEX_KEY}/{ANNEX_KEY}")
    absent = {"SITE-1_d_annexed"}  # a state, and no failure
    cut_ids = {"SITE-1_e_cut", "SITE-1_f_cut"}
    cut(write_sound(audio / "SITE-1_e_cut.wav", noise(5)), 0.5)
    cut(write_sound(audio / "SITE-1_f_cut.flac", noise(5, seed=1)), 0.5)
    last = write_sound(audio / "SITE-1_z_good.wav", noise(5, seed=2)).stem
    good = {*dataset.recording_ids, last} | (cut_ids if truncated == "flag" else set())
    bad = set(expected) | (cut_ids if truncated == "quarantine" else set())

    (said,) = run_all(dataset.project, instance)

    line = shown(tmp_path / "log", capfd.readouterr().err)
    assert f"{len(bad)} of {len(good | bad | absent)} recordings were left out" in line
    assert "annexed" not in line
    assert all(recording in line and recording in said for recording in bad)
    assert analysed(dataset.layout, good | bad) == good == materialized(instance, "detections")
    assert materialized(instance, "recordings") == materialized(instance, "chunk_status") == good | bad | absent
    for recording, words in expected.items():
        assert words in reason(dataset, recording)
    assert reason(dataset, "SITE-1_d_annexed") == ""
    for recording in cut_ids:
        facts = read_facts(dataset.layout, recording)
        assert facts and "declares 5.000 s of sound but holds 2." in facts.reason
        assert facts.status == ("flagged" if truncated == "flag" else "quarantined")
    states = {"analysed": good, "quarantined": bad, "not analysed": absent}
    assert counted(dataset) == {recording: state for state, ids in states.items() for recording in ids}
    failures = list(csv.DictReader((dataset.layout.report_dir / "failures.csv").open(newline="")))
    assert {row["recording_id"] for row in failures} >= bad


def test_what_is_no_sound_file_is_reported_and_stops_nothing(tmp_path, instance):
    dataset = make_dataset(tmp_path, 2)
    audio = tmp_path / "audio"
    inside = write_sound(audio / "folder.wav" / "inside.wav", noise(5, seed=3))
    (audio / "empty_folder.wav").mkdir()
    (audio / "one.wav").symlink_to("two.wav")
    (audio / "two.wav").symlink_to("one.wav")
    (audio / "circle").symlink_to(audio)
    (audio / "circle.wav").symlink_to(audio)
    (audio / "lost.wav").symlink_to("nowhere.wav")
    os.mkfifo(audio / "pipe.wav")

    assert run_all(dataset.project, instance) == []

    catalog = require_catalog(dataset.layout)
    everything = {*dataset.recording_ids, f"folder.wav__{inside.stem}"}
    assert set(catalog.all_ids) == analysed(dataset.layout, catalog.all_ids) == everything
    for name in (
        "folder.wav",
        "empty_folder.wav",
        "one.wav",
        "two.wav",
        "circle",
        "circle.wav",
        "lost.wav",
        "pipe.wav",
    ):
        (problem,) = [text for text in catalog.problems if text.startswith(f"audio/{name}: ")]
        assert "\n" not in problem
    event = instance.get_latest_materialization_event(dg.AssetKey("recording_catalog"))
    assert event and event.asset_materialization
    assert "audio/one.wav: is a link to nothing" in str(event.asset_materialization.metadata["problems"].value)


NAMES = [
    b"with space.wav", b"comma,here.wav", b"quote\"s' and.wav", b"new\nline.wav", b"return\rhere.wav", b"tab\there.wav",
    "t\u00fcr \u26d4 \u9ce5.wav".encode(), b"--help.wav", b"-dash.wav", b"not utf8 \xff\xfe.wav", b"[red]markup[bold].wav",
    b"%41 $(x) `y` \\n.wav", b"=1+1.wav", b"<b>&amp;.wav", b"...wav", b"*?.wav",
]  # fmt: skip


def readable(name: bytes) -> str:
    """How tables and pages write a path: bytes that are not UTF-8 as escapes."""
    return "audio/" + os.fsdecode(name).encode("utf-8", "backslashreplace").decode()


def test_hard_names(tmp_path, instance):
    audio = tmp_path / "audio"
    audio.mkdir()
    for number, name in enumerate(NAMES):
        plain = write_sound(tmp_path / "sound.wav", with_tone(noise(5, seed=number), 1, 2, 3000))
        plain.rename(audio / os.fsdecode(name))
    settings = {"dataset": tmp_path, "chunking": {"length_s": 2}, "report": {"page_rows": 50, "thumbnails": 50}}
    project = Project.model_validate(settings)
    assert run_all(project, instance, bundles=True) == []

    layout = project.layout
    catalog = require_catalog(layout)
    by_path = {entry.audio_path: entry.recording_id for entry in catalog.entries}
    assert sorted(by_path) == sorted("audio/" + os.fsdecode(name) for name in NAMES)
    ids = set(by_path.values())
    assert len(ids) == len(NAMES)
    for asset in (*PER_RECORDING, "report_bundle"):
        assert materialized(instance, asset) == ids
    for path, recording in by_path.items():
        facts = read_facts(layout, recording)
        assert facts and facts.audio_path == path
        assert {chunk.source_path for chunk in read_manifest(layout.manifest(recording))} == {path}
        assert len(rows_of(layout.manifest(recording))) == 3
        written = path.encode("utf-8", "backslashreplace").decode()
        assert set(read_table(layout.detections(recording))["source_path"].to_pylist()) == {written}
    assert analysed(layout, ids) == ids

    paths = sorted(readable(name) for name in NAMES)
    assert sorted(pq.read_table(layout.aggregate_table("recordings"))["audio_path"].to_pylist()) == paths
    with duckdb.connect(str(layout.database), read_only=True) as connection:
        listed = connection.execute("SELECT audio_path FROM recordings").fetchall()
        found = connection.execute("SELECT DISTINCT source_path FROM detections").fetchall()
    assert sorted(path for (path,) in listed) == sorted(path for (path,) in found) == paths
    for file in layout.aggregate_dir.rglob("*.csv"):
        assert rows_of(file), file

    for name in NAMES:
        (audio / os.fsdecode(name)).write_bytes(b"no sound")
    run_all(project, instance)
    failures = rows_of(layout.report_dir / "failures.csv")
    assert sorted(row["audio_path"] for row in failures) == paths
    page = html.unescape((layout.report_dir / "index.html").read_bytes().decode())
    assert {path: page.count(f">{path}<") for path in paths} == dict.fromkeys(paths, 2)  # suspects, failures


def rows_of(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, all of which have a value, perhaps an empty one, for every column and no more."""
    with file.open(newline="", encoding="utf-8", errors="surrogateescape") as handle:
        rows = list(csv.DictReader(handle, strict=True))
    for row in rows:
        assert None not in row
        assert None not in row.values()
    return rows


def test_a_file_that_grows_before_it_is_chunked(tmp_path, instance):
    dataset = make_dataset(tmp_path, 3)
    first, growing, last = dataset.recording_ids
    run_assets(dataset.project, instance, ["recording_catalog"])
    run_assets(dataset.project, instance, ["recordings"], dataset.recording_ids)
    write_sound(tmp_path / "audio" / f"{growing}.wav", noise(7, seed=5))
    result = run_assets(
        dataset.project, instance, ["chunk_manifest", "chunk_status", "detections"], dataset.recording_ids
    )
    assert not result.success
    assert growing in failure_text(result)
    assert analysed(dataset.layout, dataset.recording_ids) == {first, last} == materialized(instance, "detections")
    assert "the file changed since it was examined" in reason(dataset, growing)
    finishes(dataset, instance, growing, audio_ms=7000)


def test_a_file_that_grows_while_it_is_read(tmp_path, instance):
    dataset = make_dataset(tmp_path, 3)
    first, growing, last = dataset.recording_ids
    path = write_sound(tmp_path / "audio" / f"{growing}.wav", noise(120, seed=5))
    started = dataset.layout.chunk_status(growing)
    recorder = multiprocessing.Process(target=append_when_there, args=(started, path))
    recorder.start()
    try:
        (said,) = run_all(dataset.project, instance)
    finally:
        recorder.kill()
        recorder.join()
    assert growing in said
    assert analysed(dataset.layout, dataset.recording_ids) == {first, last}
    assert "the file changed" in reason(dataset, growing)
    finishes(dataset, instance, growing, audio_ms=120_000)


def append_when_there(signal: Path, path: Path) -> None:
    while not signal.exists():
        time.sleep(0.0005)
    with path.open("ab", buffering=0) as handle:
        while True:
            handle.write(bytes(64))
            time.sleep(0.001)


def test_a_file_that_changes_after_it_was_chunked_is_not_analysed_under_the_old_hashes(tmp_path, instance):
    dataset = make_dataset(tmp_path, 3)
    first, changing, last = dataset.recording_ids
    run_assets(dataset.project, instance, ["recording_catalog"])
    run_assets(dataset.project, instance, ["recordings", "chunk_manifest", "chunk_status"], dataset.recording_ids)
    write_sound(tmp_path / "audio" / f"{changing}.wav", with_tone(noise(5, seed=5), 3, 4, 5000))
    result = run_assets(dataset.project, instance, ["detections"], dataset.recording_ids)
    assert not result.success
    assert analysed(dataset.layout, dataset.recording_ids) == {first, last}
    assert "the file changed after it was chunked" in reason(dataset, changing)
    assert read_table(dataset.layout.detections(changing)).num_rows == 0
    finishes(dataset, instance, changing, audio_ms=5000)


def finishes(dataset: Dataset, instance: dg.DagsterInstance, recording: str, *, audio_ms: int) -> None:
    """The next run does what is left."""
    assert run_all(dataset.project, instance) == []
    assert analysed(dataset.layout, dataset.recording_ids) == set(dataset.recording_ids)
    status = read_result_status(dataset.layout, recording)
    assert status and status.audio_ms == audio_ms


def places(dataset: Dataset) -> dict[str, Path]:
    """For each of six recordings another one of its files."""
    layout = dataset.layout
    kinds = (layout.facts, layout.manifest, layout.chunk_status, layout.detections, layout.effort,
             lambda recording: status_path(layout, recording))  # fmt: skip
    return {recording: kind(recording) for recording, kind in zip(dataset.recording_ids[1:], kinds, strict=True)}


def test_folders_in_the_places_of_files(tmp_path, instance):
    dataset = make_dataset(tmp_path, 7)
    taken = places(dataset)
    for place in taken.values():
        place.mkdir(parents=True)
    (said,) = run_all(dataset.project, instance)
    assert analysed(dataset.layout, dataset.recording_ids) == {dataset.recording_ids[0]}
    assert all(recording in said for recording in taken)
    told = "\n".join(str(record.event_log_entry) for asset in PER_RECORDING
                     for record in instance.fetch_materializations(dg.AssetKey(asset), limit=50).records)  # fmt: skip
    run_id = instance.get_run_records(limit=2)[1].dagster_run.run_id
    told += "\n".join(str(entry) for entry in instance.all_logs(run_id))
    for place in taken.values():
        assert f"{place}: is a folder in the place of a file; rename or remove it" in told
        place.rmdir()
    assert temporary_files(tmp_path) == []
    assert run_all(dataset.project, instance) == []
    assert analysed(dataset.layout, dataset.recording_ids) == set(dataset.recording_ids)


def test_a_folder_in_the_place_of_the_report_is_one_line(tmp_path, instance, capfd):
    dataset = make_dataset(tmp_path, 1)
    place = dataset.layout.report_dir / "index.html"
    place.mkdir(parents=True)
    assert len(run_all(dataset.project, instance)) == 1
    assert shown(tmp_path / "log", capfd.readouterr().err) == (
        f"{place}: is a folder in the place of a file; rename or remove it"
    )
    assert analysed(dataset.layout, dataset.recording_ids) == set(dataset.recording_ids)


def test_damaged_files_are_made_again_and_no_others(tmp_path, instance):
    dataset = make_dataset(tmp_path, 7)
    assert run_all(dataset.project, instance) == []
    before = {recording: results(dataset.layout, recording) for recording in dataset.recording_ids}
    damaged = places(dataset)
    for file in damaged.values():
        cut(file, 0.6)
    times = {
        r: dataset.layout.detections(r).stat().st_mtime_ns for r in dataset.recording_ids if r not in list(damaged)[3:]
    }
    assert work_to_do(dataset.project, instance).recordings == sorted(damaged)
    assert run_all(dataset.project, instance) == []
    assert {recording: results(dataset.layout, recording) for recording in dataset.recording_ids} == before
    assert {r: dataset.layout.detections(r).stat().st_mtime_ns for r in times} == times
    assert work_to_do(dataset.project, instance).recordings == []


def test_a_damaged_catalogue_says_what_to_do_and_doing_it_helps(tmp_path, instance, capfd):
    dataset = make_dataset(tmp_path, 2)
    assert run_all(dataset.project, instance) == []
    times = {r: dataset.layout.detections(r).stat().st_mtime_ns for r in dataset.recording_ids}
    cut(dataset.layout.catalog, 0.6)
    capfd.readouterr()
    assert len(run_all(dataset.project, instance)) == 1
    assert shown(tmp_path / "log", capfd.readouterr().err) == (
        f"{dataset.layout.catalog}: is damaged or no catalogue; delete it and scan again; results are kept"
    )
    dataset.layout.catalog.unlink()
    assert run_all(dataset.project, instance) == []
    assert {r: dataset.layout.detections(r).stat().st_mtime_ns for r in dataset.recording_ids} == times


def test_a_dataset_that_is_not_there_is_one_line_and_is_not_created(tmp_path, instance, capfd):
    project = Project.model_validate({"dataset": tmp_path / "mistyped"})
    assert len(run_all(project, instance)) == 1
    assert shown(tmp_path / "log", capfd.readouterr().err) == (
        f"{tmp_path}/mistyped: is no folder; set the audio folder to one that exists"
    )
    assert not (tmp_path / "mistyped").exists()
