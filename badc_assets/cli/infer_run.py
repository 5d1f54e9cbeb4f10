"""`badc infer run`: a detector over recordings that are chunked, without Dagster."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from badc_assets.cli.stopping import stoppable
from badc_assets.cli.telling import tell_dagster
from badc_assets.errors import BadcError, printable
from badc_assets.inference.recorded import recorded
from badc_assets.project import Project, changed, load_project
from badc_assets.project_record import run_record


def add_to(group: typer.Typer) -> None:
    """Register the command of this file in its group."""
    group.command()(run)


def run(
    manifests: Annotated[
        list[Path] | None, typer.Argument(help="Chunk manifests of the dataset. Default: all recordings.")
    ] = None,
    detector: Annotated[str | None, typer.Option(help="Detector to run. Default: that of the project.")] = None,
    max_gpus: Annotated[int | None, typer.Option(min=0, help="Use at most this many GPUs.")] = None,
    cpu_workers: Annotated[int | None, typer.Option(min=0, help="Workers on the CPU, beside those on GPUs.")] = None,
    max_retries: Annotated[int | None, typer.Option(min=0, help="How often a failed chunk is tried again.")] = None,
    telemetry_log: Annotated[Path | None, typer.Option(help="Telemetry log. Default: one for each run.")] = None,
    resume_summary: Annotated[
        Path | None, typer.Option(help="Take over what this summary, ours or BADC's, says is done.")
    ] = None,
) -> None:
    """Run the detector on recordings that were chunked; what has results already is left alone.

    Example: badc infer run manifests/GNWT101__GNWT101_20230508_003000.csv --detector stub

    Exit status 1 when a recording has no complete results.
    """
    console = Console()
    project = _changed(
        load_project(), detector=detector, max_gpus=max_gpus, cpu_workers=cpu_workers, max_retries=max_retries
    )
    recording_ids = _recordings(project, manifests or [])
    if resume_summary is not None:
        _take_over(console, project, recording_ids, resume_summary)
    with stoppable(console):
        left_out = _analyse(console, project, recording_ids, telemetry_log)
    tell_dagster(project, console)
    if left_out:
        raise typer.Exit(1)


def _changed(project: Project, *, detector: str | None, **inference: Any) -> Project:
    """The project with what was given on the command line."""
    settings = {name: value for name, value in inference.items() if value is not None}
    inference = project.inference.model_dump() | settings
    return changed(project, {"inference": inference, "detector": detector or project.detector})


def _recordings(project: Project, manifests: list[Path]) -> list[str]:
    from badc_assets.recordings.current import require_catalog

    if not manifests:
        return list(require_catalog(project.layout).all_ids)
    for manifest in manifests:
        is_ours = manifest.absolute() == project.layout.manifest(manifest.stem)
        # One that is not there is the recording's own trouble, and the others go on; unless nobody knows such a recording.
        if not manifest.is_file() and not (is_ours and manifest.stem in require_catalog(project.layout).by_id()):
            raise BadcError(manifest, "there is no chunk manifest", "materialize chunk_manifest for this recording")
        if not is_ours:
            place = project.layout.manifest(manifest.stem).parent
            raise BadcError(manifest, f"is no manifest of this dataset ({place})", "set BADC_DATASET to its dataset")
    return [manifest.stem for manifest in manifests]


def _take_over(console: Console, project: Project, recording_ids: list[str], summary: Path) -> None:
    from badc_assets.inference.resume import resume_from_summary

    resumed = resume_from_summary(project.layout, recording_ids, project.wanted_results, summary)
    console.print(f"{resumed.chunks} chunks taken over from {printable(str(summary))}", markup=False, soft_wrap=True)
    for problem in resumed.not_taken.values():
        console.print(problem, markup=False, highlight=False, soft_wrap=True)


def _analyse(console: Console, project: Project, recording_ids: list[str], log: Path | None) -> dict[str, str]:
    """Run it; returns what was left out, with the reasons."""
    run_id = datetime.now(UTC).strftime("badc-%Y%m%dT%H%M%SZ")

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    def now() -> datetime:
        return datetime.now(UTC)

    engine = project.make_engine(now, run_id, say=say, log=log)
    record = run_record(project, run_id, now, recording_ids)
    table = Table(
        Column("recording", overflow="fold"),
        "chunks failed",
        "detections",
        "times real time",
        Column("device", overflow="fold"),
    )
    left_out: dict[str, str] = {}
    reused = 0
    for outcome in recorded(project.layout, record, engine.run(recording_ids)):
        result = outcome.result
        reused += outcome.was_reused
        if result is not None and not outcome.was_reused:
            speed = f"{result.audio_ms / 1000 / max(result.seconds, 0.001):.0f}"
            where = f"{result.device} {result.precision}".strip()
            table.add_row(outcome.recording_id, str(result.failed_chunks), str(result.detections), speed, where)
        if not outcome.is_complete and not outcome.is_orphan:
            left_out[outcome.recording_id] = outcome.reason
    if table.row_count:
        console.print(table)
    say(f"{len(recording_ids)} recordings: {reused} had results already, {len(left_out)} were left out")
    for recording_id, reason in left_out.items():
        say(f"{recording_id}: {reason}")
    return left_out
