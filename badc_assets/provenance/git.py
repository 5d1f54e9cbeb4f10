"""Which state a git or DataLad dataset is in, and what differs between two states."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from badc_assets.provenance.commands import git, has_program, try_git

EMPTY_TREES = {40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
               64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"}  # fmt: skip
"""The tree without files, by the length of a repository's object names. git knows it without having it."""

ChangeKind = Literal["removed", "renamed", "changed", "added"]
_KINDS: dict[str, ChangeKind] = {"A": "added", "C": "added", "D": "removed", "R": "renamed"}
_COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_SUBDATASET_MODE = b"160000"


@dataclass(frozen=True, slots=True)
class PathChange:
    """What happened to one path between two commits. `former` is where a renamed file was."""

    kind: ChangeKind
    path: str
    former: str = ""


def dataset_commit(dataset: Path) -> str | None:
    """The commit that is checked out in a git or DataLad dataset; None for a plain folder or an empty repository.

    Read from git's own files where these say it at once, since a sensor asks every half minute; else git is asked.
    """
    if not is_repository(dataset):
        return None
    return _loose_commit(dataset / ".git") or _commit_by_git(dataset)


def is_repository(folder: Path) -> bool:
    """Whether the folder is the top of a git repository that can be asked."""
    return (folder / ".git").exists() and has_program("git")


def has_commit(repository: Path, commit: str) -> bool:
    """Whether the repository still has a commit: after a rewritten history it may be gone."""
    return (
        _COMMIT.match(commit) is not None
        and try_git(repository, "cat-file", "-e", f"{commit}^{{commit}}", timeout_s=60).status == 0
    )


def changes_between(repository: Path, base: str | None, target: str, below: str = "") -> list[PathChange]:
    """What differs between two commits, removed paths first, then renamed, changed and added ones; each sorted.

    `base` None: everything in `target` was added. `below`: only this folder. A file is renamed when its content, as git has it,
    is exactly the same. Changes of permission are none. Subdatasets are left out: they have commits of their own.
    Raises BadcError when a commit is not there.
    """
    base = base or EMPTY_TREES[len(target)]
    # Of a commit the tree is meant: an annotation such as a merge plays no part.
    arguments = ("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "-M100%", base, f"{target}^{{tree}}")
    answer = git(repository, "--literal-pathspecs", *arguments, "--", *([below] if below else []))
    order = ("removed", "renamed", "changed", "added")
    return sorted(parse_raw_diff(answer.output), key=lambda change: (order.index(change.kind), change.path))


def parse_raw_diff(output: bytes) -> Iterator[PathChange]:
    """The changes in the output of `git diff-tree -z --raw`: `:mode mode hash hash X` NUL path NUL, two paths for R and C."""
    fields = iter(output.split(b"\0"))
    for head in fields:
        if not head:
            continue
        old_mode, new_mode, old_hash, new_hash, status = head.lstrip(b":").split(b" ")
        letter = status[:1].decode()
        former = os.fsdecode(next(fields)) if letter in "RC" else ""
        path = os.fsdecode(next(fields))
        if _SUBDATASET_MODE in (old_mode, new_mode) or (letter == "M" and old_hash == new_hash):
            continue
        yield PathChange(_KINDS.get(letter, "changed"), path, former if letter == "R" else "")


def _loose_commit(git_folder: Path) -> str | None:
    """The commit by HEAD and the file of its branch; None where git keeps it elsewhere (packed, other worktrees)."""
    head = _first_line(git_folder / "HEAD")
    commit = _first_line(git_folder / head.removeprefix("ref: ")) if head.startswith("ref: refs/heads/") else head
    return commit if _COMMIT.match(commit) else None


def _first_line(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace").strip() if path.is_file() else ""


def _commit_by_git(repository: Path) -> str | None:
    answer = try_git(repository, "rev-parse", "--verify", "--quiet", "HEAD", timeout_s=60)
    return answer.text or None if answer.status == 0 else None
