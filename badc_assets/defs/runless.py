"""Tell Dagster what was made without it, so that it neither shows it as missing nor makes it again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster._core.instance.utils import RUNLESS_JOB_NAME
from dagster._core.utils import make_new_run_id
from sqlalchemy.exc import IntegrityError

from badc_assets.chunks.chunking import ChunkOutcome
from badc_assets.defs import chunks, detections, recordings, reports, saving
from badc_assets.defs.code_versions import code_versions
from badc_assets.defs.dataset import Dataset
from badc_assets.defs.names import asset_key, partition_set
from badc_assets.defs.partitions import PAGE, register_recordings
from badc_assets.defs.versions import CODE_VERSION_TAG, DATA_VERSION_TAG, RecordingVersions
from badc_assets.detections.store import ResultStatus
from badc_assets.files import stable_hash
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.project import Project
from badc_assets.recordings.model import CatalogEntry, RecordingFacts
from badc_assets.reports.bundle_record import StoredBundle
from badc_assets.stages.on_disk import (
    MADE_FROM,
    OnRecord,
    Stage,
    Surroundings,
    changed_unseen,
    news,
    stages_on_disk,
    written_since,
)

OUTDATED = "of former sound or with other settings"
"""The code version of what is not current: Dagster shows it as stale."""
MARGIN_S = 600
"""Clocks of file servers differ: what was written so long before the last comparison is compared again."""


@dataclass(frozen=True)
class Reported:
    """What Dagster was told: new recordings, sound that changed, and materializations of their stages."""

    recordings: int = 0
    changed: int = 0
    materializations: int = 0

    def __str__(self) -> str:
        return f"{self.materializations} results and {self.recordings} new recordings"


def report_files(
    project: Project, instance: dg.DagsterInstance, progress: Callable[[int], None] | None = None
) -> Reported:
    """Report what the files of the dataset hold and Dagster does not know, without a run. `progress` gets the number of
    recordings looked at so far.

    Only recordings of which something was written since the last comparison are looked at, and all of them when settings changed.
    """
    from badc_assets.recordings.catalog_file import read_catalog

    catalog = read_catalog(project.layout.catalog)
    if catalog is None:
        return Reported()
    began, comparison = time.time(), _Comparison(project, instance)
    new = register_recordings(project, instance, catalog.all_ids)
    changed = comparison.report_changed_sound(catalog.entries)
    candidates = set(written_since(project.layout, catalog.all_ids, comparison.since))
    surroundings = Surroundings.of(project, candidates)
    count = looked_at = 0
    for entries in _pages([entry for entry in catalog.entries if entry.recording_id in candidates]):
        count += comparison.report(surroundings, entries)
        looked_at += len(entries)
        if progress is not None:
            progress(looked_at)
    comparison.finish(began)
    return Reported(new, changed, count)


class _Comparison:
    """The files of one dataset beside what one instance knows of them."""

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        self.project = project
        self.instance = instance
        self.settings = stable_hash(code_versions(project))
        self.no_run = make_new_run_id()
        self.cursor = f"badc/compared/{partition_set(project)}/{project.layout.output}"

    @property
    def since(self) -> float:
        """When files and instance were compared last with these settings; 0 when they never were."""
        stored = self.instance.daemon_cursor_storage.get_cursor_values({self.cursor}).get(self.cursor)
        last = json.loads(stored) if stored else {}
        return last["at"] - MARGIN_S if last.get("settings") == self.settings else 0.0

    def finish(self, began: float) -> None:
        value = json.dumps({"at": began, "settings": self.settings})
        self.instance.daemon_cursor_storage.set_cursor_values({self.cursor: value})

    def report_changed_sound(self, entries: Iterable[CatalogEntry]) -> int:
        """Sound that a scan without Dagster found to be another one, and that was not examined since."""
        files, reported = asset_key(self.project, "audio_files"), 0
        for page in _pages(changed_unseen(self.project.layout, entries)):
            known = self.instance.event_log_storage.get_latest_tags_by_partition(
                files,
                dg.DagsterEventType.ASSET_OBSERVATION,
                [DATA_VERSION_TAG],
                asset_partitions=[entry.recording_id for entry in page],
            )
            for entry in page:
                if known.get(entry.recording_id, {}).get(DATA_VERSION_TAG) == entry.content_key:
                    continue
                tags = {DATA_VERSION_TAG: entry.content_key}
                self.instance.report_runless_asset_event(
                    dg.AssetObservation(files, partition=entry.recording_id, tags=tags)
                )
                reported += 1
        return reported

    def report(self, surroundings: Surroundings, entries: Sequence[CatalogEntry]) -> int:
        """Report what is new of these recordings, one stage after the other; returns how many materializations that are."""
        ids = [entry.recording_id for entry in entries]
        on_record = {name: self._on_record(name, ids) for name in MADE_FROM}
        sound_changed = self.instance.event_log_storage.get_latest_storage_id_by_partition(
            asset_key(self.project, "audio_files"), dg.DagsterEventType.ASSET_OBSERVATION, set(ids)
        )
        found: dict[str, list[Stage]] = {name: [] for name in MADE_FROM}
        for entry in entries:
            key = entry.recording_id
            known = {name: records[key] for name, records in on_record.items() if key in records}
            for stage in news(stages_on_disk(surroundings, entry), known, sound_changed.get(key, 0)):
                found[stage.name].append(stage)
        for name, stages in found.items():
            self._report_stage(name, stages)
        for evaluation in self._evaluations(found):
            self._store(evaluation)
        return sum(map(len, found.values()))

    def _store(self, evaluation: dg.AssetCheckEvaluation) -> None:
        """Dagster stores one result of a check without a run for each partition, and refuses the next. That one gets the id of a
        run that never was."""
        try:
            self.instance.report_runless_asset_event(evaluation)
        except IntegrityError:
            kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION.value
            event = DagsterEvent(kind, RUNLESS_JOB_NAME, event_specific_data=evaluation)
            self.instance.report_dagster_event(event, run_id=self.no_run)

    def _on_record(self, name: str, recording_ids: Sequence[str]) -> Mapping[str, OnRecord]:
        """Recording -> its latest materialization."""
        key, storage = asset_key(self.project, name), self.instance.event_log_storage
        event = dg.DagsterEventType.ASSET_MATERIALIZATION
        positions = storage.get_latest_storage_id_by_partition(key, event, set(recording_ids))
        if not positions:
            return {}
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=list(positions.values()))
        found = {}
        for record in self.instance.fetch_materializations(wanted, limit=len(positions)).records:
            tags = (record.asset_materialization.tags if record.asset_materialization else None) or {}
            is_current = tags.get(CODE_VERSION_TAG) != OUTDATED
            version = tags.get(DATA_VERSION_TAG, "")
            found[record.partition_key] = OnRecord(version, record.storage_id, record.timestamp, is_current)
        return found

    def _report_stage(self, name: str, stages: Sequence[Stage]) -> None:
        if not stages:
            return
        seen_up_to = self.instance.event_log_storage.get_maximum_record_id() or 0
        spec, more = self._specs[name], {"made by": "badc, without Dagster"}
        current = RecordingVersions(spec, seen_up_to, more)
        outdated = RecordingVersions(spec.replace_attributes(code_version=OUTDATED), seen_up_to, more)
        for stage in stages:
            event = _event(self.project, current if stage.is_current else outdated, stage)
            self.instance.report_runless_asset_event(event)

    def _evaluations(self, found: Mapping[str, Sequence[Stage]]) -> Iterator[dg.AssetCheckEvaluation]:
        """The checks of what was reported, as a run over these recordings stores them; sound is not read again."""
        from badc_assets.chunks.gate import chunking_problems
        from badc_assets.chunks.quality.listing import quality_counts

        project, layout = self.project, self.project.layout
        chunked, analysed = ([stage.recording_id for stage in found[name]] for name in ("chunk_status", "detections"))
        if chunked:
            problems = chunking_problems(layout, chunked, project.chunking)
            yield from chunks.completed_evaluations(project, self.instance, chunked, problems)
            usable = chunks.usability_result(quality_counts(layout, chunked))
            key = dg.AssetCheckKey(asset_key(project, "chunk_status"), "sound_is_usable")
            yield detections.as_evaluation(usable, _only(chunked), key)
        for result in detections.check_results(project, analysed) if analysed else ():
            yield detections.as_evaluation(result, _only(analysed))

    @cached_property
    def _specs(self) -> Mapping[str, dg.AssetSpec]:
        """Stage -> its asset, as the code location has it."""
        dataset, versions = Dataset(self.project), code_versions(self.project)
        definitions = dg.Definitions.merge(
            *(stage.definitions_for(dataset) for stage in (recordings, chunks, detections, reports, saving))
        )
        specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
        keys = {name: asset_key(self.project, name) for name in MADE_FROM}
        return {
            name: specs[key].replace_attributes(code_version=versions[name])
            for name, key in keys.items()
            if key in specs
        }


def _event(project: Project, versions: RecordingVersions, stage: Stage) -> dg.AssetMaterialization:
    held = stage.held
    if isinstance(held, RecordingFacts):
        return recordings.facts_event(versions, held)
    if isinstance(held, ChunkOutcome):
        event = chunks.manifest_event if stage.name == "chunk_manifest" else chunks.status_event
        return event(versions, held)
    if isinstance(held, ResultStatus):
        outcome = DetectionOutcome(stage.recording_id, held, was_reused=True)
        return detections.result_event(project, versions, outcome)
    if isinstance(held, StoredBundle):
        return reports.bundle_event(project, versions, held)
    return saving.saved_event(project, versions, stage.recording_id, held, is_new=False)


T = TypeVar("T")


def _pages(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), PAGE):
        yield items[start : start + PAGE]


def _only(recording_ids: Sequence[str]) -> str | None:
    """The partition of a check over these recordings: a run over several stores none."""
    return recording_ids[0] if len(recording_ids) == 1 else None
