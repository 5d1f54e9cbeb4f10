"""Which recordings of a dataset are here, which are not, and which are gone and have left results."""

from __future__ import annotations

from dataclasses import dataclass

from badc_assets.layout import Layout
from badc_assets.provenance.annex import has_content
from badc_assets.recordings.catalog import read_catalog
from badc_assets.recordings.content import not_fetched
from badc_assets.recordings.outside import not_installed
from badc_assets.recordings.walk import DatasetWalk


@dataclass(frozen=True)
class ContentStatus:
    """`counts` by state. The others are one line each: what is missing (and why it was not fetched), orphaned, not installed."""

    counts: dict[str, int]
    missing: tuple[str, ...]
    orphaned: tuple[str, ...]
    not_installed: tuple[str, ...]


def content_status(layout: Layout) -> ContentStatus:
    """Look at all files now; nothing is opened as sound, nothing is written. What is gone is known from the catalogue."""
    catalog = read_catalog(layout.catalog)
    entries = catalog.entries if catalog is not None else ()
    reasons = not_fetched(layout)
    seen = [found.audio_path for found in DatasetWalk(layout).files()]
    missing = [path for path in seen if not has_content(layout.source(path))]
    folders = not_installed(layout)
    known = frozenset(seen)
    elsewhere = [e for e in entries if e.audio_path not in known]
    orphans = [e for e in elsewhere if not e.audio_path.startswith(folders)]
    counts = {"present": len(seen) - len(missing)}
    missing += [e.audio_path for e in elsewhere if e.audio_path.startswith(folders)]
    with_results = [e for e in orphans if layout.detections(e.recording_id).is_file()]
    moved_to = {e.moved_from: e.audio_path for e in entries if e.moved_from}
    return ContentStatus(
        {**counts, "content_missing": len(missing), "gone": len(orphans)},
        tuple(f"{path}{_because(reasons.get(path))}" for path in sorted(missing)),
        tuple(f"{e.recording_id} ({_whereto(moved_to.get(e.audio_path))})" for e in with_results),
        folders,
    )


def _whereto(path: str | None) -> str:
    return f"renamed to {path}" if path else "removed"


def _because(failure: tuple[float, str] | None) -> str:
    return f" ({failure[1]})" if failure is not None else ""
