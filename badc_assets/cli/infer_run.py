"""`badc infer run` and `run-config`: a detector over chunk manifests or chunked recordings, without Dagster."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from badc_assets.cli.stopping import stoppable
from badc_assets.cli.telling import tell_dagster
from badc_assets.errors import BadcError, printable

if TYPE_CHECKING:
    from badc_assets.inference.outcome import DetectionOutcome
    from badc_assets.stages.detector_choice import DetectorChoice
    from badc_assets.stages.manifest_runs import ManifestRun

PrintOption = Annotated[
    bool, typer.Option("--print-datalad-run", help="Print the `datalad run` command that would do it, and end.")
]


def add_to(group: typer.Typer) -> None:
    """Register the commands of this file in their group."""
    group.command()(run)
    group.command("run-config")(run_config)


def run(
    manifests: Annotated[
        list[Path] | None,
        typer.Argument(help="Chunk manifests, ours or BADC's, of any folder. Default: all recordings of the project."),
    ] = None,
    detector: Annotated[str | None, typer.Option(help="Detector to run. Default: that of the project.")] = None,
    use_hawkears: Annotated[
        bool | None, typer.Option("--use-hawkears/--stub-runner", help="The same as --detector hawkears, or stub.")
    ] = None,
    runner_cmd: Annotated[
        str | None, typer.Option(help="Program to run for each chunk; it gets --input FILE --output FILE.")
    ] = None,
    hawkears_arg: Annotated[
        list[str] | None, typer.Option("--hawkears-arg", help="Passed on to HawkEars. Repeatable.")
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir", "--output", help="Folder for JSON and tables. Default: artifacts/infer of the dataset."
        ),
    ] = None,
    max_gpus: Annotated[int | None, typer.Option(min=0, help="Use at most this many GPUs.")] = None,
    cpu_workers: Annotated[int | None, typer.Option(min=0, help="Workers on the CPU, beside those on GPUs.")] = None,
    max_retries: Annotated[int | None, typer.Option(min=0, help="How often a failed chunk is tried again.")] = None,
    telemetry_log: Annotated[Path | None, typer.Option(help="Telemetry log. Default: one for each run.")] = None,
    resume_summary: Annotated[
        Path | None, typer.Option(help="Take over what this summary, ours or BADC's, says is done.")
    ] = None,
    print_datalad_run: PrintOption = False,
) -> None:
    """Run the detector on the chunks of manifests, or on the recordings of the project; what has results already is left alone.

    Example: badc infer run /data/old/manifests/GNWT-290.csv --use-hawkears --max-gpus 2

    A manifest of the project's own dataset goes through its gate, and its results to the assets' tables. One from elsewhere (or
    with --output-dir, any) gets BADC's JSON for each chunk, and tables beside it. Exit status 1 when a chunk or a recording has
    no results; the others are done.
    """
    from badc_assets.project import load_project
    from badc_assets.stages.detector_choice import DetectorChoice
    from badc_assets.stages.manifest_runs import ManifestRun

    choice = DetectorChoice(
        detector, use_hawkears, runner_cmd, tuple(hawkears_arg or ()), max_gpus, cpu_workers, max_retries
    )
    project = choice.applied(load_project())
    asked = ManifestRun(project, manifests or [], Path.cwd(), output_dir, telemetry_log, resume_summary)
    _do(asked, choice, print_datalad_run=print_datalad_run)


def run_config(
    config: Annotated[Path, typer.Argument(help="TOML file with a table [runner], as BADC has it.")],
    print_datalad_run: PrintOption = False,
) -> None:
    """Run the detector on a chunk manifest as a file says; the same as `infer run` with its options.

    Example: badc infer run-config hawkears-local.toml
    """
    from badc_assets.project import load_project
    from badc_assets.stages.run_config import read_run_config

    asked, choice, notes = read_run_config(config, load_project(), Path.cwd())
    for note in notes:
        typer.echo(printable(note), err=True)
    _do(asked, choice, print_datalad_run=print_datalad_run)


def _do(asked: ManifestRun, choice: DetectorChoice, *, print_datalad_run: bool) -> None:
    from badc_assets.stages.manifest_runs import datalad_lines, divided

    if print_datalad_run:
        if not asked.manifests:
            raise BadcError("--print-datalad-run", "is about manifests, and none is named", "name the manifests")
        for line in datalad_lines(asked, choice):
            print(line)
        return
    console = Console()
    recording_ids, foreign = divided(asked)
    left_out = Report(console)
    with stoppable(console):
        if recording_ids or not asked.manifests:
            _analyse(left_out, asked, recording_ids)
        if foreign is not None:
            _analyse_manifests(left_out, foreign)
    if recording_ids or not asked.manifests:
        tell_dagster(asked.project, console)
    left_out.end()


@dataclass
class Report:
    """What was analysed, and what could not be: (recording, chunk) -> why."""

    console: Console
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    table: Table = field(
        default_factory=lambda: Table(
            Column("recording", overflow="fold"),
            "chunks failed",
            "detections",
            "times real time",
            Column("device", overflow="fold"),
        )
    )

    def say(self, text: str) -> None:
        for line in text.split("\n"):
            self.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

    def add(self, outcome: DetectionOutcome) -> None:
        """A line for a recording that was analysed now."""
        result = outcome.result
        if result is not None and not outcome.was_reused:
            speed = f"{result.audio_ms / 1000 / max(result.seconds, 0.001):.0f}"
            where = f"{result.device} {result.precision}".strip()
            self.table.add_row(
                outcome.recording_id, str(result.failed_chunks), str(result.detections), speed, printable(where)
            )

    def end(self) -> None:
        """Exit status 1 when something has no results."""
        if any(chunk for _, chunk in self.failed):
            table = Table(Column("recording", overflow="fold"), Column("chunk", overflow="fold"), "why it failed")
            for (recording_id, chunk_id), reason in self.failed.items():
                table.add_row(printable(recording_id), printable(chunk_id), printable(reason))
            self.console.print(table)
        if self.failed:
            raise typer.Exit(1)


def _analyse(report: Report, asked: ManifestRun, recording_ids: list[str]) -> None:
    """Recordings of the project's dataset; all of them where none is named."""
    from badc_assets.recordings.current import require_catalog
    from badc_assets.stages import stages

    project = asked.project
    recording_ids = recording_ids or list(require_catalog(project.layout).all_ids)
    if asked.resume is not None:
        report.say(stages.taken_over(project, recording_ids, asked.resume))
    reused = 0
    left_out: dict[str, str] = {}
    for outcome in stages.analysed(project, recording_ids, stages.new_run_id(), report.say, asked.log):
        reused += outcome.was_reused
        report.add(outcome)
        if not outcome.is_complete and not outcome.is_orphan:
            left_out[outcome.recording_id] = outcome.reason
    if report.table.row_count:
        report.console.print(report.table)
    report.say(f"{len(recording_ids)} recordings: {reused} had results already, {len(left_out)} were left out")
    for recording_id, reason in left_out.items():
        report.say(f"{recording_id}: {reason}")
        report.failed[recording_id, ""] = reason


def _analyse_manifests(report: Report, asked: ManifestRun) -> None:
    """Manifests from elsewhere."""
    outcomes = []
    for each in asked.outcomes(report.say):
        outcomes.append(each)
        report.add(each.outcome)
        report.failed |= {(each.recording_id, chunk): reason for chunk, reason in each.failed.items()}
        if each.outcome.refused:
            report.failed[each.recording_id, ""] = each.outcome.refused
            report.say(f"{each.recording_id}: {each.outcome.refused}")
    if report.table.row_count:
        report.console.print(report.table)
    for each in outcomes:
        state = "had results already" if each.outcome.was_reused else f"{len(each.failed)} failed"
        report.say(f"{each.recording_id}: {each.chunks} chunks, {state}: {each.folder}")
