"""The chunks of each recording, and the gate that holds back recordings without them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from badc_assets.chunks.manifest import Chunk
from badc_assets.chunks.status import ChunkStatus
from badc_assets.defs.check_targets import latest_materializations
from badc_assets.defs.dataset import Dataset
from badc_assets.defs.failures import problems_as_failures
from badc_assets.defs.names import asset_key
from badc_assets.defs.settings import column_schema, columns_of
from badc_assets.defs.versions import RecordingVersions
from badc_assets.project import Project

if TYPE_CHECKING:
    from badc_assets.chunks.chunking import ChunkOutcome
    from badc_assets.chunks.quality.listing import QualityCounts

GROUP = "chunks"


def chunking(
    context: dg.AssetExecutionContext, project: Project
) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult]:
    """Read each recording once; what is wrong with one is recorded and does not stop the others."""
    from badc_assets.chunks.chunking import chunk_recordings

    with problems_as_failures():
        manifest = RecordingVersions.begin(context, "chunk_manifest")
        status = RecordingVersions.begin(context, "chunk_status")
        for outcome in chunk_recordings(project.layout, context.partition_keys, project.chunking, _now):
            yield manifest_event(manifest, outcome)
            yield status_event(status, outcome)
        yield manifest.finish()
        yield status.finish()


def manifest_event(versions: RecordingVersions, outcome: "ChunkOutcome") -> dg.AssetMaterialization:
    """The manifest of one recording, for Dagster."""
    return versions.materialization(outcome.recording_id, outcome.manifest_version, _metadata(outcome))


def status_event(versions: RecordingVersions, outcome: "ChunkOutcome") -> dg.AssetMaterialization:
    """The chunking status of one recording, for Dagster."""
    return versions.materialization(outcome.recording_id, outcome.status_version, _metadata(outcome))


def chunking_completed(context: dg.AssetCheckExecutionContext, project: Project) -> dg.AssetCheckResult:
    """Chunking completed for the present audio and settings. Without it a recording is not analysed.

    In a run over several recordings one result is stored for each, and a single bad recording does not hold up the others:
    the step that follows leaves it out by the same rule.
    """
    from badc_assets.chunks.gate import awaiting_content, chunking_problems

    keys = context.op_execution_context.partition_keys
    problems = chunking_problems(project.layout, keys, project.chunking)
    if len(keys) > 1:
        for evaluation in completed_evaluations(project, context.instance, keys, problems):
            # log_event stores it, although its annotation does not name this kind of event.
            context.op_execution_context.log_event(evaluation)  # pyright: ignore[reportArgumentType]
    # What only waits for its content has not failed, and a run over nothing else ends well.
    all_failed = len(problems) == len(keys) and bool(problems.keys() - awaiting_content(project.layout, problems))
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR if all_failed else dg.AssetCheckSeverity.WARN,
        description=f"{len(keys) - len(problems)} of {len(keys)} completed",
        metadata={"not completed": dg.MetadataValue.md(bullets(problems))},
    )


def completed_evaluations(
    project: Project, instance: dg.DagsterInstance, recording_ids: Sequence[str], problems: Mapping[str, str]
) -> Iterator[dg.AssetCheckEvaluation]:
    """The result of `chunking_completed` for each of these recordings, about its latest materialization."""
    checked = asset_key(project, "chunk_status")
    targets = latest_materializations(instance, checked, recording_ids)
    for key in recording_ids:
        yield dg.AssetCheckEvaluation(
            asset_key=checked,
            check_name="chunking_completed",
            passed=key not in problems,
            partition=key,
            blocking=True,
            target_materialization_data=targets.get(key),
            metadata={"reason": problems.get(key, "completed")},
        )


def manifest_hashes_match(context: dg.AssetCheckExecutionContext, project: Project) -> dg.AssetCheckResult:
    """The samples of one chunk per recording, read again, have the sha256 that the manifest says."""
    from badc_assets.chunks.verify import changed_chunks

    problems = changed_chunks(project.layout, context.op_execution_context.partition_keys, chunks_each=1)
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"mismatches": dg.MetadataValue.md(bullets(problems))},
    )


def sound_is_usable(context: dg.AssetCheckExecutionContext, project: Project) -> dg.AssetCheckResult:
    """The sound is within the limits of `chunking.quality`: not silent, broken off, clipped, humming and so on.

    Quarantined recordings are not analysed, flagged ones are. `recordings_are_usable` lists those of the whole dataset.
    """
    from badc_assets.chunks.quality.listing import quality_counts

    return usability_result(quality_counts(project.layout, context.op_execution_context.partition_keys))


def usability_result(found: "QualityCounts", more: dict[str, dg.MetadataValue] | None = None) -> dg.AssetCheckResult:
    """A warning with counts and lists when anything is flagged or quarantined. `more` is metadata to add."""
    return dg.AssetCheckResult(
        passed=not found.flagged and not found.quarantined,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{found.ok} ok, {len(found.flagged)} flagged, {len(found.quarantined)} quarantined",
        metadata={
            "ok": found.ok,
            "flagged": len(found.flagged),
            "quarantined": len(found.quarantined),
            "list of quarantined": dg.MetadataValue.md(bullets(found.quarantined)),
            "list of flagged": dg.MetadataValue.md(bullets(found.flagged)),
            **(more or {}),
        },
    )


def _metadata(outcome: "ChunkOutcome") -> dict[str, str | int | float | bool]:
    return {
        "status": outcome.status,
        "dagster/row_count": outcome.chunks,
        "audio seconds": outcome.audio_ms / 1000,
        "unchanged": outcome.was_reused,
        **({"reason": outcome.reason} if outcome.reason else {}),
        **_quality_metadata(outcome),
    }


def _quality_metadata(outcome: "ChunkOutcome") -> dict[str, str | int]:
    if outcome.quality is None:
        return {}
    flags = {"sound flags": outcome.quality.reason} if outcome.quality.flags else {}
    unusable = {"unusable chunks": outcome.unusable_chunks} if outcome.unusable_chunks else {}
    return {"sound": outcome.quality.status} | flags | unusable


def bullets(problems: dict[str, str], at_most: int = 100) -> str:
    """`problems` (recording id -> sentence) as a Markdown list."""
    lines = [f"- **{key}**: {problem}" for key, problem in list(problems.items())[:at_most]]
    hidden = len(problems) - len(lines)
    return "\n".join([*lines, *([f"- and {hidden} more"] if hidden else [])]) or "none"


def _now() -> datetime:
    return datetime.now(UTC)


SPECS = {
    "chunk_manifest": {
        "description": "One row per chunk: its span of the recording and the sha256 of its samples. Chunks are virtual: no audio "
        "is copied.",
        "kinds": {"python", "csv"},
        "metadata": column_schema(columns_of(Chunk)),
    },
    "chunk_status": {
        "description": "Whether the chunking of each recording completed: every sample was read and hashed. Failed ones say why.",
        "kinds": {"python", "json"},
        "metadata": column_schema(columns_of(ChunkStatus)),
    },
}


def definitions_for(dataset: Dataset) -> dg.Definitions:
    """The chunks, and the gate before detection."""
    return dg.Definitions(
        assets=[dataset.multi_asset(chunking, group=GROUP, specs=SPECS, deps=["recordings"])],
        asset_checks=[
            dataset.check(chunking_completed, asset="chunk_status", per_recording=True, blocking=True),
            dataset.check(manifest_hashes_match, asset="chunk_manifest", per_recording=True),
            dataset.check(sound_is_usable, asset="chunk_status", per_recording=True),
        ],
    )
