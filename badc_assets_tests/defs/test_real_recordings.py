"""The whole graph on real field recordings: a day of a Song Meter, and a mixed bag."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import duckdb
import pytest

from badc_assets.project import Project
from badc_assets.recordings.current import require_catalog
from badc_assets.recordings.facts import read_facts
from badc_assets_tests.defs.running import PER_RECORDING, materialized, run_assets
from badc_assets_tests.instances import new_instance


@pytest.fixture(scope="module")
def finished(shared_data, tmp_path_factory):
    """The project after a run of everything, and its instance."""
    output = tmp_path_factory.mktemp("real")
    project = Project.model_validate({"dataset": shared_data / "recordings", "output": output})
    with new_instance() as instance:
        assert run_assets(project, instance, ["recording_catalog"]).success
        ids = instance.get_dynamic_partitions("recordings")
        assert run_assets(project, instance, PER_RECORDING, ids).success
        assert run_assets(project, instance, ["detection_aggregates", "dataset_report"]).success
        yield project, instance


def test_every_file_is_catalogued_and_analysed(finished, shared_data):
    project, instance = finished
    files = [
        path for path in (shared_data / "recordings").rglob("*") if path.suffix.lower() in {".wav", ".flac", ".mp3"}
    ]
    catalog = require_catalog(project.layout)
    assert len(catalog.entries) == len(files) == 106
    assert catalog.problems == ()
    assert materialized(instance, "detections") == set(catalog.all_ids)


def test_the_song_meter_day_has_its_times(finished):
    project, _ = finished
    facts = [
        read_facts(project.layout, key)
        for key in require_catalog(project.layout).all_ids
        if key.startswith("S4A03895__")
    ]
    starts = [datetime.fromisoformat(f.start_local) for f in facts if f and f.start_local]
    assert starts == [datetime(2019, 5, 22) + timedelta(minutes=15 * n) for n in range(96)]
    assert {(f.site, f.site_source, f.time_source, f.start_utc) for f in facts if f} == {
        ("S4A03895", "file name", "file name", None)
    }
    assert {(f.sample_rate_hz, f.channels, f.duration_ms) for f in facts if f} == {(22_000, 1, 10_000)}


def test_unknown_places_and_times_stay_unknown(finished):
    project, _ = finished
    facts = read_facts(project.layout, "misc__birds_10s")
    assert facts is not None
    assert (facts.site, facts.start_local, facts.time_source) == (None, None, "")
    assert facts.status == "ok"


def test_place_and_time_are_columns_of_the_table(finished):
    with duckdb.connect(str(finished[0].layout.database), read_only=True) as connection:
        query = "select start_utc, time_source, recorder, serial, gain, battery_v, temperature_c, sun_reason from recordings"
        rows = connection.sql(f"{query} where recording_id = 'misc__audiomoth_gps'").fetchall()
    assert rows == [
        ("2024-05-28T10:00:00+00:00", "OpenSoundscape comment", "AudioMoth", "243B1F026488F56E", "medium", 3.8, 12.8,
         "unknown: coordinates")
    ]  # fmt: skip


def test_all_formats_are_read(finished):
    project, _ = finished
    found = {
        key: read_facts(project.layout, f"misc__{key}")
        for key in ("segment", "silence_10s", "veryshort", "audiomoth_gps")
    }
    assert {key: f.container for key, f in found.items() if f} == {
        "segment": "flac", "silence_10s": "mp3", "veryshort": "wav", "audiomoth_gps": "wav"
    }  # fmt: skip


def test_the_database_adds_up_to_the_recordings(finished):
    project, _ = finished
    with duckdb.connect(str(project.layout.database), read_only=True) as connection:
        recordings, recorded_ms = connection.sql("select count(*), sum(duration_ms) from recordings").fetchall()[0]
        (effort_ms,) = connection.sql("select sum(effort_ms) from effort where status != 'failed'").fetchall()[0]
        (detections,) = connection.sql("select count(*) from detections").fetchall()[0]
    assert recordings == 106
    assert effort_ms == recorded_ms
    assert detections > 100


def test_the_report_stands(finished):
    project, _ = finished
    page = (project.layout.report_dir / "index.html").read_text()
    assert "S4A03895" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_nothing_was_written_into_the_dataset(finished, shared_data):
    assert not (shared_data / "recordings" / "artifacts").exists()
    status = json.loads(finished[0].layout.chunk_status("misc__1min").read_text())
    assert status["audio_path"] == "misc/1min.wav"
