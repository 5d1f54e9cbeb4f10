"""Keys of unlocked annexed files. With their content they look like any other file; only git knows what they stand for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from badc_assets.provenance.annex import key_size_bytes
from badc_assets.provenance.commands import git

_FILE_MODES = (b"100644", b"100755")
_POINTER = b"/annex/objects/"
_LIMIT_BYTES = 32 * 1024
"""git-annex takes no larger file for a pointer."""


def unlocked_keys(repository: Path, below: str = "") -> dict[str, str]:
    """Path (relative to the repository) -> annex key of the unlocked files in a folder, as they were last added.

    Not for files that differ from what was added, as far as git sees it by their size and time.
    """
    where = ("--", below) if below else ()
    blobs: dict[str, str] = {}
    for line in git(repository, "--literal-pathspecs", "ls-files", "-s", "-z", *where).output.split(b"\0"):
        head, _, path = line.partition(b"\t")
        if head[:6] in _FILE_MODES:
            blobs[os.fsdecode(path)] = head.split(b" ")[1].decode()
    if not blobs:
        return {}
    keys = _pointers(repository, set(blobs.values()))
    found = {path: keys[blob] for path, blob in blobs.items() if blob in keys}
    if not found:
        return {}
    changed = git(repository, "--literal-pathspecs", "diff-files", "--name-only", "-z", *where).output.split(b"\0")
    for path in changed:
        found.pop(os.fsdecode(path), None)
    return found


def is_of_size(key: str, size_bytes: int) -> bool:
    """Whether a file of that size can be what a key stands for."""
    stated = key_size_bytes(key)
    return stated is None or stated == size_bytes


def _pointers(repository: Path, blobs: Iterable[str]) -> dict[str, str]:
    """The annex keys in those of the blobs that are pointers."""
    names = "".join(f"{blob}\n" for blob in sorted(blobs)).encode()
    sizes = git(repository, "cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=names).text.splitlines()
    small = [blob for blob, size in (line.split(" ") for line in sizes) if size.isdigit() and int(size) <= _LIMIT_BYTES]
    output = git(repository, "cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in small).encode()).output
    keys: dict[str, str] = {}
    position = 0
    while position < len(output):
        end = output.index(b"\n", position)
        blob, _, size = output[position:end].split(b" ")
        content = output[end + 1 : end + 1 + int(size)]
        if content.startswith(_POINTER):
            keys[blob.decode()] = os.fsdecode(content.split(b"\n", 1)[0].rsplit(b"/", 1)[-1])
        position = end + 2 + int(size)
    return keys
