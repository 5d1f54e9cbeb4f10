"""The catalogue and the facts on disk, brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from badc_assets.errors import BadcError
from badc_assets.files import PlaceTaken, exclusive
from badc_assets.layout import Layout
from badc_assets.recordings.catalog import (
    Catalog,
    CatalogChange,
    are_as_catalogued,
    read_catalog,
    scan_dataset,
    write_catalog,
)
from badc_assets.recordings.catalog_file import read_some
from badc_assets.recordings.facts import examine, read_facts, write_facts
from badc_assets.recordings.model import CatalogEntry, Flag, RecordingFacts
from badc_assets.recordings.parallel import in_parallel
from badc_assets.recordings.place_time import load_declared
from badc_assets.recordings.scan_journal import ScanJournal
from badc_assets.recordings.settings import RecordingSettings
from badc_assets.recordings.walk import require_audio_folder

DEFAULT_READERS = RecordingSettings.model_fields["readers"].default


@contextmanager
def catalog_update(
    layout: Layout, progress: Callable[[int], None] | None = None, readers: int = DEFAULT_READERS
) -> Iterator[tuple[Catalog, CatalogChange]]:
    """Scan the dataset; the catalogue is stored when the block ends well. One scan at a time.

    So whatever must be told about a change is told before the change is forgotten. What a scan that was interrupted had read is
    not read again.
    """
    # Before the lock: it would create a mistyped dataset, which would then be found to be empty.
    require_audio_folder(layout.audio)
    with exclusive(layout.locks / "catalog.lock"):
        journal, is_done = ScanJournal(layout.catalog_journal), False
        try:
            catalog, change = scan_dataset(
                layout, read_catalog(layout.catalog), progress, readers=readers, journal=journal
            )
            yield catalog, change
            write_catalog(layout.catalog, catalog)
            is_done = True
        finally:
            journal.close(is_done=is_done)


class CatalogBusy(BadcError):
    """The catalogue is being brought up to date by another process."""


@dataclass(frozen=True)
class PathsUpdate:
    """What the catalogue has for some paths. `changed` are recordings with other content or another state than before;
    `moved_to` says by former path what renamed files are called now."""

    entries: tuple[CatalogEntry, ...]
    changed: tuple[str, ...]
    moved_to: dict[str, str]


def update_paths(
    layout: Layout, paths: Collection[str], readers: int = DEFAULT_READERS, *, wait: bool = True
) -> PathsUpdate:
    """Bring the catalogue up to date for these paths (relative to the dataset) alone. Where they are as the catalogue has
    them, the others are not even read.

    Raises CatalogBusy when `wait` is off and a scan is under way.
    """
    require_audio_folder(layout.audio)
    wanted = frozenset(paths)
    with exclusive(layout.locks / "catalog.lock", wait=wait) as is_ours:
        if not is_ours:
            raise CatalogBusy(layout.catalog, "a scan is under way", "wait until it has ended")
        some = read_some(layout.catalog, wanted)
        if some is not None and are_as_catalogued(layout, some, wanted):
            return _paths_update(some, wanted, ())
        previous = read_catalog(layout.catalog)
        catalog, change = scan_dataset(layout, previous, readers=readers, only=wanted)
        if catalog != previous:
            write_catalog(layout.catalog, catalog)
        return _paths_update(catalog.entries, wanted, change.changed)


def _paths_update(entries: Iterable[CatalogEntry], paths: frozenset[str], changed: tuple[str, ...]) -> PathsUpdate:
    entries = tuple(entries)
    return PathsUpdate(
        tuple(sorted((e for e in entries if e.audio_path in paths), key=lambda entry: entry.audio_path)),
        changed,
        {e.moved_from: e.recording_id for e in entries if e.moved_from in paths and e.state != "vanished"},
    )


def update_catalog(layout: Layout, readers: int = DEFAULT_READERS) -> tuple[Catalog, CatalogChange]:
    """Scan the dataset, store the catalogue, and say what changed."""
    with catalog_update(layout, readers=readers) as (catalog, change):
        return catalog, change


def require_catalog(layout: Layout) -> Catalog:
    """The stored catalogue. Raises BadcError when there is none."""
    catalog = read_catalog(layout.catalog)
    if catalog is None:
        raise BadcError(layout.catalog, "there is no catalogue", "materialize recording_catalog first")
    return catalog


def examine_recordings(
    layout: Layout, recording_ids: Iterable[str], settings: RecordingSettings
) -> Iterator[RecordingFacts]:
    """Examine recordings and store their facts, in order, several at the same time. Where they cannot be stored a fatal flag
    says why.

    Raises BadcError when one is not in the catalogue (then the catalogue is older than the partitions), or when the declared
    templates or deployments cannot be read.
    """
    entries = require_catalog(layout).by_id()
    declared = load_declared(settings)

    def examined(recording_id: str) -> RecordingFacts:
        entry = entries.get(recording_id)
        if entry is None:
            raise BadcError(recording_id, "is not in the catalogue", "materialize recording_catalog first")
        former = read_facts(layout, recording_id)
        facts = examine(layout, entry, settings, declared, former)
        if facts == former:
            return facts
        try:
            write_facts(layout, facts)
        except PlaceTaken as error:
            facts = replace(facts, flags=(*facts.flags, Flag("not_stored", "fatal", str(error))))
        return facts

    yield from in_parallel(examined, recording_ids, settings.readers)
