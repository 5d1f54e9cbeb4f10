"""Facts of a recording: right for good sound, flagged and never raised for bad."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from badc_assets.layout import Layout
from badc_assets.recordings.catalog import scan_dataset
from badc_assets.recordings.facts import examine, read_facts, write_facts
from badc_assets.recordings.model import CatalogEntry, RecordingFacts
from badc_assets.recordings.settings import RecordingSettings
from badc_assets_tests.audio.builders import RATE_HZ, cut
from badc_assets_tests.recordings.builders import add_sound, layout_of, set_time

SETTINGS = RecordingSettings()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return layout_of(tmp_path / "dataset")


def catalogued(layout: Layout) -> dict[str, CatalogEntry]:
    return scan_dataset(layout, None)[0].by_id()


def facts_of(layout: Layout, recording_id: str = "a", settings: RecordingSettings = SETTINGS) -> RecordingFacts:
    return examine(layout, catalogued(layout)[recording_id], settings)


def codes(facts: RecordingFacts) -> dict[str, str]:
    return {flag.code: flag.severity for flag in facts.flags}


class TestGoodSound:
    def test_everything_known(self, layout: Layout):
        path = add_sound(layout, "N1/GNWT-114_20230509_094500.wav", RATE_HZ * 2)
        facts = facts_of(layout, "N1__GNWT-114_20230509_094500")
        assert (facts.container, facts.sample_format, facts.sample_rate_hz) == ("wav", "PCM_16", RATE_HZ)
        assert (facts.channels, facts.frames, facts.duration_ms) == (1, RATE_HZ * 2, 2000)
        assert (facts.site, facts.site_source) == ("GNWT-114", "file name")
        assert (facts.start_local, facts.time_source) == ("2023-05-09T09:45:00", "file name")
        assert facts.start_utc is None
        assert facts.size_bytes == path.stat().st_size
        assert (facts.status, facts.flags) == ("ok", ())

    def test_name_that_says_nothing(self, layout: Layout):
        add_sound(layout, "a.wav")
        facts = facts_of(layout)
        assert (facts.site, facts.site_source, facts.start_local, facts.time_source) == (None, "", None, "")

    def test_a_real_day(self, shared_data: Path):
        layout = Layout(shared_data, shared_data / "recordings" / "S4A03895", shared_data)
        found = [examine(layout, entry, SETTINGS) for entry in catalogued(layout).values()]
        midnight = datetime(2019, 5, 22)
        expected = [(midnight + timedelta(minutes=15 * number)).isoformat() for number in range(96)]
        assert [facts.start_local for facts in found] == expected
        assert {facts.site for facts in found} == {"S4A03895"}
        assert {facts.status for facts in found} == {"ok"}


class TestBadSound:
    @pytest.mark.parametrize(("content", "code"), [(b"", "empty"), (bytes(range(256)) * 9, "unreadable")])
    def test_bytes_that_are_no_sound(self, layout: Layout, content: bytes, code: str):
        add_sound(layout, "a.wav", content=content)
        facts = facts_of(layout)
        assert (codes(facts), facts.status) == ({code: "fatal"}, "quarantined")
        assert (facts.frames, facts.duration_ms, facts.sample_rate_hz) == (None, None, None)
        assert facts.reason.startswith(f"{code}: ")

    def test_annexed_content_absent(self, layout: Layout):
        (layout.audio / "a.wav").symlink_to("../.git/annex/objects/aa/MD5E-s5--00.wav")
        facts = facts_of(layout)
        assert codes(facts) == {"content_missing": "fatal"}
        assert (facts.content_key, facts.size_bytes) == ("MD5E-s5--00.wav", 5)

    def test_gone_since_the_scan(self, layout: Layout):
        path = add_sound(layout, "a.wav")
        entry = catalogued(layout)["a"]
        path.unlink()
        assert codes(examine(layout, entry, SETTINGS)) == {"missing": "fatal"}
        path.mkdir()
        assert codes(examine(layout, entry, SETTINGS)) == {"not_a_file": "fatal"}

    def test_vanished(self, layout: Layout):
        add_sound(layout, "A_20190522_000000.wav")
        entry = replace(catalogued(layout)["A_20190522_000000"], state="vanished")
        facts = examine(layout, entry, SETTINGS)
        assert (codes(facts), facts.site) == ({"vanished": "fatal"}, "A")

    @pytest.mark.parametrize("name", ["a.wav", "a.flac"])
    @pytest.mark.parametrize(("choice", "status"), [("quarantine", "quarantined"), ("flag", "flagged")])
    def test_truncated(self, layout: Layout, name: str, choice: str, status: str):
        cut(add_sound(layout, name, RATE_HZ * 10), 0.5)
        facts = facts_of(layout, settings=RecordingSettings.model_validate({"truncated": choice}))
        assert facts.status == status
        assert "declares 10.000 s" in facts.reason
        assert f"holds {facts.frames / RATE_HZ:.3f} s" in facts.reason
        assert 3 * RATE_HZ < facts.frames < 6 * RATE_HZ


class TestWarnings:
    def test_duplicate(self, layout: Layout):
        add_sound(layout, "a.wav")
        add_sound(layout, "b.wav")
        facts = facts_of(layout, "b")
        assert (codes(facts), facts.status) == ({"duplicate": "warning"}, "flagged")

    def test_changed_since_the_scan(self, layout: Layout):
        path = add_sound(layout, "a.wav")
        entry = catalogued(layout)["a"]
        set_time(path, 1000)
        facts = examine(layout, entry, SETTINGS)
        assert codes(facts) == {"changed_since_catalogued": "warning"}
        assert facts.content_key == catalogued(layout)["a"].content_key != entry.content_key


class TestFactsFile:
    @pytest.mark.parametrize("name", ["a.wav", "bad\udcff\n.wav"])
    def test_written_and_read_back(self, layout: Layout, name: str):
        cut(add_sound(layout, name), 0.5)
        facts = examine(layout, next(iter(catalogued(layout).values())), SETTINGS)
        write_facts(layout, facts)
        assert read_facts(layout, facts.recording_id) == facts

    def test_never_written(self, layout: Layout):
        assert read_facts(layout, "a") is None

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"{}", b'{"flags": [1]}', b"\xff"])
    def test_a_damaged_file_counts_as_none(self, layout: Layout, content: bytes):
        path = layout.facts("a")
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        assert read_facts(layout, "a") is None


def test_a_sample_rate_that_the_deployment_does_not_have(layout: Layout, tmp_path: Path):
    add_sound(layout, "GNWT-114_20230509_094500.wav")
    for stated, expected in ((RATE_HZ, {}), ("", {}), (48_000, {"wrong_sample_rate": "warning"})):
        table = tmp_path / "deployments.csv"
        table.write_text(f"site,sample_rate_hz\nGNWT-114,{stated}\n")
        facts = facts_of(layout, "GNWT-114_20230509_094500", RecordingSettings(deployments=table))
        assert codes(facts) == expected
    assert facts.reason == f"wrong_sample_rate: has {RATE_HZ} Hz, its deployment was set to 48000 Hz"


def test_settings_refuse_what_they_do_not_know():
    with pytest.raises(ValidationError):
        RecordingSettings.model_validate({"truncated": "ignore"})
    with pytest.raises(ValidationError):
        RecordingSettings.model_validate({"truncate": "flag"})
