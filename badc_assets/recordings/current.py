"""The catalogue and the facts on disk, brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from badc_assets.errors import BadcError
from badc_assets.files import PlaceTaken, exclusive
from badc_assets.layout import Layout
from badc_assets.recordings.catalog import Catalog, CatalogChange, read_catalog, scan_dataset, write_catalog
from badc_assets.recordings.facts import examine, write_facts
from badc_assets.recordings.model import Flag, RecordingFacts
from badc_assets.recordings.settings import RecordingSettings


def update_catalog(layout: Layout, progress: Callable[[int], None] | None = None) -> tuple[Catalog, CatalogChange]:
    """Scan the dataset, store the catalogue, and say what changed. One scan at a time."""
    with exclusive(layout.locks / "catalog.lock"):
        catalog, change = scan_dataset(layout, read_catalog(layout.catalog), progress)
        write_catalog(layout.catalog, catalog)
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
    """Examine recordings one after another and store their facts. Where they cannot be stored a fatal flag says why.

    Raises BadcError when one is not in the catalogue: then the catalogue is older than the partitions.
    """
    entries = require_catalog(layout).by_id()
    for recording_id in recording_ids:
        entry = entries.get(recording_id)
        if entry is None:
            raise BadcError(recording_id, "is not in the catalogue", "materialize recording_catalog first")
        facts = examine(layout, entry, settings)
        try:
            write_facts(layout, facts)
        except PlaceTaken as error:
            facts = replace(facts, flags=(*facts.flags, Flag("not_stored", "fatal", str(error))))
        yield facts
