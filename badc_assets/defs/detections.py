"""What was found in each recording."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import dagster as dg

from badc_assets.defs.chunks import bullets
from badc_assets.defs.content import dropped_content
from badc_assets.defs.dataset import Dataset
from badc_assets.defs.failures import problems_as_failures
from badc_assets.defs.names import asset_key
from badc_assets.defs.settings import column_schema
from badc_assets.defs.slurm_steps import placed, sbatch_options
from badc_assets.defs.versions import RecordingVersions
from badc_assets.detections.schema import DESCRIPTIONS, DETECTION_COLUMNS
from badc_assets.detections.store import ResultStatus
from badc_assets.inference.devices.usage import GpuUsage
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.inference.recorded import recorded
from badc_assets.project import Project
from badc_assets.project_record import run_record
from badc_assets.stages.on_slurm import engine_for

GROUP = "detections"


def detections(
    context: dg.AssetExecutionContext, project: Project
) -> Iterator[dg.AssetMaterialization | dg.AssetObservation | dg.MaterializeResult]:
    """Detections and effort of each recording: what was found, and which time was listened to.

    A recording whose chunking has not completed is left out. The others are finished and recorded first;
    then the step fails and names those that were left out.
    """
    with problems_as_failures():
        versions = RecordingVersions.begin(context, "detections")
        keys = context.partition_keys
        engine = engine_for(project, _now, context.run_id, sbatch_options(context), say=context.log.info)
        record = run_record(project, context.run_id, _now, keys)
        left_out: dict[str, str] = {}
        logs: dict[str, None] = {}
        results: list[ResultStatus] = []
        finished_s: list[float] = []
        began = time.monotonic()
        for outcome in recorded(project.layout, record, engine.run(keys)):
            if outcome.result is not None and not outcome.was_reused:
                results.append(outcome.result)
                finished_s.append(time.monotonic() - began)
            if outcome.result is not None and outcome.is_complete:
                yield result_event(project, versions, outcome)
            elif not outcome.is_orphan:
                left_out[outcome.recording_id] = outcome.reason
                logs |= {outcome.log: None} if outcome.log else {}
        yield from _run_observation(versions.spec.key, results, finished_s, engine.log.usage())
        yield from dropped_content(project, context.partition_keys)
    if left_out:
        # The check step does not run after a failed step, and the finished recordings deserve their checks.
        for result in check_results(project, context.partition_keys):
            context.log_event(as_evaluation(result))  # pyright: ignore[reportArgumentType]
        # Logged events are stored with the next one that is yielded.
        yield dg.AssetObservation(versions.spec.key, metadata={"left out": dg.MetadataValue.md(bullets(left_out))})
        raise _failure(left_out, len(context.partition_keys), list(logs))
    yield versions.finish()


def result_event(project: Project, versions: RecordingVersions, outcome: DetectionOutcome) -> dg.AssetMaterialization:
    """The complete results of one recording, for Dagster."""
    assert outcome.result is not None
    return versions.materialization(outcome.recording_id, outcome.result.key, _metadata(project, outcome))


def detection_checks(context: dg.AssetCheckExecutionContext, project: Project) -> Iterator[dg.AssetCheckResult]:
    """The rules that the results of every recording must keep."""
    wanted = {key.name for key in context.op_execution_context.selected_asset_check_keys}
    results = check_results(project, context.op_execution_context.partition_keys)
    yield from (result for result in results if result.check_name in wanted)


def check_results(project: Project, recording_ids: Sequence[str]) -> list[dg.AssetCheckResult]:
    """What the checks of the detections find in these recordings, one result for each check."""
    from badc_assets.detections.verify import results_problems

    problems = results_problems(project.layout, recording_ids)
    return [
        dg.AssetCheckResult(
            check_name=check,
            asset_key=asset_key(project, "detections"),
            passed=not broken,
            metadata={"recordings": len(broken), "broken": dg.MetadataValue.md(bullets(broken))},
        )
        for check, broken in problems.items()
    ]


def as_evaluation(
    result: dg.AssetCheckResult, partition: str | None = None, check: dg.AssetCheckKey | None = None
) -> dg.AssetCheckEvaluation:
    """A result as an event that can be stored outside of a check's own step. `check`: of which, where the result does not say."""
    if check is None:
        assert result.asset_key is not None
        check = dg.AssetCheckKey(result.asset_key, result.check_name or "")
    return dg.AssetCheckEvaluation(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=result.passed,
        metadata=result.metadata,
        severity=result.severity,
        description=result.description,
        partition=partition,
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


def _run_observation(
    asset: dg.AssetKey,
    results: Sequence[ResultStatus],
    finished_s: Sequence[float],
    usage: Mapping[str, GpuUsage],
) -> Iterator[dg.AssetObservation]:
    """What the run did, in numbers and a picture; nothing where all recordings had results already."""
    from badc_assets.inference.telemetry.run_plot import run_picture

    if not results:
        return
    hours = list(accumulate(result.audio_ms / 3_600_000 for result in results))
    worked_s = sum(result.seconds for result in results)
    figures: dict[str, Any] = {
        "recordings analysed": len(results),
        "audio hours": round(hours[-1], 3),
        "times faster than real time, each worker": round(3600 * hours[-1] / max(worked_s, 0.001), 1),
        "times faster than real time, together": round(3600 * hours[-1] / max(finished_s[-1], 0.001), 1),
        "GPU hours": round(sum(result.gpu_seconds for result in results) / 3600, 4),
    }
    for worker, use in usage.items():
        figures[f"{worker}: mean utilisation (%)"] = use.mean_utilisation
        figures[f"{worker}: peak memory (MiB)"] = use.peak_memory_mb
        figures[f"{worker}: mean power (W)"] = use.mean_power_w
        figures[f"{worker}: energy (Wh)"] = use.energy_wh
    picture = run_picture(list(zip(finished_s, hours, strict=True)), usage)
    known = {name: value for name, value in figures.items() if value is not None}
    shown = dg.MetadataValue.md(f"![the run](data:image/png;base64,{picture})")
    yield dg.AssetObservation(asset, metadata={**known, "the run": shown})


def _failure(left_out: dict[str, str], total: int, logs: Sequence[str]) -> dg.Failure:
    """`logs` are the ends of the logs of the programs that failed: the first is shown at once."""
    first = ", ".join(list(left_out)[:20])
    more = f" and {len(left_out) - 20} more" if len(left_out) > 20 else ""
    return dg.Failure(
        description="\n".join(
            [
                f"{len(left_out)} of {total} recordings were left out: {first}{more}. The others are finished.",
                *logs[:1],
            ]
        ),
        metadata={
            "left out": dg.MetadataValue.md(bullets(left_out)),
            **({"logs": dg.MetadataValue.text("\n\n".join(logs[:10]))} if logs else {}),
        },
        allow_retries=False,
    )


def _now() -> datetime:
    return datetime.now(UTC)


CHECKS = {
    "chunks_accounted_for": "Every chunk of the manifest is in the effort table exactly once, and was analysed.",
    "detections_inside_chunks": "Every detection starts in its chunk and ends within its recording.",
    "confidence_in_range": "Every confidence lies in 0..1.",
}


def definitions_for(dataset: Dataset) -> dg.Definitions:
    """The detections, and what must hold for them."""
    return dg.Definitions(
        assets=[
            dataset.asset(
                detections,
                group=GROUP,
                deps=["chunk_manifest", "chunk_status"],
                per_recording=True,
                **placed(dataset.project, "detections", {"badc/stage": "infer", "badc/gpu": "1"}),
                kinds={"python", "parquet"},
                metadata=column_schema(DETECTION_COLUMNS, DESCRIPTIONS),
            )
        ],
        asset_checks=[dataset.multi_check(detection_checks, asset="detections", checks=CHECKS)],
    )
