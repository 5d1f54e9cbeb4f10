"""Sensors on real git-annex datasets and plain folders, with the runs that they request."""

from __future__ import annotations

import time
from pathlib import Path

import dagster as dg
import pytest

from badc_assets.definitions import build_definitions
from badc_assets.detections.store import read_result_status
from badc_assets.project import Project
from badc_assets.recordings.current import require_catalog
from badc_assets_tests.defs.running import materialized, run_assets
from badc_assets_tests.defs.sensor_daemon import Daemon
from badc_assets_tests.repositories import Repository
from badc_assets_tests.sounds import noise, with_tone, write_sound

SECOND = 16_000


def project_on(folder: Path, **settings) -> Project:
    content = {"quiet_s": 0, "keep_free_gb": 0, **settings}
    return Project.model_validate(
        {"dataset": folder, "output": folder.parent / "results", "chunking": {"length_s": 2}, "content": content}
    )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.annexed(tmp_path / "dataset")


def test_added_changed_renamed_and_removed(repository: Repository, instance):
    project = project_on(repository.root, page=2)
    repository.add_sounds(a=SECOND, b=SECOND + 1, c=SECOND + 2)
    daemon = Daemon(project, instance)
    daemon.until_idle()
    assert daemon.ran == [["a", "b"], ["c"]]  # one range run for each page
    assert all(run.success for run in daemon.runs)
    assert materialized(instance, "detections") == {"a", "b", "c"}

    repository.run("git", "rm", "-q", "audio/a.wav")
    repository.run("git", "mv", "audio/b.wav", "audio/renamed.wav")
    repository.add_sounds(c=2 * SECOND, d=SECOND + 3)
    daemon.until_idle()
    assert sorted(key for keys in daemon.ran[2:] for key in keys) == ["c", "d", "renamed"]
    assert materialized(instance, "detections") == {"a", "b", "c", "d", "renamed"}
    states = {e.recording_id: e.state for e in require_catalog(project.layout).entries}
    assert states == {"a": "vanished", "b": "vanished", "c": "present", "d": "present", "renamed": "present"}
    for orphan in ("a", "b"):
        assert project.layout.detections(orphan).is_file()
    records = instance.fetch_observations(dg.AssetKey("audio_files"), limit=20).records
    observed = [record.event_log_entry.asset_observation for record in records]
    seen = {each.partition: each.metadata["state"].value for each in observed if each and "state" in each.metadata}
    assert seen == {"a": "removed from the dataset", "b": "renamed to renamed"}


def test_a_tick_that_dies_drops_nothing_and_nothing_runs_twice(repository: Repository, instance):
    project = project_on(repository.root, page=2)
    repository.add_sounds(**{name: SECOND + number for number, name in enumerate("abcde")})
    daemon = Daemon(project, instance)
    for dies in (True, False, True, True, False, True, False, True, False, False):
        daemon.tick(dies=dies)
    assert daemon.ran == [["a", "b"], ["c", "d"], ["e"]]
    assert materialized(instance, "detections") == set("abcde")


def test_a_lost_cursor_and_a_rewritten_history_run_only_what_is_new(repository: Repository, instance):
    project = project_on(repository.root)
    first = repository.add_sounds(a=SECOND, b=SECOND + 1)
    daemon = Daemon(project, instance)
    daemon.until_idle()
    daemon.cursor = None
    daemon.until_idle()
    assert daemon.ran == [["a", "b"]]
    repository.run("git", "reset", "-q", "--hard", first)
    repository.add_sounds(b=2 * SECOND)
    repository.run("git", "checkout", "-q", "--orphan", "rewritten")
    repository.commit("anew")
    repository.run("git", "branch", "-D", "main")
    repository.run("git", "reflog", "expire", "--expire=now", "--all")
    repository.run("git", "gc", "-q", "--prune=now")
    daemon.until_idle()
    assert daemon.ran == [["a", "b"], ["b"]]


def test_what_was_processed_by_hand_is_not_run_again(repository: Repository, instance):
    project = project_on(repository.root)
    repository.add_sounds(a=SECOND, b=SECOND + 1, c=SECOND + 2)
    assert run_assets(project, instance, ["recording_catalog"]).success
    run_assets(project, instance, ["recordings", "chunk_manifest", "chunk_status", "detections"], ["b"])
    daemon = Daemon(project, instance)
    daemon.until_idle()
    assert daemon.ran == [["a"], ["c"]]


def test_while_a_scan_is_under_way_the_sensor_waits(repository: Repository, instance):
    from badc_assets.files import exclusive

    project = project_on(repository.root)
    repository.add_sounds(a=SECOND)
    daemon = Daemon(project, instance)
    daemon.tick()
    with exclusive(project.layout.locks / "catalog.lock"):
        assert not daemon.tick()
        assert "a scan is under way" in daemon.said[-1]
    daemon.until_idle()
    assert daemon.ran == [["a"]]


def test_very_many_changes_are_scanned_once_before_their_pages(repository: Repository, instance, monkeypatch):
    from badc_assets.defs import sensors

    monkeypatch.setattr(sensors, "MOST_BY_PAGE", 2)
    project = project_on(repository.root, page=2)
    repository.add_sounds(a=SECOND, b=SECOND + 1, c=SECOND + 2)
    daemon = Daemon(project, instance)
    daemon.tick(dies=True)
    daemon.tick()
    assert (daemon.others, daemon.ran) == (["catalogue"], [])
    scan = instance.create_run_for_job(
        build_definitions(project).resolve_job_def("catalogue"),
        tags={sensors.REASON_TAG: sensors.SCAN},
        status=dg.DagsterRunStatus.STARTED,
    )
    assert not daemon.tick()
    assert "under way" in daemon.said[-1]
    instance.report_run_failed(scan)
    daemon.until_idle()
    assert daemon.others == ["catalogue"]
    assert daemon.ran == [["a", "b"], ["c"]]


def test_a_dataset_that_is_not_there_is_said_in_one_line(tmp_path: Path, instance):
    daemon = Daemon(project_on(tmp_path / "nowhere"), instance)
    assert not daemon.tick()
    assert "is no folder" in daemon.said[-1]


def test_a_plain_folder(tmp_path: Path, instance):
    folder = tmp_path / "folder"
    for name in ("a", "b"):
        write_sound(folder / f"audio/{name}.wav", with_tone(noise(3, seed=ord(name)), 1.0, 2.0, 3000))
    daemon = Daemon(project_on(folder), instance)
    daemon.until_idle()
    assert daemon.ran == [["a", "b"]]
    write_sound(folder / "audio/b.wav", noise(4, seed=9))
    write_sound(folder / "audio/c.wav", noise(3, seed=10))
    daemon.until_idle()
    assert daemon.ran == [["a", "b"], ["b", "c"]]
    (folder / "audio/a.wav").unlink()
    daemon.until_idle()
    assert len(daemon.ran) == 2
    assert read_result_status(daemon.project.layout, "a") is not None


def test_an_unchanged_tick_takes_no_time(repository: Repository, instance):
    project = project_on(repository.root)
    repository.add_sounds(a=SECOND)
    definitions = build_definitions(project)
    daemon = Daemon(project, instance)
    daemon.until_idle()
    context = dg.build_sensor_context(instance=instance, cursor=daemon.cursor, definitions=definitions)
    sensor = definitions.get_sensor_def("new_recordings")
    sensor.evaluate_tick(context)
    started = time.perf_counter()
    for _ in range(10):
        sensor.evaluate_tick(context)
    assert (time.perf_counter() - started) / 10 < 0.05


@pytest.fixture
def clone(repository: Repository, tmp_path: Path) -> Repository:
    repository.add_sounds(a=SECOND, b=SECOND + 1, c=SECOND + 2)
    return repository.clone(tmp_path / "clone")


def test_recordings_without_content_are_a_state_and_run_when_it_arrives(clone: Repository, instance):
    project = project_on(clone.root, policy="wait")
    daemon = Daemon(project, instance)
    daemon.until_idle()
    assert daemon.ran == [["a", "b", "c"]]
    assert daemon.runs[0].success
    events = daemon.runs[0].asset_materializations_for_node("recordings")
    assert all("content_missing" in str(event.metadata["reason"].value) for event in events)
    assert materialized(instance, "detections") == set()
    arrivals = Daemon(project, instance, "arrived_content")
    arrivals.until_idle()
    assert arrivals.ran == []
    clone.run("git", "annex", "get", "-q", "audio/a.wav", "audio/c.wav")
    arrivals.until_idle()
    assert arrivals.ran == [["a"], ["c"]]
    assert materialized(instance, "detections") == {"a", "c"}
    daemon.until_idle()
    assert len(daemon.ran) == 1


def test_fetched_before_and_dropped_after(clone: Repository, repository: Repository, instance):
    project = project_on(clone.root, policy="fetch", drop=True)
    repository.run("git", "annex", "drop", "-q", "--force", "audio/b.wav")
    daemon = Daemon(project, instance)
    daemon.until_idle()
    assert daemon.ran == [["a", "b", "c"]]
    assert daemon.runs[0].success
    assert materialized(instance, "detections") == {"a", "c"}
    by_id = {str(e.partition): e.metadata for e in daemon.runs[0].asset_materializations_for_node("recordings")}
    assert "not fetched" in by_id["b"] and "not fetched" not in by_id["a"]
    assert not (clone.root / "audio/a.wav").exists()
    assert {e.state for e in require_catalog(project.layout).entries} == {"content_missing"}
    # What is analysed is not fetched again, whoever asks.
    arrivals = Daemon(project, instance, "arrived_content")
    for sensor in (daemon, arrivals):
        sensor.until_idle()
    assert len(daemon.ran) == 1
    assert arrivals.ran == []
    run_assets(project, instance, ["recordings"], ["a"])
    assert not (clone.root / "audio/a.wav").exists()


def test_what_was_missing_is_fetched_when_the_policy_becomes_fetch(clone: Repository, instance):
    from badc_assets.cli.outstanding import work_to_do

    waits = project_on(clone.root, policy="wait")
    Daemon(waits, instance).until_idle()
    assert work_to_do(waits, instance).recordings == []
    assert work_to_do(waits, instance).unusable == ["a", "b", "c"]
    fetches = project_on(clone.root, policy="fetch")
    assert work_to_do(fetches, instance).recordings == ["a", "b", "c"]
    arrivals = Daemon(fetches, instance, "arrived_content")
    arrivals.tick()
    arrivals.tick()
    assert arrivals.ran == [["a", "b", "c"]]
    assert materialized(instance, "detections") == {"a", "b", "c"}
    assert work_to_do(fetches, instance).recordings == []


def test_what_did_not_fit_is_fetched_when_there_is_room(clone: Repository, instance):
    size = 2 * SECOND + 100
    project = project_on(clone.root, policy="fetch", drop=True, disk_budget_gb=1.5 * size / 1e9)
    Daemon(project, instance).until_idle()
    assert len(materialized(instance, "detections")) == 1
    arrivals = Daemon(project, instance, "arrived_content")
    for _ in range(6):
        arrivals.tick()
    assert materialized(instance, "detections") == {"a", "b", "c"}
    assert [len(keys) for keys in arrivals.ran] == [1, 1]


def test_skipped_recordings_are_catalogued_and_not_run(clone: Repository, instance):
    project = project_on(clone.root, policy="skip")
    clone.run("git", "annex", "get", "-q", "audio/b.wav")
    daemon = Daemon(project, instance)
    daemon.until_idle()
    assert daemon.ran == [["b"]]
    assert len(require_catalog(project.layout).entries) == 3
    arrivals = Daemon(project, instance, "arrived_content")
    assert not arrivals.tick()
    assert "skips recordings" in arrivals.said[-1]


def test_unlocked_recordings_keep_their_results_when_dropped(clone: Repository, instance):
    from badc_assets.reports.counting import read_evidence

    clone.run("git", "annex", "adjust", "--unlock", "-q")
    project = project_on(clone.root, policy="fetch", drop=True)
    Daemon(project, instance).until_idle()
    assert materialized(instance, "detections") == {"a", "b", "c"}
    entries = require_catalog(project.layout).entries
    assert {e.state for e in entries} == {"content_missing"}
    assert [evidence.results for evidence in read_evidence(project.layout, entries)] == ["counted"] * 3
