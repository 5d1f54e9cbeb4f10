"""What became of one recording: its row in the dataset-wide table, and its results when they count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from badc_assets.chunks.quality.file import RecordingQuality
from badc_assets.detections.store import status_path
from badc_assets.detections.tables import encodable
from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.reports.counting import STALE_REASON, Evidence
from badc_assets.reports.parts import read_detections, read_effort, with_facts
from badc_assets.reports.sound import RECORDING_COLUMNS, chunk_rows, recording_columns, stored_quality

_FACTS = {
    "recording_id": pa.string(), "audio_path": pa.string(), "content_key": pa.string(), "size_bytes": pa.int64(),
    "container": pa.string(), "sample_format": pa.string(), "sample_rate_hz": pa.int64(), "channels": pa.int64(),
    "frames": pa.int64(), "duration_ms": pa.int64(), "study_area": pa.string(), "study_area_source": pa.string(),
    "site": pa.string(), "site_source": pa.string(), "deployment": pa.string(), "deployment_source": pa.string(),
    "side": pa.string(), "side_source": pa.string(), "recorder": pa.string(), "recorder_source": pa.string(),
    "serial": pa.string(), "serial_source": pa.string(), "start_local": pa.string(), "start_utc": pa.string(),
    "time_source": pa.string(), "zone": pa.string(), "zone_source": pa.string(), "clock_offset_s": pa.float64(),
    "clock_offset_source": pa.string(), "latitude": pa.float64(), "longitude": pa.float64(),
    "coordinates_source": pa.string(), "gain": pa.string(), "gain_source": pa.string(), "battery_v": pa.float64(),
    "battery_v_source": pa.string(), "temperature_c": pa.float64(), "temperature_c_source": pa.string(),
    "sun_elevation_deg": pa.float64(), "sunrise_utc": pa.string(), "sunset_utc": pa.string(), "diel_phase": pa.string(),
    "sun_reason": pa.string(), "template": pa.string(),
}  # fmt: skip

_OUTCOME = {
    "state": pa.string(), "moved_to": pa.string(), "status": pa.string(), "reason": pa.string(),
    "chunking": pa.string(), "chunking_error": pa.string(), "manifest_rows": pa.int64(), "results": pa.string(),
    "analysed_ms": pa.int64(), "failed_ms": pa.int64(), "unusable_ms": pa.int64(), "stub_ms": pa.int64(),
    "failed_chunks": pa.int64(), "detections": pa.int64(), "outcome": pa.string(), "outcome_reason": pa.string(),
}  # fmt: skip


def recordings_schema() -> pa.Schema:
    """The table `recordings`: the facts, then what became of it, then the numbers of its sound.

    `state` is the catalogue's: `present`, `content_missing`, `vanished`; `moved_to` the path under which a vanished one is
    counted, null otherwise. `status` is `ok`, `flagged`, `quarantined` or `unknown` (no facts); `chunking` the chunk
    status, null without one. `results` is explained in `reports.counting`. `analysed_ms` is null unless results count,
    and includes `stub_ms`; `unusable_ms` is the time of chunks whose sound is quarantined, which no other counts. `outcome`
    is one of `analysed`, `partly analysed`, `failed`, `quarantined`, `not analysed`, `moved`. `duration_ms` is that of the
    results where they count and the sound is not here to be measured.
    """
    return pa.schema(list((_FACTS | _OUTCOME | RECORDING_COLUMNS).items()))


NOT_ANALYSED = ("failed", "unusable")
"""What `effort.status` says of time in which nothing can be known to be silent."""


@dataclass(frozen=True)
class Problem:
    """A file that could not be used: which, what is wrong, what to do. `file` is relative to the output folder."""

    file: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class RecordingOutcome:
    """A row of `recordings`, the tables of a recording whose results count (both None otherwise), and the quality of its chunks
    (None where they were not read)."""

    row: dict[str, Any]
    effort: pa.Table | None
    detections: pa.Table | None
    chunk_quality: pa.Table | None
    problems: tuple[Problem, ...]


def recording_outcome(layout: Layout, evidence: Evidence) -> RecordingOutcome:
    """The row of one recording, and its results if they count. What cannot be read is a problem, never an exception."""
    problems = _damaged_files(layout, evidence)
    row = _known_columns(evidence)
    quality = _quality(layout, evidence, problems)
    if quality is not None:
        row |= recording_columns(quality)
    effort = detections = None
    if evidence.has_effort or evidence.results == "unreadable":
        tables = _read_tables(layout, evidence, problems)
        if tables is None:
            row["results"] = "unreadable"
        elif evidence.facts is not None:
            effort = _without_unusable(tables[0], quality)
            detections = with_facts(tables[1], evidence.facts)
            row |= _effort_sums(effort) | {"detections": detections.num_rows}
    row["outcome"], row["outcome_reason"] = _outcome(evidence, row, effort, problems)
    chunk_quality = chunk_rows(evidence.entry.recording_id, quality) if quality is not None else None
    return RecordingOutcome(row, effort, detections, chunk_quality, tuple(problems))


def _damaged_files(layout: Layout, evidence: Evidence) -> list[Problem]:
    """Files that are there and of which nothing could be read."""
    recording_id = evidence.entry.recording_id
    files = (
        (evidence.facts, layout.facts(recording_id), "examine the recording again"),
        (evidence.chunking, layout.chunk_status(recording_id), "chunk the recording again"),
    )
    return [
        _problem(layout, BadcError(path, "is damaged", remedy))
        for found, path, remedy in files
        if found is None and path.exists()
    ]


def _known_columns(evidence: Evidence) -> dict[str, Any]:
    """What the row says before the results are looked into."""
    entry, facts, chunking, result = evidence.entry, evidence.facts, evidence.chunking, evidence.result
    row: dict[str, Any] = {
        "recording_id": entry.recording_id,
        "audio_path": entry.audio_path,
        "state": entry.state,
        "moved_to": evidence.moved_to or None,
        "status": "unknown",
        "reason": "",
        "results": evidence.results,
    }
    if facts is not None:
        row |= {name: getattr(facts, name) for name in _FACTS}
        row |= {"status": evidence.status, "reason": evidence.reason}
        if facts.duration_ms is None and evidence.has_effort and result is not None:
            row["duration_ms"] = result.audio_ms
    if chunking is not None:
        row |= {
            "chunking": chunking.status,
            "chunking_error": chunking.error,
            "manifest_rows": chunking.manifest_rows,
        }
    return {name: encodable(value) if isinstance(value, str) else value for name, value in row.items()}


def _read_tables(layout: Layout, evidence: Evidence, problems: list[Problem]) -> tuple[pa.Table, pa.Table] | None:
    """Effort and detections, both or none: effort without its detections would look like silence.

    The status is written last; without it the two tables may be of different runs.
    """
    recording_id, result = evidence.entry.recording_id, evidence.result
    tables: list[pa.Table] = []
    for read in (read_effort, read_detections):
        try:
            tables.append(read(layout, recording_id))
        except BadcError as error:
            problems.append(_problem(layout, error))
    if len(tables) < 2:
        return None
    if result is None or result.detections != tables[1].num_rows:
        path = status_path(layout, recording_id)
        error = BadcError(
            path, "does not vouch for the results beside it", "run the detections of this recording again"
        )
        problems.append(_problem(layout, error))
        return None
    return tables[0], tables[1]


def _quality(layout: Layout, evidence: Evidence, problems: list[Problem]) -> RecordingQuality | None:
    """The numbers of the content that the facts name; None where it was not read."""
    if evidence.sound is None:
        return None
    found = stored_quality(layout, evidence.entry.recording_id)
    if isinstance(found, BadcError):
        problems.append(_problem(layout, found))
        return None
    return found


def _without_unusable(effort: pa.Table, quality: RecordingQuality | None) -> pa.Table:
    """Effort in which quarantined chunks have the status `unusable`: that nothing was found there says nothing."""
    if quality is None or not quality.unusable:
        return effort
    pairs = zip(effort["chunk_id"].to_pylist(), effort["status"].to_pylist(), strict=True)
    statuses = ["unusable" if chunk in quality.unusable else status for chunk, status in pairs]
    return effort.set_column(effort.schema.get_field_index("status"), "status", pa.array(statuses, pa.string()))


def _effort_sums(effort: pa.Table) -> dict[str, int]:
    rows = list(zip(effort["status"].to_pylist(), effort["effort_ms"].to_pylist(), strict=True))
    return {
        "analysed_ms": sum(ms or 0 for status, ms in rows if status not in NOT_ANALYSED),
        "failed_ms": sum(ms or 0 for status, ms in rows if status == "failed"),
        "unusable_ms": sum(ms or 0 for status, ms in rows if status == "unusable"),
        "stub_ms": sum(ms or 0 for status, ms in rows if status == "stub"),
        "failed_chunks": sum(status == "failed" for status, _ in rows),
    }


def _outcome(
    evidence: Evidence, row: dict[str, Any], effort: pa.Table | None, problems: list[Problem]
) -> tuple[str, str]:
    """The one word for the recording, and the reason where there is one to give."""
    if evidence.moved_to:
        return "moved", f"is now {row['moved_to']}, and is counted there"
    if evidence.is_barred:
        return "quarantined", row["reason"]
    if row["results"] == "unreadable":
        return "failed", _in_words(problems)
    if effort is not None:
        return _analysis_outcome(evidence, row, effort)
    if evidence.is_awaited:
        return "not analysed", row["reason"]
    if row["status"] == "quarantined":
        return "quarantined", row["reason"]
    if evidence.chunking is not None and evidence.chunking.status == "failed":
        return "failed", f"chunking: {row['chunking_error'] or 'no reason recorded'}"
    return "not analysed", _missing_step(evidence, problems)


def _analysis_outcome(evidence: Evidence, row: dict[str, Any], effort: pa.Table) -> tuple[str, str]:
    failed, is_failed = row["failed_chunks"], evidence.results == "failed"
    if not failed and not is_failed:
        return "analysed", ""
    first = next((str(error) for error in effort["error"].to_pylist() if error), None)
    if first is None and evidence.result is not None:
        first = evidence.result.error
    reason = f"{failed} of {effort.num_rows} chunks failed: {first or 'no reason recorded'}"
    return ("partly analysed" if 0 < failed < effort.num_rows else "failed"), reason


def _missing_step(evidence: Evidence, problems: list[Problem]) -> str:
    """What would have to be done for the recording to be analysed."""
    if evidence.facts is None:
        return _in_words(problems) or "it has not been examined"
    if evidence.results == "stale":
        return STALE_REASON
    if evidence.entry.state == "vanished":
        return "it is gone from the dataset"
    if evidence.chunking is None:
        return "it has not been chunked"
    return "no detector has been run on it" if evidence.chunking.status == "completed" else "chunking was not finished"


def _in_words(problems: list[Problem]) -> str:
    return "; ".join(f"{problem.file}: {problem.problem}" for problem in problems)


def _problem(layout: Layout, error: BadcError) -> Problem:
    prefix = f"{layout.output}/"
    return Problem(error.subject.removeprefix(prefix), error.problem.replace(prefix, ""), error.remedy)
