"""`badc data` as a user types it, on real repositories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from badc_assets.cli.main import app
from badc_assets.errors import BadcError
from badc_assets.provenance.registry import read_registry
from badc_assets_tests.repositories import IDENTITY, Repository


@pytest.fixture
def origin(tmp_path: Path) -> Repository:
    repository = Repository.annexed(tmp_path / "origin")
    repository.add_sounds(a=100, b=101)
    return repository


@pytest.fixture
def badc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run `badc data ...` in a folder of its own; what it prints, or the one line of its error."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    for name, value in {**IDENTITY, "COLUMNS": "250", "BADC_DATA_CONFIG": os.fspath(home / "data.toml")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BADC_DATASET", raising=False)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["data", *arguments])
        if isinstance(result.exception, BadcError):
            return f"{result.output}error: {result.exception}"
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    return run


def entry(name: str = "site"):
    return read_registry(Path("data.toml"))[name]


@pytest.mark.parametrize("method", ["git", "datalad"])
def test_connect_clones_and_then_updates(badc, origin: Repository, method: str):
    url = os.fspath(origin.root)
    assert "site: cloned at data/datalad/site" in badc("connect", "site", "--url", url, "--method", method)
    assert (entry().url, entry().method, entry().status, entry().path) == (
        url,
        method,
        "connected",
        os.fspath(Path("data/datalad/site").absolute()),  # it is read from any folder
    )
    clone = Repository(Path("data/datalad/site"))
    assert not (clone.root / "audio/a.wav").exists()
    origin.add_sounds(c=102)
    assert "site: exists" in badc("connect", "site", "--no-pull")
    assert not (clone.root / "audio/c.wav").is_symlink()
    assert "site: updated" in badc("connect", "site", "--method", method)
    assert (clone.root / "audio/c.wav").is_symlink()
    assert entry().url == url


def test_dry_runs_do_nothing(badc, origin: Repository):
    assert "would run: git clone" in badc(
        "connect", "site", "--url", os.fspath(origin.root), "--method", "git", "--dry-run"
    )
    assert not Path("data").exists() and not Path("data.toml").exists()
    badc("connect", "site", "--url", os.fspath(origin.root), "--method", "git")
    assert "would delete" in badc("disconnect", "site", "--drop-content", "--dry-run")
    assert Path("data/datalad/site/.git").is_dir()
    assert entry().status == "connected"


def test_what_connect_refuses(badc, origin: Repository, tmp_path: Path):
    assert "give its address with --url" in badc("connect", "site")
    assert "git clone failed" in badc("connect", "site", "--url", os.fspath(tmp_path / "nowhere"), "--method", "git")
    assert "is no name for a dataset" in badc("connect", "../site", "--url", os.fspath(origin.root))
    Path("data/datalad/site").mkdir(parents=True)
    Path("data/datalad/site/notes.txt").write_text("mine")
    assert "is no git or DataLad dataset" in badc("connect", "site", "--url", os.fspath(origin.root))
    assert not Path("data.toml").exists()
    assert "badc-bogus-data" in badc("connect", "bogus", "--dry-run")


def test_a_submodule_of_the_project(badc, origin: Repository):
    project = Repository(Path.cwd())
    project.run("git", "init", "-q")
    project.run(
        "git", "-c", "protocol.file.allow=always", "submodule", "add", "-q", os.fspath(origin.root), "data/datalad/site"
    )
    assert "site: exists" in badc("connect", "site")
    assert entry().method == "git-submodule"


def test_disconnect_keeps_or_deletes_what_is_elsewhere(badc, origin: Repository):
    badc("connect", "site", "--url", os.fspath(origin.root), "--method", "git")
    assert "disconnected, kept" in badc("disconnect", "site")
    assert (entry().status, Path("data/datalad/site").is_dir()) == ("disconnected", True)
    assert entry().last_connected and entry().last_disconnected
    Repository(Path("data/datalad/site")).run("git", "annex", "get", "-q", ".")
    assert "disconnected, deleted" in badc("disconnect", "site", "--drop-content")
    assert not Path("data/datalad/site").exists()
    assert "is not connected" in badc("disconnect", "nothing")


def test_disconnect_refuses_what_is_not_saved_or_not_pushed(badc, origin: Repository):
    badc("connect", "site", "--url", os.fspath(origin.root), "--method", "git")
    clone = Repository(Path("data/datalad/site"))
    (clone.root / "notes.txt").write_text("mine")
    (clone.root / ".gitignore").write_text("ignored\n")
    (clone.root / "ignored").write_text("mine too")
    answer = badc("disconnect", "site", "--drop-content")
    for text in ("not saved: notes.txt", "not saved: ignored", "say --even-unsaved"):
        assert text in answer
    clone.run("git", "add", "notes.txt", ".gitignore")
    clone.commit("my notes")
    answer = badc("disconnect", "site", "--drop-content")
    assert "in no other repository: " in answer and "my notes" in answer
    assert (clone.root / "notes.txt").is_file()
    assert entry().status == "connected"
    assert "deleted" in badc("disconnect", "site", "--drop-content", "--even-unsaved")
    assert not clone.root.exists()


def test_disconnect_refuses_only_copies_and_asks_the_others_itself(badc, origin: Repository):
    badc("connect", "site", "--url", os.fspath(origin.root), "--method", "git")
    clone = Repository(Path("data/datalad/site"))
    clone.run("git", "annex", "get", "-q", ".")
    # What is believed to be there is gone: only git-annex finds out.
    objects = origin.root / ".git/annex/objects"
    for folder, _, names in os.walk(objects):
        Path(folder).chmod(0o755)
        for name in names:
            (Path(folder) / name).unlink()
    assert "2 contents that git-annex could not find elsewhere" in badc("disconnect", "site", "--drop-content")
    assert (clone.root / "audio/a.wav").is_file()
    assert "could not find elsewhere" in badc("disconnect", "site", "--drop-content", "--even-unsaved")
    clone.run("git", "annex", "fsck", "-q", "--fast", "--from", "origin", may_fail=True)
    answer = badc("disconnect", "site", "--drop-content")
    assert "only copy: audio/a.wav" in answer and "say --even-only-copies" in answer
    assert "deleted" in badc("disconnect", "site", "--drop-content", "--even-only-copies")


def test_a_folder_that_is_no_repository_is_all_unsaved(badc):
    Path("data/datalad/plain/audio").mkdir(parents=True)
    Path("data/datalad/plain/audio/a.wav").write_text("x")
    assert "not saved: audio/a.wav" in badc("disconnect", "plain", "--drop-content")
    assert Path("data/datalad/plain/audio/a.wav").is_file()


def test_status_lists_datasets_siblings_and_what_is_missing(badc, origin: Repository, monkeypatch: pytest.MonkeyPatch):
    badc("connect", "site", "--url", os.fspath(origin.root), "--method", "git")
    clone = Repository(Path("data/datalad/site"))
    monkeypatch.setenv("BADC_DATASET", os.fspath(clone.root))
    clone.run("git", "annex", "get", "-q", "audio/b.wav")
    answer = badc("status", "--details", "--show-siblings")
    for text in ("connected", "present", "git", f"site: sibling origin {origin.root}", "present: 1", "content_missing: 1",
                 "content_missing: audio/a.wav"):  # fmt: skip
        assert text in answer
    monkeypatch.setenv("BADC_DATASET", "nowhere")
    assert "it is not here" in badc("status")
