"""What was found in each recording."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from badc_assets.defs.chunks import bullets
from badc_assets.defs.failures import problems_as_failures
from badc_assets.defs.partitions import recordings_partitions
from badc_assets.defs.settings import OWNERS, ProjectResource, column_schema
from badc_assets.defs.versions import RecordingVersions
from badc_assets.detections.schema import DESCRIPTIONS, DETECTION_COLUMNS
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.inference.usage import GpuUsage
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
        engine = project.make_engine(lambda: datetime.now(UTC), context.run_id, say=context.log.info)
        left_out: dict[str, str] = {}
        for outcome in engine.run(context.partition_keys):
            if outcome.result is not None and outcome.is_complete:
                yield versions.materialization(outcome.recording_id, outcome.result.key, _metadata(project, outcome))
            elif not outcome.is_orphan:
                left_out[outcome.recording_id] = outcome.reason
        yield from _use_of_gpus(engine.log.usage())
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
    """Numbers become curves over the recordings on the page of the asset."""
    result = outcome.result
    assert result is not None
    seconds = max(result.seconds, 0.001)
    optional = {
        "best confidence": result.best_confidence,
        "GPU energy (Wh)": result.gpu_energy_wh,
        "GPU memory, peak (MiB)": result.gpu_peak_memory_mb,
    }
    return {
        "dagster/row_count": result.detections,
        "file": dg.MetadataValue.path(str(project.layout.detections(outcome.recording_id))),
        "audio minutes": round(result.audio_ms / 60_000, 3),
        "detector": result.model_version,
        "device": " ".join(word for word in (result.device, result.precision) if word),
        "times faster than real time": round(result.audio_ms / 1000 / seconds, 1),
        "waited for sound (s)": result.waited_s,
        "GPU hours": round(result.gpu_seconds / 3600, 6),
        "unchanged": outcome.was_reused,
        **{name: round(value, 4) for name, value in optional.items() if value is not None},
    }


def _use_of_gpus(usage: Mapping[str, GpuUsage]) -> Iterator[dg.AssetObservation]:
    """What the GPUs of the run did, with a picture; nothing where none was used."""
    from badc_assets.inference.usage_plot import usage_picture

    if not usage:
        return
    figures = {
        f"{worker}: {name}": value
        for worker, use in usage.items()
        for name, value in (
            ("hours", round(use.seconds / 3600, 4)),
            ("mean utilisation (%)", use.mean_utilisation),
            ("peak memory (MiB)", use.peak_memory_mb),
            ("mean power (W)", use.mean_power_w),
            ("energy (Wh)", use.energy_wh),
        )
        if value is not None
    }
    picture = dg.MetadataValue.md(f"![use of the GPUs](data:image/png;base64,{usage_picture(usage)})")
    yield dg.AssetObservation("detections", metadata={**figures, "use of the GPUs": picture})


def _failure(left_out: dict[str, str], total: int) -> dg.Failure:
    first = ", ".join(list(left_out)[:20])
    more = f" and {len(left_out) - 20} more" if len(left_out) > 20 else ""
    return dg.Failure(
        description=f"{len(left_out)} of {total} recordings were left out: {first}{more}. The others are finished.",
        metadata={"left out": dg.MetadataValue.md(bullets(left_out))},
        allow_retries=False,
    )


definitions = dg.Definitions(assets=[detections], asset_checks=[detection_checks])
