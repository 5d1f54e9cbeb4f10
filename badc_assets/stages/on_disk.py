"""What the files hold of each recording, stage by stage, and what of it is news to somebody who keeps a record of the stages.

The stages are those of the assets, whoever made them: a command, a task of a cluster, or Dagster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from badc_assets.chunks.chunking import ChunkOutcome
from badc_assets.chunks.stored import stored_chunks
from badc_assets.detections.store import ResultStatus, read_result_status, status_path
from badc_assets.errors import BadcError
from badc_assets.inference.opening import Wanted
from badc_assets.inference.outstanding import has_results, is_about
from badc_assets.layout import Layout
from badc_assets.project import Project
from badc_assets.provenance.saving import DataladGateway
from badc_assets.recordings.facts import read_facts
from badc_assets.recordings.model import CatalogEntry, RecordingFacts
from badc_assets.reports.bundle_record import StoredBundle, bundle_version, read_bundle
from badc_assets.upkeep.saved import saved_commits

MADE_FROM: dict[str, tuple[str, ...]] = {
    "recordings": (),
    "chunk_manifest": ("recordings",),
    "chunk_status": ("recordings",),
    "detections": ("chunk_manifest", "chunk_status"),
    "saved_results": ("detections",),
    "report_bundle": ("detections",),
}
"""Stage -> the stages that it is made from, in the order in which they are made."""


@dataclass(frozen=True)
class Stage:
    """One stage of one recording. `version` changes when what it holds does; `written_at` is when its file was written, in
    seconds since the epoch.

    `is_current`: it is what making it now would give. Otherwise it is of former sound, or made with other settings.
    """

    recording_id: str
    name: str
    version: str
    is_current: bool
    written_at: float
    held: RecordingFacts | ChunkOutcome | ResultStatus | StoredBundle | str


@dataclass(frozen=True)
class OnRecord:
    """What is on record of one stage: its version, its place among all that was recorded, when that was, and whether it was
    current then."""

    version: str
    position: int
    at: float
    was_current: bool = True


@dataclass(frozen=True)
class Surroundings:
    """What the stages of all recordings are held against. `wanted` is None where the detector cannot say what it would do."""

    project: Project
    wanted: Wanted | None
    commits: Mapping[str, str]

    @classmethod
    def of(cls, project: Project, recording_ids: Iterable[str]) -> Surroundings:
        try:
            wanted = project.wanted_results
        except BadcError:
            wanted = None
        commits = saved_commits(project.layout, recording_ids, DataladGateway()) if project.saves_results else {}
        return cls(project, wanted, commits)


def written_since(layout: Layout, recording_ids: Iterable[str], since: float) -> list[str]:
    """The recordings of which some stage was written after `since` (seconds since the epoch)."""
    return [each for each in recording_ids if any(_written_at(path) > since for path in _files(layout, each).values())]


def changed_unseen(layout: Layout, entries: Iterable[CatalogEntry]) -> list[CatalogEntry]:
    """The recordings whose sound the catalogue knows to be another one than was examined."""
    found = ((entry, read_facts(layout, entry.recording_id)) for entry in entries if entry.state != "vanished")
    return [entry for entry, facts in found if facts is not None and facts.content_key != entry.content_key]


def stages_on_disk(surroundings: Surroundings, entry: CatalogEntry) -> list[Stage]:
    """The stages of which there are whole files, in the order in which they are made. Facts about another state of the file do
    not count."""
    project, recording_id = surroundings.project, entry.recording_id
    files = _files(project.layout, recording_id)
    found: dict[str, tuple[str, bool, RecordingFacts | ChunkOutcome | ResultStatus | StoredBundle | str]] = {}
    facts = read_facts(project.layout, recording_id)
    if facts is not None and is_about(facts, entry, project.recordings):
        found["recordings"] = (facts.version, True, facts)
    if (chunks := stored_chunks(project.layout, recording_id, project.chunking)) is not None:
        outcome = chunks.outcome
        found["chunk_manifest"] = (outcome.manifest_version, chunks.is_current, outcome)
        found["chunk_status"] = (outcome.status_version, chunks.is_current, outcome)
    result = read_result_status(project.layout, recording_id)
    if result is not None and result.is_complete:
        wanted = surroundings.wanted
        is_current = wanted is not None and has_results(project.layout, recording_id, wanted)
        found["detections"] = (result.key, is_current, result)
        if (bundle := read_bundle(project.layout, recording_id)) is not None:
            is_of_today = bundle.version == bundle_version(result.key, project.report)
            found["report_bundle"] = (bundle.version, is_of_today, bundle)
    if commit := surroundings.commits.get(recording_id):
        found["saved_results"] = (commit, True, commit)
    return [Stage(recording_id, name, *found[name][:2], _written_at(files[name]), found[name][2])
            for name in MADE_FROM if name in found]  # fmt: skip


def news(stages: Sequence[Stage], on_record: Mapping[str, OnRecord], sound_changed: int = 0) -> list[Stage]:
    """Those of the stages of one recording that are not on record as they are.

    A stage that is current is news too when its file, or what it is made from, is newer than its record: then the record says
    that it is out of date. `sound_changed` is the position of the last record of other sound.
    """
    found: dict[str, Stage] = {}
    for stage in stages:
        record = on_record.get(stage.name)
        before = [on_record[name].position for name in MADE_FROM[stage.name] if name in on_record] or [sound_changed]
        if record is None or record.version != stage.version:
            found[stage.name] = stage
        elif stage.is_current:
            has_new_inputs = any(name in found for name in MADE_FROM[stage.name]) or record.position < max(before)
            if has_new_inputs or record.at < stage.written_at or not record.was_current:
                found[stage.name] = stage
    return list(found.values())


def _files(layout: Layout, recording_id: str) -> dict[str, Path]:
    """The file that is written last in each stage. A commit leaves none."""
    return {
        "recordings": layout.facts(recording_id),
        "chunk_manifest": layout.chunk_status(recording_id),
        "chunk_status": layout.chunk_status(recording_id),
        "detections": status_path(layout, recording_id),
        "saved_results": status_path(layout, recording_id),
        "report_bundle": layout.bundle_record(recording_id),
    }


def _written_at(path: Path) -> float:
    """0 where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
