"""Fetching and dropping with the real git-annex."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from badc_assets.errors import BadcError
from badc_assets.provenance.commands import git, try_program
from badc_assets.provenance.content import (
    content_bytes,
    drop_content,
    drop_everything,
    get_content,
    is_annex,
    only_copies,
    without_content,
)
from badc_assets_tests.repositories import Repository

SOUNDS = {"a": 100, "b": 200, "c": 300}
PATHS = [f"audio/{name}.wav" for name in SOUNDS]


@pytest.fixture
def origin(tmp_path: Path) -> Repository:
    repository = Repository.annexed(tmp_path / "origin")
    repository.add_sounds(**SOUNDS)
    return repository


@pytest.fixture
def clone(origin: Repository, tmp_path: Path) -> Repository:
    return origin.clone(tmp_path / "clone")


def test_get_fetches_in_bulk_and_tells_how_it_goes(clone: Repository):
    assert without_content(clone.root, PATHS) == PATHS
    seen: dict[str, int] = {}
    done = list(get_content(clone.root, PATHS, jobs=2, progress=lambda path, here, total: seen.update({path: here})))
    assert sorted(transfer.path for transfer in done) == PATHS
    assert all(transfer.is_done and transfer.key for transfer in done)
    assert without_content(clone.root, PATHS) == []
    assert seen == {path: (clone.root / path).stat().st_size for path in seen} and seen
    assert list(get_content(clone.root, PATHS)) == []
    assert list(get_content(clone.root, [])) == []


def test_what_cannot_be_fetched_says_why(origin: Repository, clone: Repository):
    origin.run("git", "annex", "drop", "-q", "--force", PATHS[0])
    transfers = {transfer.path: transfer.problem for transfer in get_content(clone.root, [*PATHS, "audio/none.wav"])}
    assert transfers.pop(PATHS[0])
    assert transfers == {PATHS[1]: "", PATHS[2]: ""}


def test_drop_is_left_to_git_annex(origin: Repository, clone: Repository):
    list(get_content(clone.root, PATHS))
    assert only_copies(clone.root) == []
    origin.run("git", "annex", "drop", "-q", "--force", PATHS[0])
    transfers = {transfer.path: transfer for transfer in drop_content(clone.root, PATHS)}
    assert not transfers[PATHS[0]].is_done
    assert "necessary copy" in transfers[PATHS[0]].problem
    assert transfers[PATHS[1]].is_done
    assert without_content(clone.root, PATHS) == PATHS[1:]


def test_drop_honours_numcopies(origin: Repository, clone: Repository):
    list(get_content(clone.root, PATHS[:1]))
    clone.run("git", "annex", "numcopies", "-q", "2")
    (transfer,) = drop_content(clone.root, PATHS[:1])
    assert not transfer.is_done
    assert (clone.root / PATHS[0]).is_file()


def test_drop_everything_covers_former_versions(origin: Repository, clone: Repository):
    origin.add_sounds(a=150)
    kept = drop_everything(origin.root)
    assert len(kept) == 4
    assert not any(transfer.is_done for transfer in kept)
    list(get_content(clone.root, PATHS))
    assert all(transfer.is_done for transfer in drop_everything(clone.root))
    assert content_bytes(clone.root) == 0


def test_only_copies_and_how_much_is_here(origin: Repository):
    assert only_copies(origin.root) == PATHS
    assert content_bytes(origin.root) == sum((origin.root / path).stat().st_size for path in PATHS)


def test_unlocked_files_are_fetched_and_dropped_too(origin: Repository, clone: Repository):
    clone.run("git", "annex", "adjust", "--unlock", "-q")
    assert not (clone.root / PATHS[0]).is_symlink()
    assert without_content(clone.root, PATHS) == PATHS
    assert all(transfer.is_done for transfer in get_content(clone.root, PATHS))
    assert without_content(clone.root, PATHS) == []
    assert all(transfer.is_done for transfer in drop_content(clone.root, PATHS))
    assert without_content(clone.root, PATHS) == PATHS


def test_what_is_an_annex(origin: Repository, tmp_path: Path):
    assert is_annex(origin.root)
    plain = Repository.plain(tmp_path / "plain")
    assert not is_annex(plain.root)
    origin.run("git", "clone", "-q", os.fspath(origin.root), os.fspath(tmp_path / "fresh"))
    assert is_annex(tmp_path / "fresh")
    assert content_bytes(plain.root) == 0


def test_programs_that_fail_or_are_not_there(tmp_path: Path):
    with pytest.raises(BadcError, match="not a git repository"):
        git(tmp_path, "status")
    with pytest.raises(BadcError, match="is not installed"):
        try_program(["no-such-program-anywhere"])
    with pytest.raises(BadcError, match="did not end in 0 s"):
        try_program(["sleep", "5"], timeout_s=0.05)
