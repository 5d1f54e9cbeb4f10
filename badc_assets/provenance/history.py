"""Which commits of a dataset hold a file as it is now."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

_COMMIT = re.compile(r"[0-9a-f]{40,64}")


def last_commit(path: Path) -> str:
    """The commit that last changed this file; empty when it is not in a repository, or differs from what is committed.

    The repository is the one that the file lies in, so files of subdatasets are found too.
    """
    if shutil.which("git") is None or not path.parent.is_dir():
        return ""
    if _git(path, "status", "--porcelain", "--", path.name):
        return ""
    return _git(path, "log", "-1", "--format=%H", "--", path.name)


def last_commits(root: Path, folder: str, wanted: Collection[str]) -> dict[str, str]:
    """For each of these files (paths from the root) that is committed, the commit that last changed it. `folder` holds them all.

    Reads history from its end, and no farther than it must.
    """
    found: dict[str, str] = {}
    command = [
        "git",
        "-C",
        str(root),
        "-c",
        "safe.directory=*",
        "log",
        "--format=%x00%H",
        "--name-only",
        "-z",
        "--",
        folder,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    commit = ""
    with process, process.stdout as stream:
        for part in _split_at_nul(stream):
            name = part.lstrip("\n")
            if _COMMIT.fullmatch(name):
                commit = name
            elif name in wanted:
                found.setdefault(name, commit)
                if len(found) == len(wanted):
                    process.kill()
                    break
    return found


def _split_at_nul(stream: IO[bytes]) -> Iterator[str]:
    rest = b""
    while block := stream.read(1 << 16):
        *parts, rest = (rest + block).split(b"\0")
        yield from (part.decode("utf-8", "surrogateescape") for part in parts)
    if rest:
        yield rest.decode("utf-8", "surrogateescape")


def _git(path: Path, *arguments: str) -> str:
    # Datasets on shared disks belong to others; only what is already there is read.
    command = ["git", "-C", str(path.parent), "-c", "safe.directory=*", "--no-optional-locks", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return answer.stdout.strip() if answer.returncode == 0 else ""
