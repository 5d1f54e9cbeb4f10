"""Bringing a dataset here and taking it away again, without losing anything that is nowhere else."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from badc_assets.errors import BadcError
from badc_assets.provenance.commands import LONG_S, git, has_program, try_git, try_program
from badc_assets.provenance.content import drop_everything, is_annex, only_copies
from badc_assets.provenance.git import is_repository
from badc_assets.provenance.subdatasets import declared_paths, subdatasets

KNOWN_URLS = {"bogus": "https://github.com/UBC-FRESH/badc-bogus-data.git"}
Method = Literal["git", "datalad"]
_ADJUSTING = "git-annex adjusted branch"
"""The subject of the commit that is not pushed by anybody: git-annex makes it again."""


@dataclass(frozen=True)
class Connection:
    """How a dataset comes to `target`: `command` in `cwd` (nothing to do where it is empty). `result` as BADC calls it."""

    target: Path
    url: str
    method: str
    result: Literal["cloned", "updated", "exists"]
    command: tuple[str, ...]
    cwd: Path


@dataclass(frozen=True)
class Losses:
    """What would be lost with a folder. Paths are relative to it; commits are one line each."""

    unsaved: tuple[str, ...] = ()
    unpushed: tuple[str, ...] = ()
    only_copies: tuple[str, ...] = ()

    @property
    def are_none(self) -> bool:
        return not (self.unsaved or self.unpushed or self.only_copies)


def plan_connection(target: Path, url: str, method: Method | None, *, pull: bool, here: Path) -> Connection:
    """What has to be done to have a dataset at `target`; `here` is the folder of the project, which may declare it a submodule.

    Raises BadcError when there is something else at `target`, or no address to get it from.
    """
    if _is_submodule(target, here):
        if is_repository(target):
            return Connection(target, _origin(target) or url, "git-submodule", "exists", (), here)
        path = target.absolute().relative_to(here.absolute()).as_posix()
        command = ("git", "submodule", "update", "--init", "--recursive", "--", path)
        return Connection(target, url, "git-submodule", "cloned", command, here)
    chosen = method or ("datalad" if has_program("datalad") else "git")
    if is_repository(target):
        url = url or _origin(target)
        if not pull:
            return Connection(target, url, chosen, "exists", (), target)
        merge = ("datalad", "update", "-d", str(target.absolute()), "--how=merge", "--recursive")
        return Connection(
            target, url, chosen, "updated", merge if chosen == "datalad" else ("git", "pull", "--ff-only"), target
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadcError(target, "is there and is no git or DataLad dataset", "move it away or choose another --path")
    if not url:
        raise BadcError(target.name, "is no dataset that is known here", "give its address with --url")
    return Connection(target, url, chosen, "cloned", (chosen, "clone", url, str(target)), here)


def connect(plan: Connection) -> None:
    """Do what the plan says. Raises BadcError with what the program said when it failed."""
    if not plan.command:
        return
    plan.target.parent.mkdir(parents=True, exist_ok=True)
    answer = try_program(plan.command, cwd=plan.cwd, timeout_s=LONG_S)
    if answer.status:
        verb = " ".join(plan.command[:2])
        raise BadcError(
            plan.url or plan.target, f"{verb} failed: {answer.last_words}", "check the address and the network"
        )


def losses_of(target: Path) -> Losses:
    """What a folder holds that, as far as is known here, is nowhere else; subdatasets included. Nothing is changed."""
    if not is_repository(target):
        return Losses(unsaved=tuple(_all_files(target)))
    unsaved, unpushed, copies = [], [], []
    for prefix in ("", *(f"{found.path}/" for found in subdatasets(target) if found.is_installed)):
        repository = target / prefix
        unsaved += [prefix + path for path in _unsaved(repository)]
        unpushed += [f"{prefix}: {commit}" if prefix else commit for commit in _unpushed(repository)]
        if is_annex(repository):
            copies += [prefix + path for path in only_copies(repository)]
    return Losses(tuple(unsaved), tuple(unpushed), tuple(copies))


def verified_losses(target: Path) -> tuple[str, ...]:
    """Let git-annex drop all content that it finds elsewhere at this moment; what it keeps, of whatever version."""
    kept = []
    for prefix in ("", *(f"{found.path}/" for found in subdatasets(target) if found.is_installed)):
        if (target / prefix / ".git/annex").is_dir():
            kept += [prefix + each.key for each in drop_everything(target / prefix) if not each.is_done]
    return tuple(kept)


def delete_tree(target: Path, here: Path) -> None:
    """Delete a dataset; of a submodule the working tree. git-annex protects its folders against writing."""
    if _is_submodule(target, here):
        git(here, "submodule", "deinit", "-f", "--", target.absolute().relative_to(here.absolute()).as_posix())
        return
    for folder, _, _ in os.walk(target):
        Path(folder).chmod(stat.S_IRWXU)
    try:
        shutil.rmtree(target)
    except OSError as error:
        raise BadcError(target, f"cannot be deleted ({error.strerror})", "delete it by hand") from error


def siblings(repository: Path) -> list[tuple[str, str]]:
    """(name, address) of the places that a repository knows, special remotes of git-annex included."""
    urls = _remote_settings(repository, "url")
    special = _remote_settings(repository, "annex-externaltype") | _remote_settings(repository, "annex-directory")
    return sorted((urls | {name: value for name, value in special.items() if name not in urls}).items())


def _remote_settings(repository: Path, name: str) -> dict[str, str]:
    answer = try_git(repository, "config", "-z", "--get-regexp", rf"^remote\..*\.{name}$")
    entries = (entry.partition("\n") for entry in answer.text.split("\0") if entry)
    return {key.removeprefix("remote.").removesuffix(f".{name}"): value for key, _, value in entries}


def kind_of(folder: Path) -> str:
    """`datalad`, `git`, or `unknown`."""
    if not is_repository(folder):
        return "unknown"
    return "datalad" if (folder / ".datalad").is_dir() else "git"


def _is_submodule(target: Path, here: Path) -> bool:
    declaration = here / ".gitmodules"
    if not declaration.is_file() or not target.absolute().is_relative_to(here.absolute()):
        return False
    path = target.absolute().relative_to(here.absolute()).as_posix()
    return path in declared_paths(declaration.read_text("utf-8", "surrogateescape"))


def _origin(repository: Path) -> str:
    answer = try_git(repository, "config", "remote.origin.url")
    return answer.text if answer.status == 0 else ""


def _unsaved(repository: Path) -> list[str]:
    """Files that differ from the last commit, and files that git does not know; ignored ones too."""
    options = ("status", "--porcelain", "-z", "--untracked-files=all", "--ignored=matching", "--no-renames")
    output = git(repository, *options, "--ignore-submodules=all").output
    return sorted(os.fsdecode(entry[3:]) for entry in output.split(b"\0") if entry)


def _unpushed(repository: Path) -> list[str]:
    """Commits and stashes that no other repository is known to have. git-annex's own branches tell nothing of the user's."""
    options: Sequence[str] = (
        "--exclude=git-annex",
        "--exclude=synced/*",
        "--branches",
        "--tags",
        "HEAD",
        "--not",
        "--remotes",
    )
    has_commits = try_git(repository, "rev-parse", "--verify", "--quiet", "HEAD").status == 0
    lines = git(repository, "log", "--format=%h %s", *options).text.splitlines() if has_commits else []
    stashes = git(repository, "stash", "list", "--format=%h %gs").text.splitlines()
    return [*(line for line in lines if not line.endswith(f" {_ADJUSTING}")), *stashes]


def _all_files(folder: Path) -> list[str]:
    return sorted(
        (Path(place) / name).relative_to(folder).as_posix() for place, _, names in os.walk(folder) for name in names
    )
