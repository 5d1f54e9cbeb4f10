"""Keys and content of annexed files, against what the real git-annex makes of a repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from badc_assets.audio.probe import BadSound, probe
from badc_assets.provenance.annex import annex_key, has_content, key_size_bytes
from badc_assets_tests.audio.builders import write_sound
from badc_assets_tests.repositories import Repository


@pytest.fixture(scope="module")
def annex(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """locked.wav and unlocked.wav with content, locked_gone.wav and unlocked_gone.wav without, deep/er/locked.wav with."""
    repository = Repository.annexed(tmp_path_factory.mktemp("annex") / "dataset")
    names = ("locked", "unlocked", "locked_gone", "unlocked_gone", "deep/er/locked")
    for number, name in enumerate(names):
        write_sound(repository.root / f"{name}.wav", 1000 + number)
    repository.run("git", "annex", "add", "-q", ".")
    repository.run("git", "annex", "unlock", "-q", "unlocked.wav", "unlocked_gone.wav")
    repository.run("git", "commit", "-q", "-m", "sound")
    repository.run("git", "annex", "drop", "-q", "--force", "locked_gone.wav", "unlocked_gone.wav")
    return repository


@pytest.mark.parametrize("name", ["locked.wav", "locked_gone.wav", "unlocked_gone.wav", "deep/er/locked.wav"])
def test_key_is_the_one_of_git_annex(annex: Repository, name: str):
    assert annex_key(annex.root / name) == annex.key(name)


def test_key_of_unlocked_content_is_not_known_without_git(annex: Repository):
    assert annex.key("unlocked.wav")
    assert annex_key(annex.root / "unlocked.wav") is None


def test_content(annex: Repository):
    here = {
        name: has_content(annex.root / f"{name}.wav") for name in ("locked", "unlocked", "locked_gone", "unlocked_gone")
    }
    assert here == {"locked": True, "unlocked": True, "locked_gone": False, "unlocked_gone": False}


@pytest.mark.parametrize("name", ["locked_gone.wav", "unlocked_gone.wav"])
def test_sound_without_content_says_so(annex: Repository, name: str):
    with pytest.raises(BadSound) as caught:
        probe(annex.root / name)
    assert caught.value.code == "content_missing"


def test_sound_with_content_is_read(annex: Repository):
    assert probe(annex.root / "locked.wav").frames == 1000
    assert probe(annex.root / "unlocked.wav").frames == 1001


def test_size_stands_in_the_key(annex: Repository):
    assert key_size_bytes(annex.key("locked.wav")) == (annex.root / "locked.wav").stat().st_size
    assert key_size_bytes("URL--http&c%%host%a-s12-b.wav") is None
    assert key_size_bytes("WORM-s12-m34--a-s99.wav") == 12


def test_ordinary_files_and_links(tmp_path: Path):
    sound = write_sound(tmp_path / "a.wav")
    (tmp_path / "link.wav").symlink_to(sound)
    (tmp_path / "dangling.wav").symlink_to("annex.wav")
    (tmp_path / "text.wav").write_text("see /annex/objects/KEY")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    assert all(annex_key(path) is None for path in tmp_path.iterdir())
    assert annex_key(tmp_path / "missing.wav") is None
    assert has_content(tmp_path / "a.wav") and has_content(tmp_path / "link.wav")
    assert not has_content(tmp_path / "dangling.wav") and not has_content(tmp_path / "missing.wav")
