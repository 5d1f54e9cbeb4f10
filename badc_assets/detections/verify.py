"""What must hold for the results of a recording; each rule is an asset check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from badc_assets.chunks.manifest import Chunk, read_manifest
from badc_assets.chunks.status import read_status
from badc_assets.detections.store import read_result_status, read_table
from badc_assets.errors import BadcError
from badc_assets.layout import Layout

if TYPE_CHECKING:
    import pyarrow as pa

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
    if read_result_status(layout, recording_id) is None:
        return ResultProblems(unaccounted="it was chunked and has no results")
    try:
        chunks = read_manifest(layout.manifest(recording_id))
        effort = read_table(layout.effort(recording_id), ["chunk_id", "status", "detections", "error"])
        found = read_table(
            layout.detections(recording_id), ["chunk_id", "absolute_time_ms", "absolute_end_ms", "confidence"]
        )
    except BadcError as error:
        return ResultProblems(unaccounted=error.problem)
    outside = _outside(found, chunks)
    wild = sum(value is None or not 0.0 <= value <= 1.0 for value in found["confidence"].to_pylist())
    return ResultProblems(
        unaccounted=_accounting([chunk.chunk_id for chunk in chunks], effort, found.num_rows),
        outside_chunk=f"{outside} of {found.num_rows} detections lie outside their chunk" if outside else "",
        bad_confidence=f"{wild} of {found.num_rows} confidences are not in 0..1" if wild else "",
    )


def _outside(found: pa.Table, chunks: Sequence[Chunk]) -> int:
    """How many detections do not start in their chunk, or do not end within the recording."""
    spans = {chunk.chunk_id: (chunk.start_ms, chunk.end_ms) for chunk in chunks}
    end_ms = chunks[-1].end_ms if chunks else 0
    rows = zip(*(found[name].to_pylist() for name in ("chunk_id", "absolute_time_ms", "absolute_end_ms")), strict=True)
    return sum(
        not (chunk in spans and spans[chunk][0] <= start <= spans[chunk][1] and start <= end <= end_ms)
        for chunk, start, end in rows
    )


def _accounting(chunk_ids: list[str], effort: pa.Table, found: int) -> str:
    accounted = effort["chunk_id"].to_pylist()
    if accounted != chunk_ids:
        return f"effort has {len(accounted)} chunks, the manifest {len(chunk_ids)}, or their order differs"
    statuses = effort["status"].to_pylist()
    if "failed" in statuses:
        error = effort["error"][statuses.index("failed")].as_py()
        return f"{statuses.count('failed')} of {len(statuses)} chunks were not analysed: {error}"
    if sum(effort["detections"].to_pylist()) != found:
        return "the effort rows count another number of detections than there are"
    return ""


def results_problems(layout: Layout, recording_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Check name -> recording id -> broken rule. Recordings that have no completed chunks are left out."""
    broken: dict[str, dict[str, str]] = {name: {} for name in RULES}
    for recording_id in recording_ids:
        chunking = read_status(layout, recording_id)
        if chunking is None or chunking.status != "completed":
            continue
        problems = result_problems(layout, recording_id)
        for check, rule in RULES.items():
            if text := getattr(problems, rule):
                broken[check][recording_id] = text
    return broken
