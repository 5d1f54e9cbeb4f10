"""Which recordings have no results for their present state."""

from __future__ import annotations

from collections.abc import Iterable

from badc_assets.chunks.gate import NotChunked, chunks_for_inference
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.detections.store import read_result_status
from badc_assets.detectors.protocol import DetectorInfo
from badc_assets.inference.engine import result_key
from badc_assets.inference.settings import InferenceSettings
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts
from badc_assets.recordings.model import CatalogEntry


def outstanding(
    layout: Layout,
    entries: Iterable[CatalogEntry],
    chunking: ChunkSettings,
    detector: DetectorInfo,
    inference: InferenceSettings,
) -> set[str]:
    """Ids of the recordings that are in the dataset, and were never analysed, changed since, or failed."""

    def is_current(entry: CatalogEntry) -> bool:
        facts = read_facts(layout, entry.recording_id)
        result = read_result_status(layout, entry.recording_id)
        if facts is None or result is None or not result.is_complete or facts.content_key != entry.content_key:
            return False
        try:
            chunks = chunks_for_inference(
                layout, entry.recording_id, chunking, allow_partial=inference.allow_partial_chunks
            )
        except NotChunked:
            return False
        return result.key == result_key(chunks, detector, inference)

    return {entry.recording_id for entry in entries if entry.state != "vanished" and not is_current(entry)}
