"""Commits and the differences between them, against real repositories."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.errors import BadcError
from badc_assets.provenance.git import PathChange, changes_between, dataset_commit, has_commit, parse_raw_diff
from badc_assets_tests.repositories import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.annexed(tmp_path / "dataset")


def changes(repository: Repository, base: str | None, target: str, below: str = "audio") -> list[tuple[str, ...]]:
    found = changes_between(repository.root, base, target, below)
    return [(c.kind, c.path, c.former) if c.former else (c.kind, c.path) for c in found]


def test_first_commit_adds_everything_below_the_folder(repository: Repository):
    (repository.root / "readme.txt").write_text("x")
    repository.run("git", "add", "readme.txt")
    commit = repository.add_sounds(b=100, a=50)
    assert changes(repository, None, commit) == [("added", "audio/a.wav"), ("added", "audio/b.wav")]
    assert ("added", "readme.txt") in changes(repository, None, commit, below="")


def test_every_kind_of_change(repository: Repository):
    first = repository.add_sounds(changed=100, gone=101, moved=102, same=103)
    repository.run("git", "rm", "-q", "audio/gone.wav")
    repository.run("git", "mv", "audio/moved.wav", "audio/new name.wav")
    second = repository.add_sounds(changed=200, fresh=104)
    assert changes(repository, first, second) == [
        ("removed", "audio/gone.wav"),
        ("renamed", "audio/new name.wav", "audio/moved.wav"),
        ("changed", "audio/changed.wav"),
        ("added", "audio/fresh.wav"),
    ]
    assert changes(repository, second, second) == []


def test_unlocking_is_a_change_and_other_permissions_are_none(repository: Repository):
    first = repository.add_sounds(a=100)
    (repository.root / "audio/plain.wav").write_text("x")
    repository.run("git", "-c", "annex.largefiles=nothing", "annex", "add", "-q", "audio/plain.wav")
    first = repository.commit("plain")
    (repository.root / "audio/plain.wav").chmod(0o755)
    repository.run("git", "annex", "unlock", "-q", "audio/a.wav")
    repository.run("git", "add", "audio")
    assert changes(repository, first, repository.commit("unlocked")) == [("changed", "audio/a.wav")]


def test_names_that_are_patterns_or_no_text(repository: Repository):
    folder = repository.root / "audio [1]*"
    folder.mkdir()
    names = ["new\nline.wav", "tab\t.wav", os.fsdecode(b"latin\xe9.wav")]
    for name in names:
        (folder / name).write_text("x")
    (repository.root / "audio 1").mkdir()
    (repository.root / "audio 1/other.wav").write_text("x")
    repository.run("git", "add", ".")
    found = changes_between(repository.root, None, repository.commit("names"), "audio [1]*")
    assert {change.path for change in found} == {f"audio [1]*/{name}" for name in names}


def test_commit_is_read_wherever_git_keeps_it(repository: Repository, tmp_path: Path):
    assert dataset_commit(repository.root) is None
    commit = repository.add_sounds(a=100)
    assert dataset_commit(repository.root) == commit
    repository.run("git", "pack-refs", "--all")
    assert not (repository.root / ".git/refs/heads/main").exists()
    assert dataset_commit(repository.root) == commit
    repository.run("git", "checkout", "-q", "--detach")
    assert dataset_commit(repository.root) == commit
    repository.run("git", "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    assert dataset_commit(tmp_path / "tree") == commit
    assert dataset_commit(tmp_path) is None


def test_asking_for_the_commit_again_takes_no_time(repository: Repository):
    repository.add_sounds(a=100)
    started = time.perf_counter()
    for _ in range(100):
        dataset_commit(repository.root)
    assert (time.perf_counter() - started) / 100 < 0.005


def test_commits_that_are_gone(repository: Repository):
    commit = repository.add_sounds(a=100)
    assert has_commit(repository.root, commit)
    assert not has_commit(repository.root, "0" * 40)
    assert not has_commit(repository.root, "--help")
    with pytest.raises(BadcError, match="git diff-tree failed"):
        changes_between(repository.root, "0" * 40, commit)


NAMES = st.binary(min_size=1).filter(lambda name: b"\0" not in name).map(os.fsdecode)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["added", "removed", "changed", "renamed"]), NAMES, NAMES)))
def test_any_names_survive_the_format_of_git(changes: list[tuple[str, str, str]]):
    expected, output = [], b""
    for kind, path, former in changes:
        letter = {"added": "A", "removed": "D", "changed": "M", "renamed": "R100"}[kind]
        both = [former, path] if kind == "renamed" else [path]
        output += f":100644 100644 {'1' * 40} {'2' * 40} {letter}".encode() + b"\0"
        output += b"".join(os.fsencode(name) + b"\0" for name in both)
        expected.append(PathChange(kind, path, former if kind == "renamed" else ""))  # pyright: ignore[reportArgumentType]
    assert list(parse_raw_diff(output)) == expected
