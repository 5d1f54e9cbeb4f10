"""Jobs, and the sensors that notice new recordings and content that arrives. Off until they are turned on; what changed
is decided in `recordings/changes.py` and `recordings/change_sources.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import dagster as dg

from badc_assets.defs.dataset import Dataset
from badc_assets.defs.jobs import CATALOGUE, PROCESS, jobs_of
from badc_assets.defs.names import asset_key, in_dataset, partition_set
from badc_assets.defs.versions import DATA_VERSION_TAG
from badc_assets.errors import BadcError
from badc_assets.project import Project
from badc_assets.recordings.changes import Cursor, Source, Step, next_step
from badc_assets.recordings.model import CatalogEntry
from badc_assets.recordings.noticing import Noticed, ranges_of, take_changes

REASON_TAG = "badc/reason"
DATASET_TAG = "badc/dataset"
COMMIT_TAG = "badc/commit"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

SCAN = "scan"
MOST_BY_PAGE = 5000
"""More changes than this are catalogued by a scan before their pages are taken."""

SensorAnswer = dg.SensorResult | dg.SkipReason


def new_recordings(context: dg.SensorEvaluationContext, project: Project) -> SensorAnswer:
    """By commits in a DataLad dataset, by names, sizes and times of the files in a plain folder."""
    from badc_assets.recordings.catalog_file import read_states
    from badc_assets.recordings.change_sources import source_of

    def known() -> list[str]:
        return [path for path, state in read_states(project.layout.catalog).items() if state != "vanished"]

    def source() -> Source:
        return source_of(project.layout, project.content, known, time.time())

    return _noticed(context, project, "new", source)


def arrived_content(context: dg.SensorEvaluationContext, project: Project) -> SensorAnswer:
    """Asks for nothing where the project's policy is to skip recordings without content."""
    from badc_assets.recordings.catalog_file import read_states
    from badc_assets.recordings.change_sources import ContentSource

    if project.content.policy == "skip":
        return dg.SkipReason("the project skips recordings whose content is not here (content.policy)")

    def source() -> Source:
        states = read_states(project.layout.catalog).items()
        was_here = {path: state == "present" for path, state in states if state != "vanished"}
        return ContentSource(project.layout, project.layout.noticed_dir / "content", was_here)

    answer = _noticed(context, project, "content", source)
    is_idle = isinstance(answer, dg.SensorResult) and answer.cursor == context.cursor
    return _to_fetch(context, project, answer) if is_idle and project.content.policy == "fetch" else answer


def _noticed(
    context: dg.SensorEvaluationContext, project: Project, name: str, source: Callable[[], Source]
) -> SensorAnswer:
    """One step of a comparison. What a person has to mend ends the tick with its sentence; the cursor stays where it was."""
    folder = project.layout.noticed_dir / name
    try:
        step = next_step(Cursor.parse(context.cursor), source(), folder, time.time(), project.content.page)
        if step.fixed > MOST_BY_PAGE:
            return dg.SensorResult(run_requests=[_scan_request(project, step)], cursor=step.cursor.dump())
        if not step.changes:
            return dg.SensorResult(skip_reason=step.said, cursor=step.cursor.dump())
        if _is_unfinished(project, context.instance, SCAN):
            return dg.SkipReason("a scan of the whole dataset is under way")
        noticed = take_changes(project.layout, step.changes, project.recordings.readers)
        return _requested(context, project, name, step, noticed)
    except BadcError as error:
        return dg.SkipReason(str(error))


def _requested(
    context: dg.SensorEvaluationContext, project: Project, name: str, step: Step, noticed: Noticed
) -> dg.SensorResult:
    known = context.instance.get_dynamic_partitions(partition_set(project))
    new = _new_keys(known, noticed.entries)
    wanted = recordings_to_run(project, context.instance, noticed.entries)
    tags = {**_reason(project, name), COMMIT_TAG: step.key.split(":")[0]}
    context.log.info(f"{step.said}: {len(new)} new, {len(wanted)} to run, {len(noticed.orphans)} gone")
    return dg.SensorResult(
        run_requests=list(_range_requests(project, [*known, *new], wanted, step.key, tags)),
        dynamic_partitions_requests=[dg.AddDynamicPartitionsRequest(partition_set(project), new)] if new else [],
        asset_events=list(_observations(project, noticed)),
        cursor=step.cursor.dump(),
        skip_reason=None if wanted else f"{step.said}: nothing to run",
    )


def recordings_to_run(project: Project, instance: dg.DagsterInstance, entries: Sequence[CatalogEntry]) -> set[str]:
    """Those of the recordings that have no results for their present state, or of whose results Dagster does not know.

    Recordings without content are left out where the policy is to skip them; where it is to wait they are run once, so that
    their state is on record. Raises BadcError when the detector cannot be used.
    """
    from badc_assets.inference.outstanding import outstanding

    missing = {entry.recording_id for entry in entries if entry.state == "content_missing"}
    if project.content.policy == "skip":
        entries = [entry for entry in entries if entry.recording_id not in missing]
    found = outstanding(project.layout, entries, project.recordings, project.wanted_results)
    present = {entry.recording_id for entry in entries}
    analysed = instance.get_materialized_partitions(asset_key(project, "detections"))
    examined = instance.get_materialized_partitions(asset_key(project, "recordings"))
    to_fetch = found.unusable & missing if project.content.policy == "fetch" else frozenset()
    return {*found.open, *to_fetch, *(found.unusable - examined), *(present - found.unusable - analysed)}


def _to_fetch(context: dg.SensorEvaluationContext, project: Project, otherwise: SensorAnswer) -> SensorAnswer:
    """Recordings that can be fetched now, one run at a time."""
    from badc_assets.recordings.catalog import read_catalog
    from badc_assets.recordings.content import not_fetched, room_bytes, worth_trying

    catalog = read_catalog(project.layout.catalog)
    missing = [e for e in catalog.entries if e.state == "content_missing"] if catalog is not None else []
    if not missing or _is_unfinished(project, context.instance, "fetch", "new"):
        return otherwise
    wanted = recordings_to_run(project, context.instance, missing)
    room = room_bytes(project.layout, project.content)
    candidates = [entry for entry in missing if entry.recording_id in wanted]
    chosen = worth_trying(candidates, not_fetched(project.layout), room, project.content.page, time.time())
    if not chosen:
        return otherwise
    known = context.instance.get_dynamic_partitions(partition_set(project))
    keys = [entry.recording_id for entry in chosen]
    requests = _range_requests(
        project, [*known, *_new_keys(known, chosen)], keys, f"fetch:{int(time.time())}", _reason(project, "fetch")
    )
    return dg.SensorResult(run_requests=list(requests), cursor=context.cursor)


def _scan_request(project: Project, step: Step) -> dg.RunRequest:
    """So many changes are catalogued in one scan. Page by page each would read and write the whole catalogue, which for
    hundreds of thousands of recordings takes longer than a tick may."""
    # The round of a first comparison is the time, and differs when its tick dies and is repeated.
    comparison = step.cursor.round if step.cursor.commit else "first"
    key = f"{step.cursor.target[:12]}:{comparison}:{SCAN}"
    return dg.RunRequest(run_key=key, job_name=in_dataset(project, CATALOGUE), tags=_reason(project, SCAN))


def _reason(project: Project, reason: str) -> dict[str, str]:
    """Tags of a run that a sensor asks for."""
    return {REASON_TAG: reason} | ({DATASET_TAG: project.name} if project.name else {})


def _is_unfinished(project: Project, instance: dg.DagsterInstance, *reasons: str) -> bool:
    """Whether a run that a sensor of this dataset asked for, for one of these reasons, waits or goes on."""
    of_dataset = {DATASET_TAG: project.name} if project.name else {}
    unfinished = dg.RunsFilter(
        tags={REASON_TAG: list(reasons), **of_dataset},
        statuses=[dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED],
    )
    return bool(instance.get_run_ids(unfinished, limit=1))


def _range_requests(
    project: Project, order: Sequence[str], wanted: Iterable[str], key: str, tags: dict[str, str]
) -> Iterator[dg.RunRequest]:
    """A run for each stretch of neighbouring partitions: one where all of a page is new."""
    for number, (first, last) in enumerate(ranges_of(order, wanted)):
        range_tags = {**tags, RANGE_START: first, RANGE_END: last}
        yield dg.RunRequest(run_key=f"{key}:{number}", job_name=in_dataset(project, PROCESS), tags=range_tags)


def _new_keys(known: Sequence[str], entries: Iterable[CatalogEntry]) -> list[str]:
    names = set(known)
    return [entry.recording_id for entry in entries if entry.recording_id not in names]


def _observations(project: Project, noticed: Noticed) -> Iterator[dg.AssetObservation]:
    """What is on record of files that changed, and of recordings that are gone and whose results are kept."""
    files = asset_key(project, "audio_files")
    for entry in noticed.changed:
        tags = {DATA_VERSION_TAG: entry.content_key}
        yield dg.AssetObservation(files, partition=entry.recording_id, tags=tags)
    for orphan in noticed.orphans:
        yield dg.AssetObservation(
            files,
            partition=orphan.recording_id,
            tags={DATA_VERSION_TAG: orphan.content_key},
            metadata={"state": noticed.words(orphan), "results": "kept, orphaned", "file": orphan.audio_path},
        )


def definitions_for(dataset: Dataset) -> dg.Definitions:
    """The jobs, and the sensors that ask for runs of them; they run by themselves where the project says so."""
    jobs = jobs_of(dataset)
    running = dataset.project.automation.enabled
    options = {
        "jobs": [jobs[PROCESS], jobs[CATALOGUE]],
        "default_status": dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
    }
    added = dataset.sensor(
        new_recordings,
        minimum_interval_seconds=dataset.project.content.interval_s,
        description="Notices recordings that were added, changed, renamed or removed, and requests a run for each page of them.",
        **options,
    )
    arrived = dataset.sensor(
        arrived_content,
        minimum_interval_seconds=300,
        description="Notices content that arrived without a commit (`datalad get`) and requests runs for those recordings; "
        "with the policy `fetch` also for recordings for which there was no room before.",
        **options,
    )
    return dg.Definitions(jobs=list(jobs.values()), sensors=[added, arrived])
