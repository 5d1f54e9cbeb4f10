"""The content of annexed files: fetched and dropped by git-annex, in bulk. Nothing here ever forces it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from badc_assets.provenance.annex import has_content
from badc_assets.provenance.commands import git, git_lines, try_git

Progress = Callable[[str, int, int], None]
"""Called with the path, the bytes that are here and the bytes in all."""


@dataclass(frozen=True)
class Transfer:
    """What became of the content of one file. `path` is relative to the repository, empty where only `key` is known.

    `problem` is what git-annex says against it, empty when it was done.
    """

    path: str
    key: str
    problem: str

    @property
    def is_done(self) -> bool:
        return not self.problem


def without_content(repository: Path, paths: Iterable[str]) -> list[str]:
    """Those of the paths whose content is not here: links to nothing, pointers, and what does not exist. Starts no process."""
    return [path for path in paths if not has_content(repository / path)]


def get_content(
    repository: Path, paths: Iterable[str], *, jobs: int = 1, progress: Progress | None = None
) -> Iterator[Transfer]:
    """Fetch the content of annexed files from wherever git-annex knows it to be, `jobs` at a time.

    Yields each as soon as it is known; not those whose content is here already, nor those that are not annexed.
    """
    yield from _batch(repository, "get", paths, jobs, progress)


def drop_content(repository: Path, paths: Iterable[str], *, jobs: int = 1) -> Iterator[Transfer]:
    """Drop the content of annexed files here, where git-annex finds that enough other copies exist (numcopies).

    git-annex asks the other places at that moment. What it does not allow stays, with its reason.
    """
    yield from _batch(repository, "drop", paths, jobs, None)


def drop_everything(repository: Path) -> list[Transfer]:
    """Drop all content here, of all versions of all files, as `drop_content` does. Those that stay have a problem."""
    return list(_transfers(git_lines(repository, "annex", "drop", "--all", "--json", *_MESSAGES, stdin=b""), None))


def only_copies(repository: Path) -> list[str]:
    """Annexed files whose content is here and, as far as is known here, nowhere else."""
    wanted = ("annex", "find", "--in=here", "--not", "--copies=2", "--format=${file}\\000")
    answer = try_git(repository, *wanted)
    return sorted(os.fsdecode(path) for path in answer.output.split(b"\0") if path)


def content_bytes(repository: Path) -> int:
    """How much annexed content a repository holds here, of whatever version."""
    total = 0
    folders = [os.fspath(repository / ".git/annex/objects")]
    while folders:
        folder = folders.pop()
        if not Path(folder).is_dir():
            continue
        with os.scandir(folder) as items:
            for item in items:
                if item.is_dir(follow_symlinks=False):
                    folders.append(item.path)
                elif not item.name.endswith((".map", ".lck", ".cache")):
                    total += item.stat(follow_symlinks=False).st_size
    return total


def is_annex(repository: Path) -> bool:
    """Whether git-annex manages files of a repository: it is initialised here, or was where the repository came from."""
    if (repository / ".git/annex").is_dir():
        return True
    answer = try_git(repository, "for-each-ref", "--count=1", "refs/heads/git-annex", "refs/remotes/*/git-annex")
    return bool(answer.text)


_MESSAGES = ("--json-error-messages",)


def _is_ready(repository: Path) -> bool:
    """Whether git-annex can work in a repository. One that came from an annex is initialised first: in a subdataset
    git-annex would otherwise do so while it reads the names, and find none of them."""
    if (repository / ".git/annex").is_dir():
        return True
    if not is_annex(repository):
        return False
    git(repository, "annex", "init", "--quiet")
    return True


def _batch(
    repository: Path, command: str, paths: Iterable[str], jobs: int, progress: Progress | None
) -> Iterator[Transfer]:
    names = b"".join(os.fsencode(path) + b"\0" for path in paths)
    if not names or not _is_ready(repository):
        return
    options = ["--json", *_MESSAGES, f"-J{jobs}", "--batch", "-z", *(["--json-progress"] if progress else [])]
    yield from _transfers(git_lines(repository, "annex", command, *options, stdin=names), progress)


def _transfers(lines: Iterable[bytes], progress: Progress | None) -> Iterator[Transfer]:
    for line in lines:
        message = _parsed(line)
        action = message.get("action")
        if progress is not None and isinstance(action, dict):
            progress(str(action.get("file", "")), _number(message, "byte-progress"), _number(message, "total-size"))
        elif "success" in message:
            yield _transfer(message)


def _transfer(message: dict[str, Any]) -> Transfer:
    words = [*message.get("error-messages", ()), message.get("note", "")]
    problem = " ".join(" ".join(str(word) for word in words).split()) or "git-annex gives no reason"
    path, key = message.get("file") or "", message.get("key") or ""
    return Transfer(str(path), str(key), "" if message["success"] else problem)


def _number(message: dict[str, Any], name: str) -> int:
    value = message.get(name)
    return value if isinstance(value, int) else 0


def _parsed(line: bytes) -> dict[str, Any]:
    """A line of git-annex; empty for the blank line that stands for a file with nothing to do."""
    try:
        value = json.loads(os.fsdecode(line))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
