"""`badc demo` and `badc sample`: a small dataset with known truth, through the whole graph."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from badc_assets.cli.instance import prepare_instance
from badc_assets.cli.materialize import Materializer, materializing
from badc_assets.files import write_text

SAMPLE = Path("data/sample")

sample_app = typer.Typer(help="A small generated dataset with known truth.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command()(demo)
    app.add_typer(sample_app, name="sample")


def demo() -> None:
    """Make the sample dataset in data/sample, run the whole graph on it, and say how well its calls were found."""
    from badc_assets.project import load_project
    from badc_assets.samples.results import found_in_words

    make(SAMPLE)
    _use_only(SAMPLE)
    project = load_project()
    console = Console()
    with materializing(prepare_instance(), console) as dagster:
        is_complete = Materializer(project, dagster, console).run_all(bundles=True)
    console.print(found_in_words(project.layout), soft_wrap=True)
    compare(SAMPLE)
    console.print(f"Report: {project.layout.report_dir / 'index.html'}", soft_wrap=True)
    console.print("Next: `make ui` shows the same in Dagster's web page.")
    if not is_complete:
        raise typer.Exit(1)


def _use_only(dataset: Path) -> None:
    """For this process and its children: this dataset and no other settings, so that the demo is the same for everybody."""
    from badc_assets.project import PREFIX, PROJECT_FILE

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    project_file = dataset / PROJECT_FILE
    write_text(project_file, f'dataset = "{dataset}"\n')
    os.environ["BADC_PROJECT"] = str(project_file)


@sample_app.command()
def make(folder: Annotated[Path, typer.Argument(help="Where to make it.")] = SAMPLE) -> None:
    """Make the sample dataset, or find that it is there."""
    from badc_assets.samples.synthesis import make_sample_dataset

    sample = make_sample_dataset(folder)
    state = "made" if sample.is_new else "is there already"
    Console().print(
        f"Sample dataset {folder}: {len(sample.audio_paths)} recordings, {len(sample.calls)} calls, {state}",
        soft_wrap=True,
    )


@sample_app.command()
def compare(folder: Annotated[Path, typer.Argument(help="Where it is.")] = SAMPLE) -> None:
    """Compare the detections in the sample dataset with its known calls."""
    from badc_assets.project import load_project
    from badc_assets.samples.agreement import agreement, read_truth
    from badc_assets.samples.results import found_events

    events = found_events(load_project({"BADC_DATASET": str(folder)}).layout)
    result = agreement(read_truth(folder / "truth.csv"), events)
    table = Table("calls", "known", "found", "recall", title="Agreement with the known truth")
    for name, kind in sorted(result.by_type.items()):
        table.add_row(name, str(kind.calls), str(kind.found_calls), _share(kind.recall))
    table.add_row("all", str(result.calls), str(result.found_calls), _share(result.recall))
    console = Console()
    console.print(table)
    console.print(
        f"{result.right_events} of {result.events} events lie on a call: precision {_share(result.precision)}"
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
