"""git-annex as a working tree shows it: keys and content, without asking git."""

from __future__ import annotations

import re
from pathlib import Path

from badc_assets.audio.annexed import annex_key

__all__ = ["annex_key", "has_content", "key_size_bytes"]

_SIZE_FIELD = re.compile(r"-s([0-9]+)(?:-|$)")


def has_content(path: Path) -> bool:
    """Whether the bytes of `path` are here: a locked file whose link leads somewhere, or a file that is no pointer.

    True for every ordinary file too; False for what does not exist. Starts no process.
    """
    if path.is_symlink():
        return path.is_file()
    return path.is_file() and annex_key(path) is None


def key_size_bytes(key: str) -> int | None:
    """The size that an annex key states (`SHA256E-s1234--...`), None when it states none (URL keys may not)."""
    found = _SIZE_FIELD.search(key.split("--", 1)[0])
    return int(found[1]) if found else None
