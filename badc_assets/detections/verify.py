"""What must hold for the results of a recording; each rule is an asset check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from badc_assets.chunks.manifest import read_manifest
from badc_assets.detections.store import read_result_status, read_table
from badc_assets.errors import BadcError
from badc_assets.layout import Layout

RULES = {
    "chunks_accounted_for": "unaccounted",
    "detections_inside_chunks": "outside_chunk",
    "confidence_in_range": "bad_confidence",
}
"""Asset check -> field of ResultProblems."""


@dataclass(frozen=True)
class ResultProblems:
    """Broken rules of one recording, a sentence each; empty strings where all is well."""

    unaccounted: str = ""
    outside_chunk: str = ""
    bad_confidence: str = ""


def result_problems(layout: Layout, recording_id: str) -> ResultProblems:
    """Compare detections and effort of a recording with its manifest and with themselves."""
    try:
        chunks = read_manifest(layout.manifest(recording_id))
        effort = read_table(layout.effort(recording_id)).to_pylist()
        found = read_table(layout.detections(recording_id)).to_pylist()
    except BadcError as error:
        return ResultProblems(unaccounted=error.problem)
    spans = {chunk.chunk_id: chunk for chunk in chunks}
    end_ms = chunks[-1].end_ms if chunks else 0
    outside = [
        row
        for row in found
        if (chunk := spans.get(row["chunk_id"])) is None
        or not chunk.start_ms <= row["absolute_time_ms"] <= chunk.end_ms
        or not row["absolute_time_ms"] <= row["absolute_end_ms"] <= end_ms
    ]
    wild = [row for row in found if row["confidence"] is None or not 0.0 <= row["confidence"] <= 1.0]
    return ResultProblems(
        unaccounted=_accounting(list(spans), effort, found),
        outside_chunk=f"{len(outside)} of {len(found)} detections lie outside their chunk" if outside else "",
        bad_confidence=f"{len(wild)} of {len(found)} confidences are not in 0..1" if wild else "",
    )


def _accounting(chunk_ids: list[str], effort: list[dict], found: list[dict]) -> str:
    accounted = [row["chunk_id"] for row in effort]
    if accounted != chunk_ids:
        return f"effort has {len(accounted)} chunks, the manifest {len(chunk_ids)}, or their order differs"
    if failed := [row for row in effort if row["status"] == "failed"]:
        return f"{len(failed)} of {len(effort)} chunks were not analysed: {failed[0]['error']}"
    if sum(row["detections"] for row in effort) != len(found):
        return "the effort rows count another number of detections than there are"
    return ""


def results_problems(layout: Layout, recording_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Check name -> recording id -> broken rule. Recordings that have not been analysed are left out."""
    broken: dict[str, dict[str, str]] = {name: {} for name in RULES}
    for recording_id in recording_ids:
        if read_result_status(layout, recording_id) is None:
            continue
        problems = result_problems(layout, recording_id)
        for check, rule in RULES.items():
            if text := getattr(problems, rule):
                broken[check][recording_id] = text
    return broken
