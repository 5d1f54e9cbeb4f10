"""Acoustic indices of each recording, for those who ask for them: no job takes them along."""

from collections.abc import Iterator, Sequence

import dagster as dg

from badc_assets.chunks.indices.file import COLUMNS, DESCRIPTIONS
from badc_assets.defs.chunks import bullets
from badc_assets.defs.dataset import Dataset
from badc_assets.defs.failures import problems_as_failures
from badc_assets.defs.settings import column_schema
from badc_assets.defs.versions import RecordingVersions
from badc_assets.project import Project

GROUP = "indices"


def acoustic_indices(
    context: dg.AssetExecutionContext, project: Project
) -> Iterator[dg.AssetMaterialization | dg.AssetObservation | dg.MaterializeResult]:
    """ACI, NDSI, ADI, AEI, BI and H of each chunk, by scikit-maad (`pip install 'badc-assets[indices]'`).

    A recording that cannot be read, or whose chunking has not completed, is left out. The others are finished and
    recorded first; then the step fails and names those that were left out.
    """
    from badc_assets.chunks.indices.indexing import index_recordings

    keys, left_out = context.partition_keys, dict[str, str]()
    with problems_as_failures():
        versions = RecordingVersions.begin(context, "acoustic_indices")
        for outcome in index_recordings(project.layout, keys, project.chunking, project.indices):
            if outcome.is_complete:
                metadata = {
                    "dagster/row_count": outcome.chunks,
                    "chunks without any index": outcome.without_index,
                    "file": dg.MetadataValue.path(str(project.layout.indices(outcome.recording_id))),
                    "unchanged": outcome.was_reused,
                    "seconds": round(outcome.seconds, 3),
                }
                yield versions.materialization(outcome.recording_id, outcome.key, metadata)
            elif not outcome.is_orphan:
                left_out[outcome.recording_id] = outcome.reason
    if left_out:
        # The check step does not run after a failed step, and the finished recordings deserve their check.
        context.log_event(_evaluation(versions.spec.key, _bounds_check(project, keys)))  # pyright: ignore[reportArgumentType]
        # A logged event is stored with the next one that is yielded.
        yield dg.AssetObservation(versions.spec.key, metadata={"left out": dg.MetadataValue.md(bullets(left_out))})
        raise dg.Failure(
            description=f"{len(left_out)} of {len(keys)} recordings were left out: {', '.join(list(left_out)[:20])}. "
            "The others are finished.",
            metadata={"left out": dg.MetadataValue.md(bullets(left_out))},
            allow_retries=False,
        )
    yield versions.finish()


def indices_in_bounds(context: dg.AssetCheckExecutionContext, project: Project) -> dg.AssetCheckResult:
    """Every index is a number that its formula can give, or is empty for a stated reason."""
    return _bounds_check(project, context.op_execution_context.partition_keys)


def _bounds_check(project: Project, recording_ids: Sequence[str]) -> dg.AssetCheckResult:
    from badc_assets.chunks.indices.rules import indices_out_of_bounds

    problems = indices_out_of_bounds(project.layout, recording_ids)
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"recordings": len(problems), "broken": dg.MetadataValue.md(bullets(problems))},
    )


def _evaluation(asset: dg.AssetKey, result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name="indices_in_bounds",
        passed=result.passed,
        metadata=result.metadata,
    )


def definitions_for(dataset: Dataset) -> dg.Definitions:
    """The indices and their check."""
    return dg.Definitions(
        assets=[
            dataset.asset(
                acoustic_indices,
                group=GROUP,
                deps=["chunk_status"],
                per_recording=True,
                kinds={"python", "parquet"},
                metadata=column_schema(COLUMNS, DESCRIPTIONS),
            )
        ],
        asset_checks=[dataset.check(indices_in_bounds, asset="acoustic_indices", per_recording=True)],
    )
