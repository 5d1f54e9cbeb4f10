"""What became of one recording: its row in the dataset-wide table, and its results when they may be counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from badc_assets.detections.schema import detection_schema, effort_schema
from badc_assets.detections.store import read_result_status, status_path
from badc_assets.detections.tables import encodable
from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts
from badc_assets.reports.parts import DETECTION_ORDER, EFFORT_ORDER, read_json_object, read_part

_FACTS = {
    "recording_id": pa.string(), "audio_path": pa.string(), "content_key": pa.string(), "size_bytes": pa.int64(),
    "container": pa.string(), "sample_format": pa.string(), "sample_rate_hz": pa.int64(), "channels": pa.int64(),
    "frames": pa.int64(), "duration_ms": pa.int64(), "site": pa.string(), "site_source": pa.string(),
    "start_local": pa.string(), "start_utc": pa.string(), "time_source": pa.string(),
}  # fmt: skip

_OUTCOME = {
    "status": pa.string(), "reason": pa.string(), "chunking": pa.string(), "chunking_error": pa.string(),
    "manifest_rows": pa.int64(), "results": pa.string(), "analysed_ms": pa.int64(), "failed_ms": pa.int64(),
    "stub_ms": pa.int64(), "failed_chunks": pa.int64(), "detections": pa.int64(), "outcome": pa.string(),
    "outcome_reason": pa.string(),
}  # fmt: skip


def recordings_schema() -> pa.Schema:
    """The table `recordings`: the facts, then what became of it.

    `status` is `ok`, `flagged`, `quarantined` or `unknown` (no facts); `chunking` the chunk status, null without one.
    `results` is `counted`, `none`, `unreadable`, or `set aside` (left from before the recording was quarantined).
    `analysed_ms` is null unless results are counted, and includes `stub_ms`. `outcome` is one of `analysed`,
    `partly analysed`, `failed`, `quarantined`, `not analysed`.
    """
    return pa.schema(list((_FACTS | _OUTCOME).items()))


@dataclass(frozen=True)
class Problem:
    """A file that could not be used: which, what is wrong, what to do. `file` is relative to the output folder."""

    file: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class RecordingOutcome:
    """A row of `recordings`, and the tables of a recording whose results count (both None otherwise)."""

    row: dict[str, Any]
    effort: pa.Table | None
    detections: pa.Table | None
    problems: tuple[Problem, ...]


def read_recording(layout: Layout, recording_id: str) -> RecordingOutcome:
    """Read facts, chunk status and results of one recording. What cannot be read is a problem, never an exception."""
    problems: list[Problem] = []
    facts = None
    try:
        facts = read_facts(layout, recording_id)
    except BadcError as error:
        problems.append(_problem(layout, error))
    chunking = _read_chunking(layout, recording_id, problems)
    is_quarantined = facts is not None and facts.status == "quarantined"
    results, effort, detections = _read_results(layout, recording_id, is_quarantined, problems)
    row: dict[str, Any] = {"recording_id": recording_id, "status": "unknown", "reason": "", "results": results}
    if facts is not None:
        row |= {name: _unicode(getattr(facts, name)) for name in _FACTS}
        row |= {"status": facts.status, "reason": _unicode(facts.reason)}
    row |= {name: _unicode(value) for name, value in chunking.items()}
    if effort is not None and detections is not None:
        row |= _effort_sums(effort) | {"detections": detections.num_rows}
    row["outcome"], row["outcome_reason"] = _outcome(row, effort, problems)
    return RecordingOutcome(row, effort, detections, tuple(problems))


def _read_chunking(layout: Layout, recording_id: str, problems: list[Problem]) -> dict[str, Any]:
    try:
        value = read_json_object(layout.chunk_status(recording_id), "remove it and chunk the recording again") or {}
    except BadcError as error:
        problems.append(_problem(layout, error))
        value = {}
    status, error_text, rows = value.get("status"), value.get("error"), value.get("manifest_rows")
    return {
        "chunking": status if isinstance(status, str) else None,
        "chunking_error": error_text if isinstance(error_text, str) else None,
        "manifest_rows": rows if isinstance(rows, int) else None,
    }


def _read_results(
    layout: Layout, recording_id: str, is_quarantined: bool, problems: list[Problem]
) -> tuple[str, pa.Table | None, pa.Table | None]:
    """Both tables or none: effort without its detections would look like silence.

    The status is written last; without it the two tables may be of different runs.
    """
    paths = (layout.effort(recording_id), layout.detections(recording_id))
    if not any(path.exists() or path.is_symlink() for path in paths):
        return "none", None, None
    if is_quarantined:
        return "set aside", None, None
    tables: list[pa.Table] = []
    for path, schema, order in zip(
        paths, (effort_schema(), detection_schema()), (EFFORT_ORDER, DETECTION_ORDER), strict=True
    ):
        try:
            tables.append(read_part(path, schema, recording_id, order))
        except BadcError as error:
            problems.append(_problem(layout, error))
    if len(tables) < 2:
        return "unreadable", None, None
    status = read_result_status(layout, recording_id)
    if status is None or status.detections != tables[1].num_rows:
        path = status_path(layout, recording_id)
        error = BadcError(
            path, "does not vouch for the results beside it", "run the detections of this recording again"
        )
        problems.append(_problem(layout, error))
        return "unreadable", None, None
    return "counted", tables[0], tables[1]


def _effort_sums(effort: pa.Table) -> dict[str, int]:
    rows = list(zip(effort["status"].to_pylist(), effort["effort_ms"].to_pylist(), strict=True))
    return {
        "analysed_ms": sum(ms or 0 for status, ms in rows if status != "failed"),
        "failed_ms": sum(ms or 0 for status, ms in rows if status == "failed"),
        "stub_ms": sum(ms or 0 for status, ms in rows if status == "stub"),
        "failed_chunks": sum(status == "failed" for status, _ in rows),
    }


def _outcome(row: dict[str, Any], effort: pa.Table | None, problems: list[Problem]) -> tuple[str, str]:
    """The one word for the recording, and the reason where there is one to give."""
    if row["status"] == "quarantined":
        return "quarantined", row["reason"]
    if row["results"] == "unreadable":
        return "failed", "; ".join(f"{p.file}: {p.problem}" for p in problems)
    if effort is None and row["chunking"] == "failed":
        return "failed", f"chunking: {row['chunking_error'] or 'no reason recorded'}"
    if effort is not None and row["failed_chunks"]:
        first = next((str(e) for e in effort["error"].to_pylist() if e), "no reason recorded")
        reason = f"{row['failed_chunks']} of {effort.num_rows} chunks failed: {first}"
        return ("partly analysed" if row["analysed_ms"] else "failed"), reason
    if effort is not None and row["analysed_ms"]:
        return "analysed", ""
    if row["status"] == "unknown":
        return "not analysed", "; ".join(f"{p.file}: {p.problem}" for p in problems) or "it has not been examined"
    if row["chunking"] == "completed":
        return "not analysed", "no detector has been run on it"
    return "not analysed", "chunking was not finished" if row["chunking"] else "it has not been chunked"


def _problem(layout: Layout, error: BadcError) -> Problem:
    prefix = f"{layout.output}/"
    return Problem(error.subject.removeprefix(prefix), error.problem.replace(prefix, ""), error.remedy)


def _unicode(value: object) -> object:
    return encodable(value) if isinstance(value, str) else value
