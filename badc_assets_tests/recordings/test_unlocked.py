"""Unlocked annexed recordings: one key with content and without, none for what was edited."""

from __future__ import annotations

from pathlib import Path

from badc_assets.layout import Layout
from badc_assets.provenance.content import drop_content, get_content
from badc_assets.provenance.unlocked import unlocked_keys
from badc_assets.recordings.current import update_catalog
from badc_assets.recordings.facts import examine, has_changed
from badc_assets.recordings.settings import RecordingSettings
from badc_assets_tests.audio.builders import write_sound
from badc_assets_tests.repositories import Repository


def clone_with_content(tmp_path: Path) -> tuple[Repository, Layout]:
    origin = Repository.annexed(tmp_path / "origin")
    origin.add_sounds(a=100, b=101, c=102)
    clone = origin.clone(tmp_path / "clone")
    list(get_content(clone.root, ["audio/a.wav", "audio/b.wav"]))
    clone.run("git", "annex", "unlock", "-q", "audio/a.wav")
    clone.run("git", "annex", "adjust", "--unlock", "-q")
    return clone, Layout(clone.root, clone.root / "audio", tmp_path / "results")


def test_keys_are_those_of_git_annex_with_content_and_without(tmp_path: Path):
    clone, layout = clone_with_content(tmp_path)
    expected = {f"audio/{name}.wav": clone.key(f"audio/{name}.wav") for name in "abc"}
    assert unlocked_keys(clone.root, "audio") == expected
    catalog, _ = update_catalog(layout)
    assert {e.audio_path: e.content_key for e in catalog.entries} == expected
    assert [e.state for e in catalog.entries] == ["present", "present", "content_missing"]
    list(drop_content(clone.root, ["audio/a.wav"]))
    catalog, change = update_catalog(layout)
    assert {e.audio_path: e.content_key for e in catalog.entries} == expected
    assert change.changed == ("a",)
    assert [e.state for e in catalog.entries] == ["content_missing", "present", "content_missing"]


def test_what_was_edited_is_another_recording(tmp_path: Path):
    clone, layout = clone_with_content(tmp_path)
    before = update_catalog(layout)[0].by_id()
    facts = {name: examine(layout, before[name], RecordingSettings()) for name in "ab"}
    assert not any(has_changed(layout, each) for each in facts.values())
    write_sound(clone.root / "audio/a.wav", 500)
    assert has_changed(layout, facts["a"])
    catalog, change = update_catalog(layout)
    assert change.changed == ("a",)
    assert catalog.by_id()["a"].content_key.startswith("STAT-")
    assert catalog.by_id()["b"] == before["b"]


def test_without_git_annex_nobody_is_asked(tmp_path: Path):
    plain = Repository.plain(tmp_path / "plain")
    write_sound(plain.root / "audio/a.wav", 100)
    (plain.root / "pointer.txt").write_text("/annex/objects/MD5-s1--x\n")
    plain.run("git", "add", ".")
    catalog, _ = update_catalog(Layout(plain.root, plain.root / "audio", tmp_path / "results"))
    assert catalog.entries[0].content_key.startswith("STAT-")
    assert unlocked_keys(plain.root) == {"pointer.txt": "MD5-s1--x"}
    assert unlocked_keys(plain.root, "audio") == {}
