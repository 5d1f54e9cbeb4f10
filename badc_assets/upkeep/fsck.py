"""Whether everything that is stored agrees: manifests with sound, results with manifests, dataset-wide tables with results.

Fast mode reads status files, manifests and the table of recordings. Full mode also reads all sound that is here, and all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from badc_assets.chunks.manifest import manifest_digest, read_manifest
from badc_assets.chunks.verify import manifest_mismatches
from badc_assets.detections.verify import result_problems
from badc_assets.errors import BadcError
from badc_assets.files import exclusive
from badc_assets.layout import Layout
from badc_assets.provenance.annex import has_content
from badc_assets.recordings.current import require_catalog
from badc_assets.recordings.facts import has_changed
from badc_assets.recordings.model import CatalogEntry
from badc_assets.recordings.parallel import in_parallel
from badc_assets.reports.counting import Evidence, read_evidence
from badc_assets.upkeep.findings import Finding
from badc_assets.upkeep.strays import strays
from badc_assets.upkeep.tables import TableRows

PROGRESS_EVERY = 1_000


@dataclass(frozen=True)
class FsckResult:
    """What was looked at, and what was found."""

    is_full: bool
    recordings: int
    findings: tuple[Finding, ...]

    @property
    def damage(self) -> tuple[Finding, ...]:
        """What contradicts something else."""
        return tuple(finding for finding in self.findings if finding.is_damage)

    @property
    def notices(self) -> tuple[Finding, ...]:
        """What is worth knowing and in order: content that is not here, orphans, tables that wait for their turn."""
        return tuple(finding for finding in self.findings if not finding.is_damage)


def fsck(
    layout: Layout, *, is_full: bool, readers: int = 8, progress: Callable[[int], None] = lambda _: None
) -> FsckResult:
    """Look through the dataset; changes nothing. `readers` recordings at a time; `progress` gets the number that is done.

    What a run is writing at this moment is left alone. Raises BadcError when there is no catalogue.
    """
    entries = require_catalog(layout).entries
    tables = TableRows.read(layout)
    found = list(tables.problems)
    count = 0

    def look(evidence: Evidence) -> tuple[Evidence, list[Finding]]:
        return evidence, list(_recording(layout, evidence, is_full=is_full))

    for count, (evidence, findings) in enumerate(in_parallel(look, read_evidence(layout, entries), readers), start=1):
        found += findings
        tables.compare(evidence)
        if count % PROGRESS_EVERY == 0:
            progress(count)
    progress(count)
    found += tables.findings(is_full=is_full)
    found += strays(layout, {entry.recording_id for entry in entries})
    return FsckResult(is_full, count, tuple(found))


def _recording(layout: Layout, evidence: Evidence, *, is_full: bool) -> Iterator[Finding]:
    yield from _content(layout, evidence.entry)
    yield from _manifest(layout, evidence, is_full=is_full)
    yield from _results(layout, evidence, is_full=is_full)


def _content(layout: Layout, entry: CatalogEntry) -> Iterator[Finding]:
    if entry.state == "content_missing":
        yield Finding(
            "content_present",
            "notice",
            entry.recording_id,
            "its sound has not been fetched",
            "fetch it with `datalad get`",
        )
    elif entry.state == "present" and not has_content(layout.source(entry.audio_path)):
        yield Finding(
            "content_present",
            "notice",
            entry.recording_id,
            "its sound is not here, though the catalogue says so",
            "materialize recording_catalog",
        )


def _manifest(layout: Layout, evidence: Evidence, *, is_full: bool) -> Iterator[Finding]:
    """The manifest against its status, and in full mode against the sound that it was made from."""
    status, recording_id = evidence.chunking, evidence.entry.recording_id
    if status is None or status.status != "completed":
        return
    again = "materialize chunk_manifest and chunk_status for it again"
    try:
        chunks = read_manifest(layout.manifest(recording_id))
    except BadcError as error:
        yield Finding("manifest_intact", "damage", recording_id, error.problem, again)
        return
    if manifest_digest(chunks) != status.manifest_digest:
        yield Finding("manifest_intact", "damage", recording_id, "its manifest was changed after chunking", again)
        return
    facts = evidence.facts
    is_same_sound = facts is not None and facts.content_key == status.content_key and not facts.is_absent
    if not is_full or not is_same_sound or not has_content(layout.source(evidence.entry.audio_path)):
        return
    if facts is not None and has_changed(layout, facts):
        problem = "its file was changed or touched since it was chunked"
        yield Finding("manifest_matches_sound", "notice", recording_id, problem, "materialize recording_catalog")
    mismatches = manifest_mismatches(layout, recording_id)
    if mismatches:
        problem = f"{len(mismatches)} of {len(chunks)} chunks differ from the sound, first {mismatches[0]}"
        yield Finding(
            "manifest_matches_sound", "damage", recording_id, problem, "restore the file, or process it again"
        )


def _results(layout: Layout, evidence: Evidence, *, is_full: bool) -> Iterator[Finding]:
    """Results against their status and, in full mode, row by row against the manifest."""
    recording_id, state = evidence.entry.recording_id, evidence.results
    again = "materialize detections for it again"
    if state == "unreadable" and not _is_being_written(layout, recording_id):
        yield Finding("results_intact", "damage", recording_id, "its results are not whole", again)
    elif state == "stale":
        problem = "its results are of an earlier state of the recording or its chunks, and do not count"
        yield Finding("results_match_manifest", "notice", recording_id, problem, again)
    elif state == "counted" and evidence.entry.state == "vanished":
        problem = "its sound is gone from the dataset; its results are kept and count"
        yield Finding("results_have_sound", "notice", recording_id, problem, "nothing, if it was removed on purpose")
    if state == "counted" and is_full:
        problems = result_problems(layout, recording_id)
        for problem in (problems.unaccounted, problems.outside_chunk, problems.bad_confidence):
            if problem:
                yield Finding("results_match_manifest", "damage", recording_id, problem, again)


def _is_being_written(layout: Layout, recording_id: str) -> bool:
    with exclusive(layout.locks / "infer" / f"{recording_id}.lock", wait=False) as is_free:
        return not is_free
