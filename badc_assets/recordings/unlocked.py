"""Unlocked annexed files in a walk: with their annex key they stay the same recording when their content is dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from badc_assets.layout import Layout
from badc_assets.provenance.git import is_repository
from badc_assets.provenance.subdatasets import subdatasets
from badc_assets.provenance.unlocked import is_of_size, unlocked_keys
from badc_assets.recordings.walk import FoundFile, audio_prefix


def with_unlocked_keys(layout: Layout, files: Iterable[FoundFile]) -> Iterator[FoundFile]:
    """The files, with the key of those that are unlocked. git is asked once, when the first file comes that may be one."""
    is_annexed = (layout.dataset / ".git/annex").is_dir() or (layout.dataset / ".gitmodules").is_file()
    keys: dict[str, str] | None = None
    for found in files:
        if not is_annexed or found.annex_key is not None or found.status is None:
            yield found
            continue
        if keys is None:
            keys = _all_keys(layout)
        key = keys.get(found.audio_path)
        is_known = key is not None and is_of_size(key, found.size_bytes)
        is_link = layout.source(found.audio_path).is_symlink()
        yield replace(found, annex_key=key) if is_known and not is_link else found


def _all_keys(layout: Layout) -> dict[str, str]:
    audio = audio_prefix(layout)
    prefixes = ["", *(f"{found.path}/" for found in subdatasets(layout.dataset) if found.is_installed)]
    keys: dict[str, str] = {}
    for prefix in prefixes:
        below = audio[len(prefix) :].rstrip("/") if audio.startswith(prefix) else ""
        repository = layout.dataset / prefix
        if (audio.startswith(prefix) or prefix.startswith(audio)) and is_repository(repository):
            keys |= {prefix + path: key for path, key in unlocked_keys(repository, below).items()}
    return keys
