"""Which recordings have no results for their present state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from badc_assets.chunks.gate import NotChunked, chunks_for_inference
from badc_assets.detections.store import read_result_status
from badc_assets.inference.keys import result_keys
from badc_assets.inference.opening import Wanted
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts
from badc_assets.recordings.model import CatalogEntry, RecordingFacts
from badc_assets.recordings.settings import RecordingSettings


@dataclass(frozen=True)
class Outstanding:
    """Recordings that are in the dataset: those with work to do, and those that are quarantined and have not changed since."""

    open: frozenset[str]
    unusable: frozenset[str]


def outstanding(
    layout: Layout, entries: Iterable[CatalogEntry], recordings: RecordingSettings, wanted: Wanted
) -> Outstanding:
    """What was never analysed, changed since, was made with other settings, or failed."""
    to_do, unusable = set(), set()
    for entry in entries:
        if entry.state == "vanished":
            continue
        facts = read_facts(layout, entry.recording_id)
        if facts is None or not is_about(facts, entry, recordings):
            to_do.add(entry.recording_id)
        elif not has_results(layout, entry.recording_id, wanted):
            (unusable if facts.status == "quarantined" else to_do).add(entry.recording_id)
    return Outstanding(frozenset(to_do), frozenset(unusable))


def is_about(facts: RecordingFacts, entry: CatalogEntry, settings: RecordingSettings) -> bool:
    """Whether the facts are about the present state of the file."""
    return (
        facts.content_key == entry.content_key
        and facts.settings_digest == settings.digest
        and facts.is_absent == (entry.state != "present")
    )


def has_results(layout: Layout, recording_id: str, wanted: Wanted) -> bool:
    """Whether a recording has complete results that are made as is wanted, whether its sound is here or not."""
    result = read_result_status(layout, recording_id)
    if result is None or not result.is_complete:
        return False
    try:
        chunks = chunks_for_inference(
            layout, recording_id, wanted.chunking, allow_partial=wanted.inference.allow_partial_chunks
        )
    except NotChunked:
        return False
    return result.key == result_keys(chunks, wanted.detector, wanted.inference, wanted.rules).result
