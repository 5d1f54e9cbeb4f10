"""What a git-annex working tree shows of a file without asking git: its key, read from a link or a pointer file.

It stands here, below `provenance`, because opening sound has to tell "not fetched yet" from "missing".
"""

from __future__ import annotations

import os
from pathlib import Path

_POINTER_START = b"/annex/objects/"
_POINTER_LIMIT = 32 * 1024
"""git-annex takes no larger file for a pointer."""


def annex_key(path: Path) -> str | None:
    """The annex key that `path` stands for, or None.

    Known for a locked file (a symlink into `.git/annex/objects`, read and never followed) and for an unlocked file
    whose content is absent (a small pointer file). An unlocked file with content looks like any other file: only git
    knows its key, so the answer is None.
    """
    if path.is_symlink():
        return _key_of_link(path)
    return _key_of_pointer(path)


def _key_of_link(path: Path) -> str | None:
    parts = path.readlink().parts
    in_annex = any(parts[i : i + 2] == ("annex", "objects") for i in range(len(parts) - 2))
    return parts[-1] if in_annex else None


def _key_of_pointer(path: Path) -> str | None:
    if not path.is_file() or path.stat().st_size > _POINTER_LIMIT or not os.access(path, os.R_OK):
        return None
    with path.open("rb") as handle:
        first_line = handle.read(_POINTER_LIMIT).split(b"\n", 1)[0]
    if not first_line.startswith(_POINTER_START):
        return None
    return os.fsdecode(first_line.rsplit(b"/", 1)[-1]) or None
