"""What must come out for every real recording: a table made by hand from the names and the raw header bytes."""

from __future__ import annotations

import csv
from pathlib import Path

from badc_assets.layout import Layout
from badc_assets.recordings.catalog import scan_dataset
from badc_assets.recordings.facts import examine
from badc_assets.recordings.place_time import load_declared
from badc_assets.recordings.settings import RecordingSettings

TABLE = Path(__file__).with_name("real_recordings.csv")


def test_all_that_is_known_of_all_real_recordings(shared_data: Path):
    folder = shared_data / "recordings"
    settings = RecordingSettings()
    declared = load_declared(settings)
    with TABLE.open(newline="") as handle:
        expected = list(csv.DictReader(handle))
    entries = scan_dataset(Layout(folder, folder, folder), None)[0].entries
    found = {}
    for entry in entries:
        facts = examine(Layout(folder, folder, folder), entry, settings, declared)
        values = {**vars(facts), "path": facts.audio_path, "status": facts.status}
        found[facts.audio_path] = {name: "" if values[name] is None else str(values[name]) for name in expected[0]}
    assert len(expected) == 106
    assert [found.get(row["path"]) for row in expected] == expected
    assert found.keys() == {row["path"] for row in expected}


def test_the_table_agrees_with_the_raw_headers(shared_data: Path):
    """Serial, time and voltage of the AudioMoth rows stand in the bytes of the file; no other row's file names a recorder."""
    with TABLE.open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["path"].startswith("misc/")]
    for row in rows:
        content = (shared_data / "recordings" / row["path"]).read_bytes()
        assert (b"by AudioMoth " in content) == (row["recorder"] == "AudioMoth")
        if row["serial"]:
            day, clock = row["start_local"].split("T")
            year, month, of_month = day.split("-")
            assert (
                f"Recorded at {clock} {of_month}/{month}/{year} (UTC) by AudioMoth {row['serial']}".encode() in content
            )
            assert f"{row['battery_v']}V".encode() in content
            assert (b"temperature was" in content) == bool(row["temperature_c"])
