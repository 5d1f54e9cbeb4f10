"""Files are opened when they are new or changed and not again: by scans, by interrupted scans, by examinations."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.recordings import catalog as catalog_module
from badc_assets.recordings import facts as facts_module
from badc_assets.recordings.current import catalog_update, examine_recordings, update_catalog
from badc_assets.recordings.facts import read_facts, write_facts
from badc_assets.recordings.parallel import in_parallel
from badc_assets.recordings.scan_journal import ScanJournal
from badc_assets.recordings.settings import RecordingSettings
from badc_assets_tests.recordings.builders import add_sound, layout_of, set_time

SETTINGS = RecordingSettings()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = layout_of(tmp_path / "dataset")
    for number in range(40):
        add_sound(made, f"Pond_20230501_07{number:02d}00.wav", frames=100 + number)
    return made


class Opened:
    """The files that a function of a module is called for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> None:
        self.names: list[str] = []
        original = getattr(module, name)

        def noting(path: Path, *rest: object) -> object:
            self.names.append(path.name)
            return original(path, *rest)

        monkeypatch.setattr(module, name, noting)

    def take(self) -> list[str]:
        names, self.names = self.names, []
        return sorted(names)


class TestScans:
    def test_only_new_and_changed_files_are_opened(self, layout: Layout, monkeypatch: pytest.MonkeyPatch):
        opened = Opened(monkeypatch, catalog_module, "content_key")
        first, _ = update_catalog(layout)
        assert len(opened.take()) == 40
        again, change = update_catalog(layout)
        assert (opened.take(), again) == ([], first)
        assert change == type(change)()
        set_time(layout.audio / "Pond_20230501_070300.wav", 1_000_000_000)
        add_sound(layout, "new.wav")
        update_catalog(layout)
        assert opened.take() == ["Pond_20230501_070300.wav", "new.wav"]

    def test_one_reader_and_many_find_the_same(self, layout: Layout):
        one, _ = update_catalog(layout, readers=1)
        layout.catalog.unlink()
        assert update_catalog(layout, readers=16)[0] == one

    def test_an_interrupted_scan_goes_on(self, layout: Layout, monkeypatch: pytest.MonkeyPatch):
        opened = Opened(monkeypatch, catalog_module, "content_key")
        with pytest.raises(KeyboardInterrupt), catalog_update(layout):
            raise KeyboardInterrupt
        assert len(opened.take()) == 40
        with layout.catalog_journal.open("ab") as journal:
            journal.write(b'["half a li')
        set_time(layout.audio / "Pond_20230501_070300.wav", 1_000_000_000)
        catalog, change = update_catalog(layout)
        assert opened.take() == ["Pond_20230501_070300.wav"]
        assert (len(catalog.entries), len(change.added)) == (40, 40)
        assert not layout.catalog_journal.exists()

    def test_a_journal_that_cannot_be_written(self, layout: Layout):
        layout.catalog_journal.mkdir(parents=True)
        with pytest.raises(BadcError, match="cannot be written"):
            update_catalog(layout)

    @given(st.binary())
    def test_a_journal_of_any_bytes(self, tmp_path_factory: pytest.TempPathFactory, content: bytes):
        path = tmp_path_factory.mktemp("journal") / "j"
        path.write_bytes(content)
        assert ScanJournal(path).key("a", 1, 2) is None


class TestExaminations:
    def test_a_file_is_opened_once_while_it_stays(self, layout: Layout, monkeypatch: pytest.MonkeyPatch):
        opened = Opened(monkeypatch, facts_module, "probe")
        ids = update_catalog(layout)[0].all_ids
        first = list(examine_recordings(layout, ids, SETTINGS))
        assert len(opened.take()) == 40
        assert [facts.recording_id for facts in first] == ids
        written = [layout.facts(recording_id).stat().st_mtime_ns for recording_id in ids]
        assert list(examine_recordings(layout, ids, SETTINGS)) == first
        assert opened.take() == []
        assert [layout.facts(recording_id).stat().st_mtime_ns for recording_id in ids] == written
        set_time(layout.audio / "Pond_20230501_070300.wav", 1_000_000_000)
        update_catalog(layout)
        list(examine_recordings(layout, ids, SETTINGS))
        assert opened.take() == ["Pond_20230501_070300.wav"]

    def test_other_declarations_need_no_opening(self, layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        ids = update_catalog(layout)[0].all_ids
        list(examine_recordings(layout, ids, SETTINGS))
        opened = Opened(monkeypatch, facts_module, "probe")
        (tmp_path / "d.csv").write_text("site,lat,lon,zone\nPond,62.4,-114.4,-07:00\n")
        (facts, *_) = examine_recordings(layout, ids, RecordingSettings(deployments=tmp_path / "d.csv"))
        assert (facts.start_utc, opened.take()) == ("2023-05-01T14:00:00+00:00", [])

    def test_bad_sound_is_looked_at_again(self, layout: Layout, monkeypatch: pytest.MonkeyPatch):
        (layout.audio / "bad.wav").write_bytes(b"RIFF")
        ids = update_catalog(layout)[0].all_ids
        list(examine_recordings(layout, ids, SETTINGS))
        opened = Opened(monkeypatch, facts_module, "probe")
        list(examine_recordings(layout, ids, SETTINGS))
        assert opened.take() == ["bad.wav"]

    def test_what_headers_said_stays_known_when_the_sound_is_gone(self, layout: Layout):
        from badc_assets.recordings.statements import Statement

        (recording_id, *_) = update_catalog(layout)[0].all_ids
        (facts,) = examine_recordings(layout, [recording_id], SETTINGS)
        said = Statement("GUANO", {"start": "2023-05-01T07:00:00", "utc_offset": "-07:00"})
        write_facts(layout, type(facts)(**{**vars(facts), "headers": (said.to_json(),)}))
        layout.source(facts.audio_path).unlink()
        update_catalog(layout)
        (gone,) = examine_recordings(layout, [recording_id], SETTINGS)
        assert (gone.is_vanished, gone.start_utc, gone.frames) == (True, "2023-05-01T14:00:00+00:00", facts.frames)
        assert read_facts(layout, recording_id) == gone


def test_the_digest_follows_the_content_of_declared_files(tmp_path: Path):
    templates, deployments = tmp_path / "t.yaml", tmp_path / "d.csv"
    templates.write_text("study_areas: []")
    deployments.write_text("site\nPond\n")
    settings = RecordingSettings(templates=templates, deployments=deployments)
    first = settings.digest
    assert RecordingSettings(templates=templates, deployments=deployments, readers=2).digest == first
    templates.write_text("defaults: false")
    second = settings.digest
    deployments.write_text("site\nLake\n")
    assert len({first, second, settings.digest, SETTINGS.digest}) == 4
    copy = tmp_path / "copy.csv"
    copy.write_bytes(deployments.read_bytes())
    assert RecordingSettings(templates=templates, deployments=copy).digest == settings.digest
    deployments.unlink()
    assert settings.digest  # whether it can be used is found out where it is used


class TestParallel:
    def test_order_and_several_at_a_time(self):
        running, most, lock = 0, 0, threading.Lock()

        def slow(number: int) -> int:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.002 * (number % 3))
            with lock:
                running -= 1
            return number

        assert list(in_parallel(slow, range(60), 4)) == list(range(60))
        assert 1 < most <= 4

    def test_what_is_ready_at_once_keeps_its_place(self):
        found = in_parallel(lambda n: -n, range(1, 50), 3, at_once=lambda n: n if n % 2 else None)
        assert list(found) == [n if n % 2 else -n for n in range(1, 50)]

    def test_not_far_ahead(self):
        taken: list[int] = []

        def items() -> Iterator[int]:
            for number in range(10_000):
                taken.append(number)
                yield number

        results = in_parallel(lambda number: number, items(), 2)
        assert next(results) == 0
        assert len(taken) <= 17

    def test_an_exception_is_raised_in_its_turn(self):
        def work(number: int) -> int:
            if number == 5:
                raise ValueError("five")
            return number

        seen = []
        with pytest.raises(ValueError, match="five"):
            for number in in_parallel(work, range(100), 4):
                seen.append(number)
        assert seen == [0, 1, 2, 3, 4]
