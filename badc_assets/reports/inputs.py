"""Whether the dataset-wide tables are about the present state of the recordings."""

from __future__ import annotations

from collections.abc import Iterable

from badc_assets.chunks.status import read_status
from badc_assets.detections.store import read_result_status
from badc_assets.files import stable_hash
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts


def inputs_digest(layout: Layout, recording_ids: Iterable[str]) -> str:
    """Changes when anything that the dataset-wide tables are made of does: facts, chunking states, results."""
    parts = []
    for recording_id in recording_ids:
        facts = read_facts(layout, recording_id)
        status = read_status(layout, recording_id)
        result = read_result_status(layout, recording_id)
        parts.append(
            (
                recording_id,
                stable_hash(facts.to_json()) if facts else "",
                (status.status, status.manifest_digest, status.error) if status else "",
                (result.status, result.key, result.error, result.finished_at) if result else "",
            )
        )
    return stable_hash(parts, length=32)
