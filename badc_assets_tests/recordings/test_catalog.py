"""Scanning a dataset: what is found, what changed, what is reported."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.errors import BadcError
from badc_assets.layout import OUTPUT_NAMES, Layout
from badc_assets.recordings.catalog import Catalog, CatalogChange, read_catalog, scan_dataset, write_catalog
from badc_assets.recordings.model import CatalogEntry
from badc_assets_tests.recordings.builders import add_sound, layout_of, set_time


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return layout_of(tmp_path / "dataset")


def scan(layout: Layout, previous: Catalog | None = None) -> Catalog:
    return scan_dataset(layout, previous)[0]


def rescan(layout: Layout, previous: Catalog) -> tuple[dict[str, CatalogEntry], CatalogChange]:
    catalog, change = scan_dataset(layout, previous)
    return catalog.by_id(), change


def states(catalog: Catalog) -> dict[str, str]:
    return {entry.recording_id: entry.state for entry in catalog.entries}


class TestWhatIsFound:
    def test_sound_files_in_any_case_sorted_by_id(self, layout: Layout):
        for number, name in enumerate(("b/z.WAV", "b/a.Flac", "c.mp3", "a.wav")):
            add_sound(layout, name, 1600 + number)
        add_sound(layout, "d.ogg", content=b"x")
        add_sound(layout, "notes.txt", content=b"x")
        add_sound(layout, "wav", content=b"x")
        catalog = scan(layout)
        assert [entry.recording_id for entry in catalog.entries] == ["a", "b__a", "b__z", "c", "d"]
        entry = catalog.by_id()["b__z"]
        assert (entry.audio_path, entry.alias, entry.state) == ("audio/b/z.WAV", "z", "present")
        assert entry.size_bytes == (layout.dataset / entry.audio_path).stat().st_size
        assert catalog.problems == ()

    def test_hidden_folders_and_results_are_left_out(self, tmp_path: Path):
        layout = layout_of(tmp_path, ".")
        for folder in (*OUTPUT_NAMES, ".git", ".datalad", ".cache", "site/.hidden"):
            add_sound(layout, f"{folder}/a.wav")
        add_sound(layout, "site/artifacts/a.wav")
        assert states(scan(layout)) == {"site__artifacts__a": "present"}

    def test_links(self, layout: Layout, tmp_path: Path):
        add_sound(layout, "site/a.wav")
        (layout.audio / "link.wav").symlink_to("site/a.wav")
        (layout.audio / "circle").symlink_to(layout.audio)
        (layout.audio / "circle.wav").symlink_to("circle.wav")
        (layout.audio / "nothing.wav").symlink_to("nowhere")
        (layout.audio / "folder.wav").symlink_to("site")
        catalog = scan(layout)
        assert set(states(catalog)) == {"site__a", "link"}
        for name in ("circle", "circle.wav", "nothing.wav", "folder.wav"):
            assert any(f"audio/{name}: is a link to" in problem for problem in catalog.problems), name

    def test_annexed_without_content(self, layout: Layout):
        key = "SHA256E-s1234--00ff.wav"
        (layout.audio / "a.wav").symlink_to(f"../.git/annex/objects/aa/bb/{key}/{key}")
        (layout.audio / "b.wav").write_text("/annex/objects/SHA256E-s99--11.wav\n")
        entries = scan(layout).by_id()
        assert (entries["a"].state, entries["a"].content_key, entries["a"].size_bytes) == ("content_missing", key, 1234)
        assert (entries["b"].state, entries["b"].content_key) == ("content_missing", "SHA256E-s99--11.wav")

    def test_folder_named_like_a_sound_file(self, layout: Layout):
        add_sound(layout, "x.wav/a.wav")
        catalog = scan(layout)
        assert set(states(catalog)) == {"x.wav__a"}
        assert len(catalog.problems) == 1

    def test_no_ordinary_file(self, layout: Layout):
        os.mkfifo(layout.audio / "a.wav")
        catalog = scan(layout)
        assert catalog.entries == ()
        assert "no ordinary file" in catalog.problems[0]

    def test_side_files_of_macos_are_counted(self, layout: Layout):
        for name in ("._a.wav", "site/._b.wav", "a.wav"):
            add_sound(layout, name)
        catalog = scan(layout)
        assert set(states(catalog)) == {"a"}
        assert catalog.problems[0].startswith("2 files")

    def test_hard_names(self, layout: Layout):
        names = [
            "a b.wav",
            "a,b.wav",
            "it's.wav",
            'say "a".wav',
            "new\nline.wav",
            "川.wav",
            "-a.wav",
            "bad\udcff.wav",
            "$(x).wav",
        ]
        for number, name in enumerate(names):
            add_sound(layout, name, 100 + number)
        catalog = scan(layout)
        assert {entry.audio_path for entry in catalog.entries} == {f"audio/{name}" for name in names}
        assert all("-x" in entry.recording_id for entry in catalog.entries)
        assert catalog.problems == ()

    def test_no_audio_folder(self, tmp_path: Path):
        with pytest.raises(BadcError):
            scan(Layout(tmp_path, tmp_path / "audio", tmp_path))

    def test_progress(self, layout: Layout):
        for number in range(3):
            add_sound(layout, f"{number}.wav", content=bytes([number]))
        seen: list[int] = []
        scan_dataset(layout, None, seen.append)
        assert seen[-1] == 3


class TestUnreadable:
    def test_what_lies_in_an_unreadable_folder_has_not_vanished(self, layout: Layout, monkeypatch: pytest.MonkeyPatch):
        add_sound(layout, "locked/a.wav")
        add_sound(layout, "open/b.wav", 99)
        first = scan(layout)
        really = os.scandir

        def failing(folder: str):
            if folder.endswith("locked"):
                raise PermissionError(13, "Permission denied")
            return really(folder)

        monkeypatch.setattr(os, "scandir", failing)
        catalog, change = scan_dataset(layout, first)
        assert states(catalog) == {"locked__a": "present", "open__b": "present"}
        assert change == CatalogChange()
        assert "audio/locked/: this folder cannot be read" in catalog.problems[0]

    def test_file_that_could_not_be_read_is_tried_again(self, layout: Layout, monkeypatch: pytest.MonkeyPatch):
        add_sound(layout, "a.wav")
        with monkeypatch.context() as forbidding:
            forbidding.setattr(os, "access", lambda *_: False)
            first = scan(layout)
        assert first.entries[0].content_key.endswith("-unread")
        _, change = rescan(layout, first)
        assert change == CatalogChange(changed=("a",))


class TestChanges:
    def test_first_and_second_scan(self, layout: Layout):
        add_sound(layout, "a.wav")
        add_sound(layout, "b.wav", 99)
        first, change = scan_dataset(layout, None)
        assert change == CatalogChange(added=("a", "b"))
        second, change = scan_dataset(layout, first)
        assert change == CatalogChange()
        assert second == first

    def test_untouched_files_are_not_opened(self, layout: Layout):
        """The second scan keeps the key although the bytes differ: it can only have looked at size and time."""
        path = add_sound(layout, "a.wav", content=b"one")
        set_time(path, 1000)
        first = scan(layout)
        path.write_bytes(b"two")
        set_time(path, 1000)
        assert scan(layout, first) == first
        set_time(path, 1001)
        assert rescan(layout, first)[1] == CatalogChange(changed=("a",))

    def test_vanished_and_returned(self, layout: Layout):
        path = add_sound(layout, "a.wav")
        set_time(path, 1000)
        first = scan(layout)
        content = path.read_bytes()
        path.unlink()
        second, change = scan_dataset(layout, first)
        assert change == CatalogChange(vanished=("a",))
        third, change = scan_dataset(layout, second)
        assert (states(third), change) == ({"a": "vanished"}, CatalogChange())
        path.write_bytes(content)
        set_time(path, 1000)
        entries, change = rescan(layout, third)
        assert (entries["a"].state, change) == ("present", CatalogChange(returned=("a",)))
        path.write_bytes(b"other")
        assert rescan(layout, third)[1] == CatalogChange(returned=("a",), changed=("a",))

    @pytest.mark.parametrize("scans_between", [0, 1])
    def test_moved(self, layout: Layout, scans_between: int, tmp_path: Path):
        path = add_sound(layout, "old/a.wav")
        catalog = scan(layout)
        path.rename(tmp_path / "aside")
        for _ in range(scans_between):
            catalog = scan(layout, catalog)
        (layout.audio / "new").mkdir()
        (tmp_path / "aside").rename(layout.audio / "new" / "b.wav")
        catalog, change = scan_dataset(layout, catalog)
        assert (change.added, change.moved) == (("new__b",), ("new__b",))
        assert states(catalog) == {"new__b": "present", "old__a": "vanished"}
        assert catalog.by_id()["new__b"].moved_from == "audio/old/a.wav"
        entries, change = rescan(layout, catalog)
        assert (entries["new__b"].moved_from, change) == ("audio/old/a.wav", CatalogChange())

    def test_one_file_moves_to_one_place(self, layout: Layout):
        path = add_sound(layout, "a.wav")
        set_time(path, 1000)
        first = scan(layout)
        content = path.read_bytes()
        path.unlink()
        for name in ("b.wav", "c.wav"):
            set_time(add_sound(layout, name, content=content), 1000)
        entries, change = rescan(layout, first)
        assert change.moved == ("b",)
        assert entries["c"].moved_from == ""

    def test_a_later_copy_is_no_second_move(self, layout: Layout):
        path = add_sound(layout, "a.wav")
        set_time(path, 1000)
        first = scan(layout)
        path.rename(layout.audio / "b.wav")
        second = scan(layout, first)
        set_time(add_sound(layout, "c.wav"), 1000)
        entries, change = rescan(layout, second)
        assert (change.added, change.moved) == (("c",), ())
        assert (entries["c"].duplicate_of, entries["c"].moved_from) == ("b", "")

    def test_annexed_content_fetched(self, layout: Layout):
        key = "MD5E-s5--00.wav"
        target = layout.dataset / ".git/annex/objects" / key / key
        (layout.audio / "a.wav").symlink_to(f"../.git/annex/objects/{key}/{key}")
        first = scan(layout)
        target.parent.mkdir(parents=True)
        target.write_bytes(b"sound")
        entries, change = rescan(layout, first)
        assert (entries["a"].state, entries["a"].content_key) == ("present", key)
        assert change == CatalogChange(changed=("a",))

    def test_unlocked_content_fetched(self, layout: Layout):
        path = layout.audio / "a.wav"
        path.write_text("/annex/objects/MD5E-s5--00.wav\n")
        first = scan(layout)
        assert scan(layout, first) == first
        path.write_bytes(b"sound")
        assert rescan(layout, first)[0]["a"].state == "present"


class TestCollisions:
    def test_all_newcomers_get_a_suffix(self, layout: Layout):
        for number, name in enumerate(("a.wav", "a.flac", "a.WAV")):
            add_sound(layout, name, 100 + number)
        catalog = scan(layout)
        assert len({entry.recording_id for entry in catalog.entries}) == 3
        assert all(entry.recording_id.startswith("a-x") for entry in catalog.entries)
        assert all("shares the id a with" in entry.note for entry in catalog.entries)
        assert len(catalog.problems) == 3
        assert scan(layout, catalog) == catalog

    def test_who_had_the_id_keeps_it(self, layout: Layout):
        add_sound(layout, "a.wav", 100)
        first = scan(layout)
        newcomer = add_sound(layout, "a.flac", 101)
        catalog, change = scan_dataset(layout, first)
        assert catalog.by_id()["a"].audio_path == "audio/a.wav"
        assert change == CatalogChange(added=(next(i for i in catalog.by_id() if i != "a"),))
        assert all(entry.note for entry in catalog.entries)
        assert len(catalog.problems) == 2
        newcomer.unlink()
        later = scan(layout, catalog)
        assert (later.by_id()["a"].note, later.problems) == ("", ())

    def test_the_id_of_a_vanished_recording_is_not_given_away(self, layout: Layout):
        path = add_sound(layout, "a.wav", 100)
        first = scan(layout)
        path.unlink()
        add_sound(layout, "a.flac", 101)
        catalog = scan(layout, first)
        assert catalog.by_id()["a"].audio_path == "audio/a.wav"
        assert len(catalog.by_id()) == 2
        later, change = scan_dataset(layout, catalog)
        assert (change, set(later.by_id())) == (CatalogChange(), set(catalog.by_id()))

    def test_separator_in_a_name_is_no_folder(self, layout: Layout):
        add_sound(layout, "a/b.wav", 100)
        add_sound(layout, "a__b.wav", 101)
        catalog = scan(layout)
        assert "a__b" in catalog.by_id()
        assert len(catalog.by_id()) == 2


class TestDuplicates:
    def test_equal_files(self, layout: Layout):
        for name in ("a.wav", "b/c.wav", "z.wav"):
            add_sound(layout, name, 5000)
        add_sound(layout, "other.wav", 5001)
        catalog = scan(layout)
        found = {entry.recording_id: entry.duplicate_of for entry in catalog.entries}
        assert found == {"a": "", "b__c": "a", "z": "a", "other": ""}
        assert sum("has the same content as audio/a.wav" in problem for problem in catalog.problems) == 2
        assert scan(layout, catalog) == catalog

    def test_difference_outside_the_sampled_parts(self, layout: Layout):
        content = bytearray(1_000_000)
        add_sound(layout, "a.wav", content=bytes(content))
        content[200_000] = 1
        add_sound(layout, "b.wav", content=bytes(content))
        assert {entry.duplicate_of for entry in scan(layout).entries} == {""}

    def test_annexed_by_key(self, layout: Layout):
        for name in ("a.wav", "b.wav"):
            (layout.audio / name).symlink_to("../.git/annex/objects/aa/MD5E-s5--00.wav")
        assert scan(layout).by_id()["b"].duplicate_of == "a"

    def test_empty_files_are_no_duplicates(self, layout: Layout):
        for name in ("a.wav", "b.wav"):
            add_sound(layout, name, content=b"")
        assert {entry.duplicate_of for entry in scan(layout).entries} == {""}

    def test_original_removed(self, layout: Layout):
        first = add_sound(layout, "a.wav")
        add_sound(layout, "b.wav")
        catalog = scan(layout)
        first.unlink()
        assert {entry.duplicate_of for entry in scan(layout, catalog).entries} == {""}


class TestCatalogFile:
    def test_never_written(self, tmp_path: Path):
        assert read_catalog(tmp_path / "catalog.parquet") is None

    @given(st.lists(st.tuples(st.text(min_size=1), st.binary(max_size=12), st.integers(0, 2**62)), max_size=8))
    @settings(max_examples=40, deadline=None)
    def test_written_and_read_back(self, tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, bytes, int]]):
        entries = tuple(
            CatalogEntry(f"r{i}", name + os.fsdecode(raw), os.fsdecode(raw), size, size, "key", "present", note="ü%20")
            for i, (name, raw, size) in enumerate(rows)
        )
        path = tmp_path_factory.mktemp("catalog") / "catalog.parquet"
        write_catalog(path, Catalog(entries, ("one, ü", "two")))
        assert read_catalog(path) == Catalog(entries, ("one, ü", "two"))

    @pytest.mark.parametrize("content", [b"", b"nonsense", b"PAR1" + bytes(100) + b"PAR1"])
    def test_damaged(self, tmp_path: Path, content: bytes):
        (tmp_path / "catalog.parquet").write_bytes(content)
        with pytest.raises(BadcError, match="damaged"):
            read_catalog(tmp_path / "catalog.parquet")

    def test_another_table(self, tmp_path: Path):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"x": [1]}), tmp_path / "catalog.parquet")
        with pytest.raises(BadcError, match="damaged"):
            read_catalog(tmp_path / "catalog.parquet")


def test_incremental_scan_is_cheap(layout: Layout):
    """2,000 files here; the bound is 50 times what it takes, so only a scan that opens them all would fail."""
    for number in range(2000):
        add_sound(layout, f"{number // 100}/{number}.wav", content=b"RIFF%d" % number)
    first = scan(layout)
    began = time.process_time()
    assert scan(layout, first) == first
    assert time.process_time() - began < 3


def test_real_recordings(shared_data: Path):
    layout = Layout(dataset=shared_data, audio=shared_data / "recordings", output=shared_data)
    catalog = scan(layout)
    ids = [entry.recording_id for entry in catalog.entries]
    assert sum(identifier.startswith("S4A03895__S4A03895_20190522_") for identifier in ids) == 96
    assert {"misc__birds_10s", "misc__silence_10s", "misc__segment"} <= set(ids)
    assert all(entry.state == "present" for entry in catalog.entries)
