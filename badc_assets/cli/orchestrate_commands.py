"""`badc chunk orchestrate`, `badc infer orchestrate` and `badc pipeline run`: the stages over a dataset, without Dagster."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from badc_assets.cli.stopping import stoppable
from badc_assets.cli.telling import tell_dagster
from badc_assets.errors import BadcError, printable

if TYPE_CHECKING:
    from badc_assets.project import Project
    from badc_assets.recordings.model import CatalogEntry
    from badc_assets.stages.detector_choice import DetectorChoice

pipeline_app = typer.Typer(help="All stages over a dataset.", no_args_is_help=True)

DatasetArgument = Annotated[Path | None, typer.Argument(help="Dataset. Default: that of the project.")]
PatternOption = Annotated[str, typer.Option(help="File names to take, such as '*.wav'; their case does not matter.")]
DurationOption = Annotated[float | None, typer.Option(help="Length of a chunk in seconds. Default: the project's, 60.")]
OverlapOption = Annotated[float | None, typer.Option(help="Seconds that a chunk repeats. Default: the project's, 0.")]
LimitOption = Annotated[int, typer.Option(min=0, help="At most so many recordings; 0 means all.")]
ApplyOption = Annotated[bool, typer.Option("--apply/--plan-only", help="Do it, or only show the plan.")]
PlanCsvOption = Annotated[Path | None, typer.Option(help="Write the plan as CSV.")]
PlanJsonOption = Annotated[Path | None, typer.Option(help="Write the plan as JSON.")]
RecordOption = Annotated[bool, typer.Option(help="Save what was made as one commit of a DataLad dataset.")]
DetectorOption = Annotated[str | None, typer.Option(help="Detector. Default: the project's.")]
HawkEarsOption = Annotated[
    bool | None, typer.Option("--use-hawkears/--stub-runner", help="The same as --detector hawkears, or stub.")
]
HawkEarsArgOption = Annotated[
    list[str] | None, typer.Option("--hawkears-arg", help="Passed on to HawkEars. Repeatable.")
]
GpusOption = Annotated[int | None, typer.Option(min=0, help="Use at most this many GPUs.")]
CpuOption = Annotated[int | None, typer.Option(min=0, help="Workers on the CPU, beside those on GPUs.")]
BucketOption = Annotated[int, typer.Option("--bundle-bucket-minutes", min=1, help="Step of the bundles' timeline.")]
PrintOption = Annotated[
    bool, typer.Option("--print-datalad-run", help="Print a `datalad run` command for each recording, and end.")
]
WriteOption = Annotated[
    bool,
    typer.Option("--write-chunks/--no-write-chunks", help="Also write the chunks as WAV files, for other programs."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Say what became of it as JSON.")]


def add_to(app: typer.Typer, chunk: typer.Typer, infer: typer.Typer, report: typer.Typer) -> None:
    """Register the commands of this file."""
    report.command("dataset")(report_dataset)
    chunk.command("orchestrate")(chunk_orchestrate)
    infer.command("orchestrate")(infer_orchestrate)
    app.add_typer(pipeline_app, name="pipeline")


@pipeline_app.callback()
def pipeline() -> None:
    """All stages over a dataset."""


def chunk_orchestrate(
    dataset: DatasetArgument = None,
    pattern: PatternOption = "*",
    chunk_duration: DurationOption = None,
    overlap: OverlapOption = None,
    include_existing: Annotated[
        bool, typer.Option("--include-existing/--skip-existing", help="Also what is done.")
    ] = False,
    limit: LimitOption = 0,
    apply: ApplyOption = False,
    plan_csv: PlanCsvOption = None,
    plan_json: PlanJsonOption = None,
    write_chunks: WriteOption = False,
    workers: Annotated[int, typer.Option(min=1, help="Recordings to read at a time.")] = 1,
    print_datalad_run: PrintOption = False,
    record_datalad: RecordOption = True,
    as_json: JsonOption = False,
) -> None:
    """Chunk the recordings of a dataset that are not chunked with these settings. Chunks are virtual: no audio is copied, unless
    WAV files are asked for.

    Example: badc chunk orchestrate /data/site-2024 --chunk-duration 30 --workers 4 --apply

    With --write-chunks the files and a manifest of them (`wav_chunks.csv`) are in artifacts/chunks/ID. Can be run again at any
    time. Exit status 1 when a recording failed; the others are done.
    """
    from badc_assets.stages import datalad_lines, stages

    project = _changed(_project(dataset), chunking=_given(length_s=chunk_duration, overlap_s=overlap))
    choice = stages.Choice(pattern, include_existing, limit)
    entries = stages.to_chunk(project, choice)
    if write_chunks:
        entries = stages.to_cut(project, choice, entries)
    _write_plans(project, entries, (plan_csv, plan_json))
    if print_datalad_run:
        print(*datalad_lines.chunk_lines(project, entries, write_chunks=write_chunks), sep="\n")
        return
    if not apply:
        _show_plan("to chunk", entries)
        return
    report = Report(as_json=as_json)
    with stoppable(report.console):
        _chunk(project, entries, report, again=include_existing, workers=workers)
        if write_chunks:
            _cut(project, entries, report, workers)
        if record_datalad:
            stages.saved(project, [entry.recording_id for entry in entries])
    report.end(project)


def infer_orchestrate(
    dataset: DatasetArgument = None,
    pattern: PatternOption = "*",
    chunk_plan: Annotated[Path | None, typer.Option(help="Only the recordings of this plan, ours or BADC's.")] = None,
    allow_partial_chunks: Annotated[
        bool,
        typer.Option(
            "--allow-partial-chunks/--require-complete-chunks", help="Also recordings whose chunking has not completed."
        ),
    ] = False,
    include_existing: Annotated[
        bool, typer.Option("--include-existing/--skip-existing", help="Also what is done.")
    ] = False,
    limit: LimitOption = 0,
    detector: DetectorOption = None,
    use_hawkears: HawkEarsOption = None,
    hawkears_arg: HawkEarsArgOption = None,
    max_gpus: GpusOption = None,
    cpu_workers: CpuOption = None,
    apply: ApplyOption = False,
    plan_csv: PlanCsvOption = None,
    plan_json: PlanJsonOption = None,
    print_datalad_run: PrintOption = False,
    record_datalad: RecordOption = True,
    bundle: Annotated[bool, typer.Option(help="Also write BADC's report files of each recording.")] = False,
    bundle_bucket_minutes: BucketOption = 60,
    bundle_rollup: Annotated[
        bool, typer.Option("--bundle-rollup/--bundle-no-rollup", help="And totals over them.")
    ] = False,
    bundle_rollup_limit: Annotated[int | None, typer.Option(min=1, help="Cut the totals. Default: all rows.")] = None,
    bundle_rollup_export_dir: Annotated[Path | None, typer.Option(help="Folder for the totals.")] = None,
    as_json: JsonOption = False,
    sockeye_script: Annotated[
        Path | None, typer.Option(help="Write a SLURM array script for the plan, and end.")
    ] = None,
    sockeye_job_name: Annotated[str, typer.Option(help="Name of the job.")] = "badc-infer",
    sockeye_account: Annotated[str, typer.Option(help="Account to charge.")] = "",
    sockeye_partition: Annotated[str, typer.Option(help="Partition of the cluster.")] = "",
    sockeye_gres: Annotated[str, typer.Option(help="Such as gpu:1.")] = "",
    sockeye_time: Annotated[str, typer.Option(help="Time limit of a task, such as 04:00:00.")] = "",
    sockeye_cpus_per_task: Annotated[str, typer.Option(help="Cores of a task.")] = "",
    sockeye_mem: Annotated[str, typer.Option(help="Memory of a task, such as 16G.")] = "",
    sockeye_log_dir: Annotated[str, typer.Option(help="Folder for logs. Default: artifacts/logs/slurm.")] = "",
    sockeye_throttle: Annotated[int, typer.Option(min=0, help="At most so many tasks at a time; 0 means all.")] = 0,
    sockeye_max_array: Annotated[int, typer.Option(min=1, help="Longest array of the cluster.")] = 1000,
    sockeye_bundle: Annotated[
        bool, typer.Option("--sockeye-bundle/--sockeye-no-bundle", help="Reports and totals by a job that comes after.")
    ] = False,
    sockeye_bundle_bucket_minutes: Annotated[int, typer.Option(min=1, help="Step of their timeline.")] = 60,
) -> None:
    """Run the detector over the recordings that have no results yet. One whose chunking has not completed holds back only itself.

    Example: badc infer orchestrate /data/site-2024 --use-hawkears --apply --bundle

    Can be run again at any time: what is done is kept, and chunks of an interrupted run too. Exit status 1 when a recording has
    no results.
    """
    from badc_assets.recordings.current import require_catalog
    from badc_assets.slurm.array_script import SlurmOptions
    from badc_assets.stages import datalad_lines, plans, stages
    from badc_assets.stages.on_slurm import write_array_script

    choice = _choice(detector, use_hawkears, hawkears_arg, max_gpus, cpu_workers)
    project = choice.applied(_project(dataset))
    partial = {"allow_partial_chunks": True} if allow_partial_chunks else {}
    project = _changed(project, report={"bucket_minutes": bundle_bucket_minutes}, inference=partial)
    catalog = require_catalog(project.layout)
    among = list(catalog.entries)
    if chunk_plan is not None:
        wanted = set(plans.read_plan(chunk_plan, among))
        among = [entry for entry in among if entry.recording_id in wanted]
    entries = stages.to_analyse(project, stages.Choice(pattern, include_existing, limit), among)
    _write_plans(project, entries, (plan_csv, plan_json))
    if sockeye_script is not None:
        options = SlurmOptions(
            sockeye_job_name,
            sockeye_account,
            sockeye_partition,
            sockeye_gres,
            sockeye_time,
            sockeye_cpus_per_task,
            sockeye_mem,
            sockeye_log_dir,
            sockeye_throttle,
            sockeye_max_array,
        )
        after = sockeye_bundle_bucket_minutes if sockeye_bundle else None
        write_array_script(project, _ids(entries), sockeye_script, options, after)
        print(f"{len(entries)} recordings: start it with `bash {printable(str(sockeye_script))}`")
        return
    if print_datalad_run:
        print(*datalad_lines.infer_lines(project, entries, choice), sep="\n")
        return
    if not apply:
        _show_plan("to analyse", entries)
        return
    report = Report(as_json=as_json)
    with stoppable(report.console):
        _analyse(project, entries, report)
        if bundle:
            _bundle(project, among, report)
        if bundle and bundle_rollup:
            stages.rolled_up(project, _ids(among), bundle_rollup_export_dir, bundle_rollup_limit)
        if record_datalad:
            stages.saved(project, _ids(entries))
    report.end(project)


def report_dataset(
    dataset: DatasetArgument = None,
    bucket_minutes: Annotated[int, typer.Option(min=1, help="Step of the timelines.")] = 60,
    rollup_limit: Annotated[int | None, typer.Option(min=1, help="Cut the totals. Default: all rows.")] = None,
    export_dir: Annotated[Path | None, typer.Option(help="Folder for the totals.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write BADC's report files of every recording that has results, and totals over them.

    Example: badc report dataset /data/site-2024 --bucket-minutes 30
    """
    from badc_assets.recordings.current import require_catalog
    from badc_assets.stages import stages

    project = _changed(_project(dataset), report={"bucket_minutes": bucket_minutes})
    entries = [each for each in require_catalog(project.layout).entries if each.state != "vanished"]
    report = Report(as_json=as_json)
    _bundle(project, entries, report)
    stages.rolled_up(project, _ids(entries), export_dir, rollup_limit)
    report.end(project)


@pipeline_app.command()
def run(
    dataset: DatasetArgument = None,
    chunk_plan: Annotated[
        Path, typer.Option(help="Where the plan of the chunking goes, in the dataset's results.")
    ] = Path("plans/pipeline_chunks.json"),
    chunk_pattern: PatternOption = "*",
    chunk_duration: DurationOption = None,
    chunk_overlap: OverlapOption = None,
    chunk_limit: LimitOption = 0,
    chunk_workers: Annotated[int, typer.Option(min=1, help="Recordings to read at a time while chunking.")] = 1,
    write_chunks: WriteOption = False,
    detector: DetectorOption = None,
    use_hawkears: HawkEarsOption = None,
    hawkears_arg: HawkEarsArgOption = None,
    max_gpus: GpusOption = None,
    cpu_workers: CpuOption = None,
    bundle: Annotated[bool, typer.Option(help="Write BADC's report files of each recording.")] = True,
    bundle_bucket_minutes: BucketOption = 30,
    bundle_rollup: Annotated[
        bool, typer.Option("--bundle-rollup/--bundle-no-rollup", help="And totals over them.")
    ] = True,
    bundle_rollup_limit: Annotated[int | None, typer.Option(min=1, help="Cut the totals. Default: all rows.")] = None,
    bundle_rollup_export_dir: Annotated[Path | None, typer.Option(help="Folder for the totals.")] = None,
    record_datalad: RecordOption = True,
    as_json: JsonOption = False,
) -> None:
    """Chunk, analyse, and report a whole dataset; what is done already is found and kept.

    Example: badc pipeline run /data/site-2024 --use-hawkears

    The detector is the project's unless one is named (BADC ran the stub). Exit status 1 when a recording was left out; the others
    are done.
    """
    from badc_assets.recordings.current import require_catalog
    from badc_assets.stages import stages

    project = _choice(detector, use_hawkears, hawkears_arg, max_gpus, cpu_workers).applied(_project(dataset))
    project = _changed(
        project,
        chunking=_given(length_s=chunk_duration, overlap_s=chunk_overlap),
        report={"bucket_minutes": bundle_bucket_minutes},
    )
    report = Report(as_json=as_json)
    with stoppable(report.console):
        choice = stages.Choice(chunk_pattern, limit=chunk_limit)
        entries = stages.to_chunk(project, choice)
        _write_plans(project, entries, (project.layout.output / chunk_plan,))
        _chunk(project, entries, report, workers=chunk_workers)
        everything = choice.matching(require_catalog(project.layout).entries)
        good = [entry for entry in everything if entry.recording_id not in report.left_out]
        if write_chunks:
            _cut(project, good, report, chunk_workers)
        _analyse(project, good, report)
        if bundle:
            _bundle(project, everything, report)
        if bundle and bundle_rollup:
            stages.rolled_up(project, _ids(everything), bundle_rollup_export_dir, bundle_rollup_limit)
        if record_datalad:
            stages.saved(project, _ids(everything))
    report.end(project)


class Report:
    """What became of each stage, for a person or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(stderr=as_json, soft_wrap=True)
        self.left_out: dict[str, str] = {}
        self.stages: dict[str, dict[str, int]] = {}

    def say(self, text: str) -> None:
        self.console.print(printable(text), markup=False, highlight=False)

    def stage(self, name: str, recordings: int, done: int, reused: int, failed: dict[str, str]) -> None:
        self.stages[name] = {"recordings": recordings, "done": done, "found done": reused, "left out": len(failed)}
        self.left_out |= failed
        self.say(f"{name}: {recordings} recordings, {done} done, {reused} found done, {len(failed)} left out")

    def end(self, project: Project) -> None:
        """Dagster is told. Exit status 1 when something was left out."""
        tell_dagster(project, self.console)
        if self.as_json:
            print(json.dumps({"stages": self.stages, "left_out": self.left_out}, indent=2))
        elif self.left_out:
            table = Table("recording", "why it was left out")
            for recording_id, reason in self.left_out.items():
                table.add_row(printable(recording_id), printable(reason))
            self.console.print(table)
        if self.left_out:
            raise typer.Exit(1)


def _chunk(
    project: Project, entries: list[CatalogEntry], report: Report, *, again: bool = False, workers: int = 1
) -> None:
    from badc_assets.stages import stages

    outcomes = list(stages.chunked(project, _ids(entries), again=again, workers=workers))
    failed = {outcome.recording_id: outcome.reason for outcome in outcomes if not outcome.is_complete}
    reused = sum(outcome.was_reused for outcome in outcomes if outcome.is_complete)
    report.stage("chunking", len(entries), len(outcomes) - len(failed) - reused, reused, failed)


def _cut(project: Project, entries: list[CatalogEntry], report: Report, workers: int) -> None:
    from badc_assets.stages import stages

    there = [entry.recording_id for entry in entries if entry.recording_id not in report.left_out]
    outcomes = list(stages.cut_to_files(project, there, workers))
    failed = {outcome.recording_id: outcome.reason for outcome in outcomes if outcome.reason}
    reused = sum(outcome.was_reused for outcome in outcomes)
    report.stage("WAV files", len(there), len(outcomes) - len(failed) - reused, reused, failed)


def _analyse(project: Project, entries: list[CatalogEntry], report: Report) -> None:
    from badc_assets.stages import stages

    outcomes = list(stages.analysed(project, _ids(entries), stages.new_run_id(), report.say))
    failed = {each.recording_id: each.reason for each in outcomes if not each.is_complete and not each.is_orphan}
    reused = sum(outcome.was_reused for outcome in outcomes if outcome.is_complete)
    done = sum(outcome.is_complete for outcome in outcomes) - reused
    report.stage("analysis", len(entries), done, reused, failed)


def _bundle(project: Project, entries: list[CatalogEntry], report: Report) -> None:
    from badc_assets.stages import stages

    there = [entry.recording_id for entry in entries if entry.recording_id not in report.left_out]
    failed = stages.bundled(project, there)
    report.stage("bundles", len(there), len(there) - len(failed), 0, failed)


def _ids(entries: Iterable[CatalogEntry]) -> list[str]:
    return [entry.recording_id for entry in entries]


def _project(dataset: Path | None) -> Project:
    from badc_assets.project import changed, load_project

    project = load_project()
    if dataset is None:
        return project
    if not dataset.is_dir():
        raise BadcError(dataset, "there is no such dataset", "name the folder with the recordings")
    return changed(project, {"dataset": dataset, "audio": None})


def _changed(project: Project, **tables: dict[str, Any]) -> Project:
    """The project with what was given on the command line."""
    from badc_assets.project import changed

    values = project.model_dump()
    return changed(project, {name: values[name] | table for name, table in tables.items()})


def _choice(
    detector: str | None,
    use_hawkears: bool | None,
    hawkears_args: list[str] | None,
    max_gpus: int | None,
    cpu_workers: int | None,
) -> DetectorChoice:
    from badc_assets.stages.detector_choice import DetectorChoice

    return DetectorChoice(
        detector,
        use_hawkears,
        hawkears_args=tuple(hawkears_args or ()),
        max_gpus=max_gpus,
        cpu_workers=cpu_workers,
    )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _write_plans(project: Project, entries: list[CatalogEntry], paths: Iterable[Path | None]) -> None:
    from badc_assets.stages import plans

    rows = plans.planned(project.layout, entries, project.chunking)
    for path in paths:
        if path is not None:
            plans.write_plan(path, rows)


def _show_plan(what: str, entries: list[CatalogEntry]) -> None:
    for entry in entries:
        state = "" if entry.state == "present" else f" ({entry.state.replace('_', ' ')})"
        print(printable(f"{entry.recording_id}{state}"))
    print(f"{len(entries)} recordings {what}; --apply does it")
