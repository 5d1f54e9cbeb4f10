"""What was found in each recording."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from badc_assets.defs.chunks import bullets
from badc_assets.defs.failures import problems_as_failures
from badc_assets.defs.partitions import recordings_partitions
from badc_assets.defs.settings import OWNERS, ProjectResource, column_schema
from badc_assets.defs.versions import RecordingVersions
from badc_assets.detections.schema import DESCRIPTIONS, DETECTION_COLUMNS
from badc_assets.inference.engine import DetectionOutcome, Engine
from badc_assets.project import Project

GROUP = "detections"


@dg.asset(
    partitions_def=recordings_partitions,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=["chunk_manifest", "chunk_status"],
    pool="gpu",
    op_tags={"badc/stage": "infer", "badc/gpu": "1"},
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "parquet"},
    metadata=column_schema(DETECTION_COLUMNS, DESCRIPTIONS),
)
def detections(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> Iterator[dg.AssetMaterialization | dg.AssetObservation | dg.MaterializeResult]:
    """Detections and effort of each recording: what was found, and which time was listened to.

    A recording whose chunking has not completed is left out. The others are finished and recorded first;
    then the step fails and names those that were left out.
    """
    with problems_as_failures():
        versions = RecordingVersions.begin(context, "detections")
        engine = Engine(
            project.layout,
            project.make_detector(),
            project.chunking,
            project.inference,
            clock=lambda: datetime.now(UTC),
            run_id=context.run_id,
        )
        left_out: dict[str, str] = {}
        for outcome in engine.run(context.partition_keys):
            if outcome.result is not None and outcome.is_complete:
                yield versions.materialization(outcome.recording_id, outcome.result.key, _metadata(project, outcome))
            elif not outcome.is_orphan:
                left_out[outcome.recording_id] = outcome.reason
    if left_out:
        # The check step does not run after a failed step, and the finished recordings deserve their checks.
        for result in _check_results(project, context.partition_keys):
            context.log_event(_evaluation(result))  # pyright: ignore[reportArgumentType]
        # Logged events are stored with the next one that is yielded.
        yield dg.AssetObservation("detections", metadata={"left out": dg.MetadataValue.md(bullets(left_out))})
        raise _failure(left_out, len(context.partition_keys))
    yield versions.finish()


@dg.multi_asset_check(
    name="detection_checks",
    can_subset=True,
    specs=[
        dg.AssetCheckSpec(
            "chunks_accounted_for",
            asset="detections",
            partitions_def=recordings_partitions,
            description="Every chunk of the manifest is in the effort table exactly once, and was analysed.",
        ),
        dg.AssetCheckSpec(
            "detections_inside_chunks",
            asset="detections",
            partitions_def=recordings_partitions,
            description="Every detection starts in its chunk and ends within its recording.",
        ),
        dg.AssetCheckSpec(
            "confidence_in_range",
            asset="detections",
            partitions_def=recordings_partitions,
            description="Every confidence lies in 0..1.",
        ),
    ],
)
def detection_checks(context: dg.AssetCheckExecutionContext, project: ProjectResource) -> Iterator[dg.AssetCheckResult]:
    """The rules that the results of every recording must keep."""
    wanted = {key.name for key in context.op_execution_context.selected_asset_check_keys}
    results = _check_results(project, context.op_execution_context.partition_keys)
    yield from (result for result in results if result.check_name in wanted)


def _check_results(project: Project, recording_ids: Sequence[str]) -> list[dg.AssetCheckResult]:
    from badc_assets.detections.verify import results_problems

    problems = results_problems(project.layout, recording_ids)
    return [
        dg.AssetCheckResult(
            check_name=check,
            asset_key="detections",
            passed=not broken,
            metadata={"recordings": len(broken), "broken": dg.MetadataValue.md(bullets(broken))},
        )
        for check, broken in problems.items()
    ]


def _evaluation(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("detections"),
        check_name=result.check_name or "",
        passed=result.passed,
        metadata=result.metadata,
    )


def _metadata(project: Project, outcome: DetectionOutcome) -> dict[str, dg.MetadataValue | int | float | str | bool]:
    result = outcome.result
    assert result is not None
    seconds = max(result.seconds, 0.001)
    return {
        "dagster/row_count": result.detections,
        "file": dg.MetadataValue.path(str(project.layout.detections(outcome.recording_id))),
        "audio minutes": round(result.audio_ms / 60_000, 3),
        "detector": result.model_version,
        "times faster than real time": round(result.audio_ms / 1000 / seconds, 1),
        "unchanged": outcome.was_reused,
        **({"best confidence": round(result.best_confidence, 4)} if result.best_confidence is not None else {}),
    }


def _failure(left_out: dict[str, str], total: int) -> dg.Failure:
    first = ", ".join(list(left_out)[:20])
    more = f" and {len(left_out) - 20} more" if len(left_out) > 20 else ""
    return dg.Failure(
        description=f"{len(left_out)} of {total} recordings were left out: {first}{more}. The others are finished.",
        metadata={"left out": dg.MetadataValue.md(bullets(left_out))},
        allow_retries=False,
    )


definitions = dg.Definitions(assets=[detections], asset_checks=[detection_checks])
