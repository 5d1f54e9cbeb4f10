"""Which recordings there are, and what each is."""

from collections.abc import Iterator, Mapping

import dagster as dg

from badc_assets.defs.dataset import OWNERS, Dataset
from badc_assets.defs.failures import problems_as_failures
from badc_assets.defs.names import asset_key
from badc_assets.defs.partitions import register_recordings
from badc_assets.defs.settings import column_schema, columns_of
from badc_assets.defs.versions import DATA_VERSION_TAG, RecordingVersions
from badc_assets.files import stable_hash
from badc_assets.project import Project
from badc_assets.recordings.catalog import Catalog, CatalogChange
from badc_assets.recordings.model import CatalogEntry, RecordingFacts

GROUP = "recordings"


def recording_catalog(
    context: dg.AssetExecutionContext, project: Project
) -> Iterator[dg.AssetObservation | dg.MaterializeResult]:
    """Every sound file of the dataset, with a stable id. Registers new recordings as partitions.

    Run it when files were added, changed, moved or removed. It opens only files that it has not seen in
    this state. Nothing is ever dropped: a vanished recording stays listed, and files that compete for one
    id, or hold the same sound, are all kept and reported.
    """
    from badc_assets.provenance.git import dataset_commit
    from badc_assets.recordings.current import catalog_update

    def progress(count: int) -> None:
        context.log.info("%d files seen", count)

    with (
        problems_as_failures(),
        catalog_update(project.layout, progress, project.recordings.readers) as (catalog, change),
    ):
        version = stable_hash([[e.recording_id, e.content_key, e.state] for e in catalog.entries])
        source_version = dataset_commit(project.layout.dataset) or version
        yield dg.AssetObservation(asset_key(project, "audio_source"), tags={DATA_VERSION_TAG: source_version})
        entries, files = catalog.by_id(), asset_key(project, "audio_files")
        for recording_id in change.changed:
            tags = {DATA_VERSION_TAG: entries[recording_id].content_key}
            yield dg.AssetObservation(files, partition=recording_id, tags=tags)
    new = register_recordings(project, context.instance, catalog.all_ids)
    yield dg.MaterializeResult(
        data_version=dg.DataVersion(version), metadata=_catalog_metadata(project, catalog, change, new)
    )


def recordings(
    context: dg.AssetExecutionContext, project: Project
) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult]:
    """Format, length, place, time and recorder of each recording, each with its source, and the flags against it.

    Place and time are what headers, names (by declared templates) and the deployments table say; nothing is
    guessed. A recording with a fatal flag (unreadable, empty, truncated, content missing) is quarantined: it is
    recorded here with the reason, goes no further, and never counts as silence.
    """
    from badc_assets.defs.content import fetch_missing
    from badc_assets.recordings.current import examine_recordings

    with problems_as_failures():
        versions = RecordingVersions.begin(context, "recordings")
        not_fetched = fetch_missing(project, context.partition_keys, context.log.info)
        for facts in examine_recordings(project.layout, context.partition_keys, project.recordings):
            reason = not_fetched.get(facts.recording_id)
            yield facts_event(versions, facts, {"not fetched": reason} if reason else {})
        yield versions.finish()


def facts_event(
    versions: RecordingVersions, facts: RecordingFacts, more: Mapping[str, str] | None = None
) -> dg.AssetMaterialization:
    """The facts of one recording, for Dagster."""
    return versions.materialization(facts.recording_id, facts.version, _facts_metadata(facts) | dict(more or {}))


def no_duplicate_recordings(project: Project) -> dg.AssetCheckResult:
    """No two files hold the same sound, and no two compete for one recording id."""
    from badc_assets.recordings.catalog import read_catalog

    catalog = read_catalog(project.layout.catalog)
    suspects = [e for e in (catalog.entries if catalog else ()) if e.state != "vanished" and (e.duplicate_of or e.note)]
    lines = [f"- `{e.audio_path}` ({e.recording_id}): {e.note or 'same sound as ' + e.duplicate_of}" for e in suspects]
    return dg.AssetCheckResult(
        passed=not suspects,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"files": len(suspects), "list": dg.MetadataValue.md("\n".join(lines[:100]) or "none")},
    )


def names_are_understood(project: Project) -> dg.AssetCheckResult:
    """Every name is read by some template, every declared template reads some name, and every site has a deployment."""
    from badc_assets.recordings.coverage import name_coverage
    from badc_assets.recordings.current import require_catalog
    from badc_assets.recordings.place_time import load_declared

    with problems_as_failures():
        catalog = require_catalog(project.layout)
        coverage = name_coverage(project.layout, catalog.entries, load_declared(project.recordings))
    lines = [f"- {problem}" for problem in coverage.problems[:100]]
    return dg.AssetCheckResult(
        passed=not coverage.problems,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "understood": coverage.understood,
            "not understood": coverage.not_understood,
            "problems": dg.MetadataValue.md("\n".join(lines) or "none"),
        },
    )


def _catalog_metadata(
    project: Project, catalog: Catalog, change: CatalogChange, new: int
) -> dict[str, dg.MetadataValue | int | str]:
    problems = "\n".join(f"- {problem}" for problem in catalog.problems[:100])
    return {
        "dagster/row_count": len(catalog.entries),
        "dataset": dg.MetadataValue.path(str(project.layout.dataset)),
        "catalogue": dg.MetadataValue.path(str(project.layout.catalog)),
        "gigabytes": dg.MetadataValue.float(round(sum(e.size_bytes for e in catalog.entries) / 1e9, 3)),
        "new": new,
        "changed": len(change.changed),
        "moved": len(change.moved),
        "vanished": len(change.vanished),
        "content missing": sum(e.state == "content_missing" for e in catalog.entries),
        "problems": dg.MetadataValue.md(problems or "none"),
    }


def _facts_metadata(facts: RecordingFacts) -> dict[str, dg.MetadataValue | int | str]:
    metadata: dict[str, dg.MetadataValue | int | str] = {"status": facts.status, "file": facts.audio_path}
    if facts.flags:
        metadata["reason"] = facts.reason
    if facts.duration_ms is not None:
        metadata["seconds"] = dg.MetadataValue.float(facts.duration_ms / 1000)
        metadata["format"] = (
            f"{facts.container} {facts.sample_format}, {facts.sample_rate_hz} Hz, {facts.channels} channel(s)"
        )
    site = facts.site and f"{facts.site} ({facts.site_source})"
    start = facts.start_local and f"{facts.start_local} {facts.zone or '(zone unknown)'} ({facts.time_source})"
    return metadata | {
        "site": site or "unknown",
        "start": start or "unknown",
        "start UTC": facts.start_utc or "unknown",
        "place": f"{facts.latitude}, {facts.longitude}" if facts.latitude is not None else "unknown",
        "phase of the day": facts.diel_phase or "unknown",
    }


def _sources(dataset: Dataset) -> list[dg.AssetSpec]:
    """What is not ours: Dagster only hears when it changed."""
    folder = dg.AssetSpec(
        dataset.key("audio_source"),
        kinds={"folder"},
        description="The folder or DataLad dataset with the sound files. Its version is the dataset's commit, "
        "or a hash of the listing.",
    )
    files = dg.AssetSpec(
        dataset.key("audio_files"),
        partitions_def=dataset.recordings,
        deps=[dataset.key("recording_catalog")],
        kinds={"audio"},
        description="The sound file of each recording. The catalogue reports here which files changed, so that only these are "
        "read again.",
    )
    return [each.replace_attributes(group_name=dataset.named(GROUP), owners=OWNERS) for each in (folder, files)]


def definitions_for(dataset: Dataset) -> dg.Definitions:
    """Catalogue and recordings with their checks."""
    return dg.Definitions(
        assets=[
            *_sources(dataset),
            dataset.asset(
                recording_catalog,
                group=GROUP,
                deps=["audio_source"],
                kinds={"python", "parquet"},
                metadata=column_schema(columns_of(CatalogEntry)),
            ),
            dataset.asset(
                recordings,
                group=GROUP,
                deps=["audio_files"],
                per_recording=True,
                kinds={"python", "json"},
                metadata=column_schema(columns_of(RecordingFacts)),
            ),
        ],
        asset_checks=[
            dataset.check(no_duplicate_recordings, asset="recording_catalog"),
            dataset.check(names_are_understood, asset="recording_catalog"),
        ],
    )
