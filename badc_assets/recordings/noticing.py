"""Changes that a sensor noticed, put into the catalogue: which recordings are concerned, and in which runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from badc_assets.layout import Layout
from badc_assets.recordings.changes import Change
from badc_assets.recordings.current import update_paths
from badc_assets.recordings.model import CatalogEntry

MOST_RANGES = 20
"""More runs than this for one page cost more than looking again at what lies between."""


@dataclass(frozen=True)
class Noticed:
    """What a page of changes means. `entries` are in the dataset and may have to be processed, in the order of their paths;
    `changed` are those of them that were there before, otherwise. `orphans` are gone, and their results are kept."""

    entries: tuple[CatalogEntry, ...]
    changed: tuple[CatalogEntry, ...]
    orphans: tuple[CatalogEntry, ...]
    moved_to: dict[str, str]

    def words(self, orphan: CatalogEntry) -> str:
        """What became of a recording that is gone."""
        new_id = self.moved_to.get(orphan.audio_path)
        return f"renamed to {new_id}" if new_id else "removed from the dataset"


def take_changes(layout: Layout, changes: Sequence[Change], readers: int) -> Noticed:
    """Look at the paths of some changes and bring the catalogue up to date for them; taking them again changes nothing.

    A change says where to look. What is there is what counts: the dataset may have moved on. Raises CatalogBusy during a scan.
    """
    paths = {path for change in changes for path in (change.path, change.former) if path}
    update = update_paths(layout, paths, readers, wait=False)
    gone_only = {each.path for each in changes if each.kind in ("removed", "dropped")}
    # By the page and not by the catalogue alone: that knows the change already when a page is taken again.
    stated = {each.path for each in changes if each.kind in ("changed", "arrived")}
    entries = tuple(e for e in update.entries if e.state != "vanished" and e.audio_path not in gone_only)
    return Noticed(
        entries=entries,
        changed=tuple(e for e in entries if e.audio_path in stated or e.recording_id in update.changed),
        orphans=tuple(e for e in update.entries if e.state == "vanished"),
        moved_to=update.moved_to,
    )


def ranges_of(order: Sequence[str], wanted: Iterable[str], most: int = MOST_RANGES) -> list[tuple[str, str]]:
    """(first, last) of the stretches of `order` that hold all of `wanted` and, where there are at most `most`, nothing else.

    Beyond that the nearest ones are joined. Keys that `order` lacks are left out.
    """
    names = set(wanted)
    positions = [position for position, key in enumerate(order) if key in names]
    gaps = [later - earlier for earlier, later in pairwise(positions)]
    widest = sorted((gap for gap in gaps if gap > 1), reverse=True)[: most - 1]
    ranges: list[list[int]] = []
    for index, position in enumerate(positions):
        gap = gaps[index - 1] if index else 0
        if index and (gap == 1 or gap not in widest):
            ranges[-1][1] = position
            continue
        if index:
            widest.remove(gap)
        ranges.append([position, position])
    return [(order[first], order[last]) for first, last in ranges]
