"""The content of recordings: fetched in bulk before they are processed, dropped afterwards where that is wanted."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from badc_assets.files import exclusive, write_json
from badc_assets.layout import Layout
from badc_assets.provenance.annex import has_content
from badc_assets.provenance.content import content_bytes, drop_content, get_content
from badc_assets.provenance.git import is_repository
from badc_assets.provenance.subdatasets import by_repository, subdatasets
from badc_assets.recordings.content_settings import ContentSettings
from badc_assets.recordings.current import update_paths
from badc_assets.recordings.model import CatalogEntry

OVER_BUDGET = "there is no room for it now (content.disk_budget_gb, content.keep_free_gb)"
RETRY_S = 24 * 3600.0
"""A recording that could not be fetched is asked for again by itself after this time."""

Say = Callable[[str], None]
_SAY_EVERY_S = 15.0


@dataclass(frozen=True)
class Fetched:
    """What fetching did. `problems`: recording id -> why its content is not here."""

    recordings: int
    size_bytes: int
    problems: dict[str, str]


@dataclass(frozen=True)
class Dropped:
    """What dropping did. `kept`: recording id -> why git-annex kept its content."""

    recordings: tuple[str, ...]
    kept: dict[str, str]


def fetch_content(layout: Layout, entries: Sequence[CatalogEntry], settings: ContentSettings, say: Say) -> Fetched:
    """Fetch the recordings whose content is not here, as far as there is room, and bring the catalogue up to date for them.

    One caller at a time, so that the budget holds for all of them. What cannot be fetched stays missing, with the reason; it is
    remembered (see `not_fetched`). Raises BadcError when git-annex is not installed.
    """
    with exclusive(layout.locks / "content.lock"):
        missing = [entry for entry in entries if not has_content(layout.source(entry.audio_path))]
        if not missing:
            return Fetched(0, 0, {})
        chosen = fitting([entry.size_bytes for entry in missing], room_bytes(layout, settings))
        wanted = {missing[position].audio_path: missing[position] for position in chosen}
        reasons = {entry.audio_path: OVER_BUDGET for entry in missing if entry.audio_path not in wanted}
        reasons |= _get(layout, wanted, settings, say)
        fetched = [e for path, e in wanted.items() if has_content(layout.source(path))]
        for path in wanted.keys() - {entry.audio_path for entry in fetched}:
            reasons.setdefault(path, "git-annex did not fetch it and gives no reason")
        _remember(layout, reasons, {entry.audio_path for entry in fetched})
    if fetched:
        update_paths(layout, [entry.audio_path for entry in fetched])
    problems = {entry.recording_id: reasons[entry.audio_path] for entry in missing if entry.audio_path in reasons}
    return Fetched(len(fetched), sum(entry.size_bytes for entry in fetched), problems)


def drop_recordings(layout: Layout, entries: Iterable[CatalogEntry], settings: ContentSettings) -> Dropped:
    """Drop the content of recordings, where git-annex allows it, and bring the catalogue up to date for them.

    Recordings that are not annexed are left alone.
    """
    by_path = {e.audio_path: e for e in entries if not e.content_key.startswith("STAT-")}
    dropped, kept = [], {}
    for prefix, paths in _by_repository(layout, by_path).items():
        for transfer in drop_content(layout.dataset / prefix, paths, jobs=settings.jobs):
            entry = by_path[_whole(prefix, transfer.path)]
            if transfer.is_done:
                dropped.append(entry)
            else:
                kept[entry.recording_id] = transfer.problem
    if dropped:
        update_paths(layout, [entry.audio_path for entry in dropped])
    return Dropped(tuple(entry.recording_id for entry in dropped), kept)


def room_bytes(layout: Layout, settings: ContentSettings) -> int:
    """How many bytes may still be fetched: what is left of the budget, and of the disk."""
    room = shutil.disk_usage(layout.dataset).free - settings.keep_free_bytes
    if settings.budget_bytes is not None:
        here = sum(content_bytes(layout.dataset / prefix) for prefix in ("", *_installed(layout)))
        room = min(room, settings.budget_bytes - here)
    return max(room, 0)


def fitting(sizes: Sequence[int], room: int) -> list[int]:
    """Positions of the sizes that fit into `room` one after another; one that does not fit is passed over."""
    chosen = []
    for position, size in enumerate(sizes):
        if size <= room:
            chosen.append(position)
            room -= size
    return chosen


def not_fetched(layout: Layout) -> dict[str, tuple[float, str]]:
    """Path -> (time, reason) of the recordings that could not be fetched when that was last tried."""
    file = layout.noticed_dir / "not_fetched.json"
    if not file.is_file():
        return {}
    try:
        return {str(path): (float(when), str(reason)) for path, (when, reason) in json.loads(file.read_bytes()).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def worth_trying(
    entries: Iterable[CatalogEntry], failures: dict[str, tuple[float, str]], room: int, most: int, now_s: float
) -> list[CatalogEntry]:
    """Recordings without content that can be fetched now: there is room, and they did not fail in the last day."""
    candidates = []
    for entry in entries:
        when, reason = failures.get(entry.audio_path, (0.0, OVER_BUDGET))
        if entry.state == "content_missing" and (reason == OVER_BUDGET or now_s - when > RETRY_S):
            candidates.append(entry)
    chosen = fitting([entry.size_bytes for entry in candidates], room)
    return [candidates[position] for position in chosen[:most]]


def _get(layout: Layout, wanted: dict[str, CatalogEntry], settings: ContentSettings, say: Say) -> dict[str, str]:
    """Path -> reason of those that git-annex could not get."""
    total = sum(entry.size_bytes for entry in wanted.values())
    problems: dict[str, str] = {}
    here: dict[str, int] = {}
    last_said = time.monotonic()

    def report(path: str, size_bytes: int) -> None:
        nonlocal last_said
        here[path] = size_bytes
        if time.monotonic() - last_said >= _SAY_EVERY_S:
            last_said = time.monotonic()
            say(f"fetching {len(wanted)} recordings: {sum(here.values()) / 1e9:.2f} of {total / 1e9:.2f} GB are here")

    for prefix, paths in _by_repository(layout, wanted).items():
        repository = layout.dataset / prefix
        if not is_repository(repository):
            problems |= {_whole(prefix, path): "it is in no git-annex repository" for path in paths}
            continue
        for transfer in get_content(
            repository,
            paths,
            jobs=settings.jobs,
            progress=lambda path, size, _, p=prefix: report(_whole(p, path), size),
        ):
            path = _whole(prefix, transfer.path)
            if transfer.problem:
                problems[path] = transfer.problem
            elif path in wanted:
                report(path, wanted[path].size_bytes)
    return problems


def _remember(layout: Layout, reasons: dict[str, str], fetched: set[str]) -> None:
    before = not_fetched(layout)
    after = {path: value for path, value in before.items() if path not in fetched}
    after |= {path: (time.time(), reason) for path, reason in reasons.items()}
    if after != before:
        write_json(layout.noticed_dir / "not_fetched.json", after, indent=None)


def _installed(layout: Layout) -> list[str]:
    return [found.path for found in subdatasets(layout.dataset) if found.is_installed]


def _by_repository(layout: Layout, paths: Iterable[str]) -> dict[str, list[str]]:
    return by_repository(paths, _installed(layout))


def _whole(prefix: str, path: str) -> str:
    return f"{prefix}/{path}" if prefix else path
