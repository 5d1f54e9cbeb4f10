"""What is noticed of a real git-annex dataset, of a plain folder, and of content that comes and goes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from badc_assets.layout import Layout
from badc_assets.provenance.content import drop_content, get_content
from badc_assets.recordings.change_sources import CommitSource, ContentSource, FileSource, source_of
from badc_assets.recordings.changes import Cursor, Source, next_step
from badc_assets.recordings.content_settings import ContentSettings
from badc_assets.recordings.current import require_catalog, update_catalog
from badc_assets.recordings.noticing import take_changes
from badc_assets_tests.recordings.builders import add_sound, layout_of
from badc_assets_tests.repositories import Repository

SUBMODULES = ("git", "-c", "protocol.file.allow=always", "submodule")


def layout_at(root: Path) -> Layout:
    return Layout(root, root / "audio", root.parent / f"{root.name} results")


def known_paths(layout: Layout) -> list[str]:
    catalog = layout.catalog
    return [e.audio_path for e in require_catalog(layout).entries if e.state != "vanished"] if catalog.is_file() else []


@dataclass
class Watcher:
    """A sensor without Dagster: what it notices goes into the catalogue, as there."""

    layout: Layout
    make_source: Callable[[], Source]
    cursor: Cursor = field(default_factory=Cursor)
    keys: list[str] = field(default_factory=list)

    def notice(self) -> list[tuple[str, ...]]:
        """All changes until nothing is new."""
        found = []
        for _ in range(50):
            step = next_step(self.cursor, self.make_source(), self.layout.noticed_dir, 1000, page=2)
            if step.cursor == self.cursor:
                return found
            self.cursor = step.cursor
            if step.changes:
                take_changes(self.layout, step.changes, readers=2)
                self.keys.append(step.key)
                found += [(c.kind, c.path, c.former) if c.former else (c.kind, c.path) for c in step.changes]
        raise AssertionError("it never comes to an end")

    def states(self) -> dict[str, str]:
        return {e.audio_path.removeprefix("audio/"): e.state for e in require_catalog(self.layout).entries}


def by_commit(layout: Layout) -> Watcher:
    return Watcher(layout, lambda: CommitSource(layout, layout.noticed_dir / "new", lambda: known_paths(layout)))


def by_files(layout: Layout, clock=lambda: time.time() + 1000) -> Watcher:
    return Watcher(
        layout, lambda: FileSource(layout, layout.noticed_dir / "new", lambda: known_paths(layout), clock(), 60)
    )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.annexed(tmp_path / "dataset")


def test_add_change_rename_and_remove(repository: Repository):
    watcher = by_commit(layout_at(repository.root))
    repository.add_sounds(a=100, b=101, c=102)
    assert watcher.notice() == [("added", "audio/a.wav"), ("added", "audio/b.wav"), ("added", "audio/c.wav")]
    assert watcher.notice() == []
    repository.run("git", "rm", "-q", "audio/a.wav")
    (repository.root / "audio/deep/er").mkdir(parents=True)
    repository.run("git", "mv", "audio/b.wav", "audio/deep/er/b.wav")
    repository.add_sounds(c=202, d=103)
    repository.run("git", "commit", "-q", "--allow-empty", "-m", "no recordings in it")
    assert ("removed", "audio/a.wav") in watcher.notice()
    assert watcher.states() == {"a.wav": "vanished", "b.wav": "vanished", "c.wav": "present", "d.wav": "present",
                                "deep/er/b.wav": "present"}  # fmt: skip
    moved = {e.audio_path: e.moved_from for e in require_catalog(watcher.layout).entries if e.moved_from}
    assert moved == {"audio/deep/er/b.wav": "audio/b.wav"}
    incremental = require_catalog(watcher.layout)
    assert update_catalog(watcher.layout)[0].entries == incremental.entries


def test_force_push_that_leaves_nothing_of_the_old_history(repository: Repository, tmp_path: Path):
    watcher = by_commit(layout_at(repository.root))
    first = repository.add_sounds(kept=100, gone=101)
    repository.add_sounds(late=102)
    watcher.notice()
    repository.run("git", "reset", "-q", "--hard", first)
    repository.run("git", "rm", "-q", "audio/gone.wav")
    repository.add_sounds(other=103)
    repository.run("git", "checkout", "-q", "--orphan", "rewritten")
    new = repository.commit("everything anew")
    repository.run("git", "branch", "-D", "main")
    repository.run("git", "reflog", "expire", "--expire=now", "--all")
    repository.run("git", "gc", "-q", "--prune=now")
    assert set(watcher.notice()) == {
        ("added", "audio/kept.wav"),
        ("added", "audio/other.wav"),
        ("removed", "audio/gone.wav"),
        ("removed", "audio/late.wav"),
    }
    assert watcher.cursor.commit == new
    assert watcher.states() == {
        "kept.wav": "present",
        "other.wav": "present",
        "gone.wav": "vanished",
        "late.wav": "vanished",
    }


def test_a_force_push_back_and_forth_is_never_taken_for_the_former_one(repository: Repository):
    watcher = by_commit(layout_at(repository.root))
    first = repository.add_sounds(a=100)
    second = repository.add_sounds(a=200)
    for commit in (second, first, second):
        repository.run("git", "reset", "-q", "--hard", commit)
        assert watcher.notice() in ([("changed", "audio/a.wav")], [("added", "audio/a.wav")])
    assert len(set(watcher.keys)) == 3


def test_unlocked_and_adjusted_branches(repository: Repository, tmp_path: Path):
    repository.add_sounds(a=100, b=101)
    clone = repository.clone(tmp_path / "clone")
    clone.run("git", "annex", "get", "-q", "audio/a.wav")
    clone.run("git", "annex", "adjust", "--unlock", "-q")
    watcher = by_commit(layout_at(clone.root))
    assert watcher.notice() == [("added", "audio/a.wav"), ("added", "audio/b.wav")]
    assert watcher.states() == {"a.wav": "present", "b.wav": "content_missing"}
    repository.add_sounds(c=102, a=200)
    clone.run("git", "annex", "sync", "-q", "--no-content", "--no-push")
    assert watcher.notice() == [("changed", "audio/a.wav"), ("added", "audio/c.wav")]
    assert watcher.states() == {"a.wav": "content_missing", "b.wav": "content_missing", "c.wav": "content_missing"}


def test_subdatasets_are_followed_and_one_that_is_not_installed_is_a_state(tmp_path: Path):
    inner = Repository.annexed(tmp_path / "inner")
    inner.add_sounds(x=100, y=101)
    outer = Repository.annexed(tmp_path / "outer")
    outer.add_sounds(a=102)
    outer.add_subdataset(inner, "audio/site")
    watcher = by_commit(layout_at(outer.root))
    assert watcher.notice() == [
        ("added", "audio/a.wav"),
        ("added", "audio/site/audio/x.wav"),
        ("added", "audio/site/audio/y.wav"),
    ]
    Repository(outer.root / "audio/site").add_sounds(x=300, z=103)
    assert watcher.notice() == [("changed", "audio/site/audio/x.wav"), ("added", "audio/site/audio/z.wav")]
    outer.run(*SUBMODULES, "deinit", "-q", "-f", "audio/site")
    assert [kind for kind, _ in watcher.notice()] == ["dropped"] * 3
    assert set(watcher.states().values()) == {"present", "content_missing"}
    assert "audio/site/: this subdataset is not installed" in "\n".join(update_catalog(watcher.layout)[0].problems)
    assert list(watcher.states().values()).count("vanished") == 0
    outer.run(*SUBMODULES, "update", "-q", "--init")
    assert ("added", "audio/site/audio/x.wav") in watcher.notice()
    outer.run("git", "rm", "-q", "-f", "audio/site")
    outer.commit("no site any more")
    assert {kind for kind, _ in watcher.notice()} == {"removed"}
    assert list(watcher.states().values()).count("vanished") == 3


def test_a_lost_cursor_looks_at_everything_and_changes_nothing(repository: Repository):
    watcher = by_commit(layout_at(repository.root))
    repository.add_sounds(a=100, b=101)
    watcher.notice()
    before = require_catalog(watcher.layout)
    watcher.cursor = Cursor()
    assert watcher.notice() == [("added", "audio/a.wav"), ("added", "audio/b.wav")]
    assert require_catalog(watcher.layout) == before


def test_files_of_a_plain_folder(tmp_path: Path):
    layout = layout_of(tmp_path / "folder")
    watcher = by_files(layout)
    assert watcher.notice() == []
    add_sound(layout, "a.wav", 100)
    add_sound(layout, "s/b.WAV", 101)
    (layout.audio / "notes.txt").write_text("x")
    assert watcher.notice() == [("added", "audio/a.wav"), ("added", "audio/s/b.WAV")]
    (layout.dataset / "artifacts/new.wav").write_text("a result")
    assert watcher.notice() == []
    add_sound(layout, "a.wav", 300)
    (layout.audio / "s/b.WAV").rename(layout.audio / "b.wav")
    assert watcher.notice() == [("removed", "audio/s/b.WAV"), ("changed", "audio/a.wav"), ("added", "audio/b.wav")]
    assert watcher.states() == {"a.wav": "present", "s/b.WAV": "vanished", "b.wav": "present"}
    (layout.audio / "a.wav").unlink()
    (layout.audio / "b.wav").unlink()
    assert [kind for kind, _ in watcher.notice()] == ["removed", "removed"]
    assert len(list((layout.noticed_dir / "new").glob("state-*"))) <= 2


def test_files_that_still_grow_wait(tmp_path: Path):
    layout = layout_of(tmp_path / "folder")
    now = [time.time() + 1000]
    watcher = by_files(layout, lambda: now[0])
    add_sound(layout, "old.wav", 100)
    assert watcher.notice() == [("added", "audio/old.wav")]
    now[0] = time.time() + 1
    add_sound(layout, "growing.wav", 100)
    add_sound(layout, "old.wav", 120)
    assert watcher.notice() == []
    now[0] += 100
    assert watcher.notice() == [("changed", "audio/old.wav"), ("added", "audio/growing.wav")]


def test_times_of_another_clock_do_not_hold_up_a_file(tmp_path: Path):
    layout = layout_of(tmp_path / "folder")
    watcher = by_files(layout)
    path = add_sound(layout, "future.wav", 100)
    os.utime(path, (time.time() + 1e6, time.time() + 1e6))
    assert watcher.notice() == [("added", "audio/future.wav")]


def test_a_folder_that_lost_its_state_is_compared_as_a_whole(tmp_path: Path):
    layout = layout_of(tmp_path / "folder")
    watcher = by_files(layout)
    add_sound(layout, "a.wav", 100)
    add_sound(layout, "b.wav", 101)
    watcher.notice()
    for state in (layout.noticed_dir / "new").glob("state-*"):
        state.unlink()
    (layout.audio / "b.wav").unlink()
    assert watcher.notice() == [("removed", "audio/b.wav"), ("added", "audio/a.wav")]


def test_content_that_comes_and_goes_without_a_commit(repository: Repository, tmp_path: Path):
    repository.add_sounds(a=100, b=101)
    clone = repository.clone(tmp_path / "clone")
    layout = layout_at(clone.root)
    update_catalog(layout)

    def source() -> ContentSource:
        was_here = {e.audio_path: e.state == "present" for e in require_catalog(layout).entries}
        return ContentSource(layout, layout.noticed_dir / "content", was_here)

    watcher = Watcher(layout, source)
    assert watcher.notice() == []
    list(get_content(clone.root, ["audio/a.wav"]))
    assert watcher.notice() == [("arrived", "audio/a.wav")]
    assert watcher.states() == {"a.wav": "present", "b.wav": "content_missing"}
    # What arrived is noticed too when somebody scanned before the sensor looked.
    list(get_content(clone.root, ["audio/b.wav"]))
    update_catalog(layout)
    assert watcher.notice() == [("arrived", "audio/b.wav")]
    list(drop_content(clone.root, ["audio/a.wav"]))
    assert watcher.notice() == [("dropped", "audio/a.wav")]
    assert watcher.states() == {"a.wav": "content_missing", "b.wav": "present"}
    assert watcher.notice() == []


def test_content_that_arrived_before_anybody_watched(repository: Repository, tmp_path: Path):
    repository.add_sounds(a=100)
    clone = repository.clone(tmp_path / "clone")
    layout = layout_at(clone.root)
    update_catalog(layout)
    was_here = {e.audio_path: e.state == "present" for e in require_catalog(layout).entries}
    list(get_content(clone.root, ["audio/a.wav"]))
    assert Watcher(layout, lambda: ContentSource(layout, layout.noticed_dir / "content", was_here)).notice()


def test_how_a_dataset_is_watched(repository: Repository, tmp_path: Path):
    def kind(root: Path, **settings) -> type:
        return type(source_of(layout_at(root), ContentSettings(**settings), list, 0))

    repository.add_sounds(a=100)
    assert kind(repository.root) is CommitSource
    assert kind(repository.root, watch="files") is FileSource
    repository.run("git", "clone", "-q", os.fspath(repository.root), os.fspath(tmp_path / "fresh"))
    assert kind(tmp_path / "fresh") is CommitSource
    plain = Repository.plain(tmp_path / "plain")
    assert kind(plain.root) is FileSource
    assert kind(plain.root, watch="commits") is CommitSource


def test_what_is_as_the_catalogue_has_it_needs_no_other_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from badc_assets.recordings import current

    layout = layout_of(tmp_path / "folder")
    for name in ("a.wav", "b.wav", "c.wav", os.fsdecode(b"latin\xe9.wav")):
        add_sound(layout, name, 100 + len(name) + ord(name[0]))
    update_catalog(layout)
    (layout.audio / "c.wav").rename(layout.audio / "d.wav")
    update_catalog(layout)

    whole = current.read_catalog
    monkeypatch.setattr(current, "read_catalog", lambda path: pytest.fail("all of the catalogue was read"))
    update = current.update_paths(layout, {"audio/a.wav", "audio/c.wav", "audio/d.wav"})
    assert [(e.recording_id, e.state) for e in update.entries] == [
        ("a", "present"),
        ("c", "vanished"),
        ("d", "present"),
    ]
    assert update.moved_to == {"audio/c.wav": "d"}
    monkeypatch.setattr(current, "read_catalog", whole)
    before = layout.catalog.stat().st_mtime_ns
    assert len(current.update_paths(layout, {os.fsdecode(b"audio/latin\xe9.wav")}).entries) == 1
    assert layout.catalog.stat().st_mtime_ns == before
    add_sound(layout, "a.wav", 7)
    add_sound(layout, "new.wav", 8)
    (layout.audio / "b.wav").unlink()
    update = current.update_paths(layout, {"audio/a.wav", "audio/b.wav", "audio/new.wav"})
    assert update.changed == ("a",)
    assert [e.state for e in update.entries] == ["present", "vanished", "present"]
