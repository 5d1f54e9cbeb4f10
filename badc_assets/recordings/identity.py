"""What a recording is called, and what makes two files the same recording."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath

from badc_assets.provenance.annex import annex_key

MAX_ID_LENGTH = 150
SEPARATOR = "__"
UNREAD = "unread"
"""Stands for the sample hash of a file that could not be opened."""

_FORBIDDEN = re.compile(r"[^A-Za-z0-9._+-]")
_DOTS = re.compile(r"\.{2,}")
_SUFFIX = re.compile(r"-x[0-9a-f]{8}$")
_SUFFIX_LENGTH = 10
_SAMPLE_BYTES = 64 * 1024
_HASH_BLOCK_BYTES = 1 << 20


def recording_id(path: PurePosixPath) -> str:
    """The id of the sound file at `path` below the audio root: its folders and stem, joined by `__`.

    Only `[A-Za-z0-9._+-]` occur, at most 150 of them. A name that had to be altered ends in `-x` and 8 hex digits of
    its own hash, so different names keep different ids, and the same name the same id on every host. Altered are other
    characters, a leading `-` or `.`, a run of dots (Dagster forbids `...`), an overlong name, and whatever would make
    the `__` ambiguous or imitate such a suffix. The extension plays no part: see `with_suffix_id`.
    """
    parts = _stem_parts(path)
    text = SEPARATOR.join(parts)
    if _is_plain(text) and text.split(SEPARATOR) == parts:
        return text
    return _suffixed(text, "/".join(parts))


def with_suffix_id(path: PurePosixPath) -> str:
    """The id of a file that shares its name with another, such as a.wav and a.flac: its hash covers the extension."""
    return _suffixed(SEPARATOR.join(_stem_parts(path)), path.as_posix())


def has_suffix(identifier: str) -> bool:
    """Whether an id was altered, so that it is not its path in plain."""
    return _SUFFIX.search(identifier) is not None


def content_key(path: Path, stat: os.stat_result) -> str:
    """What identifies the content of the file: its annex key, else `STAT-s<bytes>-t<mtime in ns>-<16 hex digits>`.

    The digits are a hash of the first, middle and last 64 KiB. A hash of the whole file would read up to 60 TB once
    more, before the pass over the samples that has to read them anyway; that pass puts the sha256 of the samples in the
    manifest. A changed time with unchanged content costs one verification against it. `stat` is the file's own, links
    followed. A file that may not be read has the digits `unread`. Raises OSError when reading fails.
    """
    key = annex_key(path)
    if key is not None:
        return key
    return f"STAT-s{stat.st_size}-t{stat.st_mtime_ns}-{_sample_hash(path, stat.st_size)}"


def comparable_part(key: str) -> str | None:
    """The part of a content key that is equal for equal content, None where nothing can be said."""
    if not key.startswith("STAT-"):
        return key
    _, size, _, digest = key.split("-")
    return None if digest == UNREAD or size == "s0" else f"{size}-{digest}"


def same_content(path_a: Path, path_b: Path) -> bool:
    """Whether two files are equal, by the sha256 of each, read whole. False when one of them may not be read."""
    if not (os.access(path_a, os.R_OK) and os.access(path_b, os.R_OK)):
        return False
    if path_a.samefile(path_b):
        return True
    return path_a.stat().st_size == path_b.stat().st_size and _sha256(path_a) == _sha256(path_b)


def _stem_parts(path: PurePosixPath) -> list[str]:
    return [*path.parts[:-1], path.stem]


def _is_plain(text: str) -> bool:
    return (
        0 < len(text) <= MAX_ID_LENGTH
        and not _FORBIDDEN.search(text)
        and not _DOTS.search(text)
        and not _SUFFIX.search(text)
        and text[0] not in "-."
    )


def _suffixed(text: str, hashed: str) -> str:
    digest = hashlib.sha256(hashed.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    cleaned = _DOTS.sub("_", _FORBIDDEN.sub("_", text))[: MAX_ID_LENGTH - _SUFFIX_LENGTH]
    if cleaned.startswith(("-", ".")):
        cleaned = "_" + cleaned[1:]
    return f"{cleaned}-x{digest}"


def _sample_hash(path: Path, size: int) -> str:
    if not os.access(path, os.R_OK):
        return UNREAD
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        for start in (0, size // 2, max(size - _SAMPLE_BYTES, 0)):
            handle.seek(start)
            digest.update(handle.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:16]


def _sha256(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.digest()
