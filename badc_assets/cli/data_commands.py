"""`badc data`: bring datasets here, take them away, and see which content is here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from badc_assets.cli.options import JsonOption, print_json
from badc_assets.errors import BadcError
from badc_assets.provenance.connect import (
    KNOWN_URLS,
    Losses,
    connect,
    delete_tree,
    kind_of,
    losses_of,
    plan_connection,
    siblings,
    verified_losses,
)
from badc_assets.provenance.registry import (
    ConnectedDataset,
    read_registry,
    registry_file,
    registry_update,
    valid_name,
)

if TYPE_CHECKING:
    from badc_assets.project import Project

DEFAULT_PATH = Path("data/datalad")
SHOWN = 20

data_app = typer.Typer(help="Datasets on this machine, and which content is here.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="What the dataset is called here, such as bogus.")]
PathOption = Annotated[Path, typer.Option(help="The folder in which datasets are kept.")]
DryOption = Annotated[bool, typer.Option("--dry-run/--apply", help="Only say what would be done.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    data_app.command("connect")(connect_dataset)
    data_app.command("disconnect")(disconnect)
    data_app.command()(status)
    app.add_typer(data_app, name="data")


def connect_dataset(
    name: NameArgument,
    url: Annotated[str | None, typer.Option(help="Its address. Needed unless it is known already.")] = None,
    path: PathOption = DEFAULT_PATH,
    method: Annotated[
        Literal["git", "datalad"] | None, typer.Option(help="Default: datalad where it is installed.")
    ] = None,
    pull: Annotated[bool, typer.Option(help="Bring a dataset that is here up to date.")] = True,
    dry_run: DryOption = False,
) -> None:
    """Clone a dataset, or update the one that is here, and note it in data.toml. Content is not fetched.

    Example: badc data connect bogus --path data/datalad
    """
    console = Console(soft_wrap=True, highlight=False)
    file = registry_file(os.environ)
    known = read_registry(file).get(valid_name(name), ConnectedDataset())
    plan = plan_connection(
        path / name, url or known.url or KNOWN_URLS.get(name, ""), method, pull=pull, here=Path.cwd()
    )
    if dry_run:
        console.print(f"would run: {' '.join(plan.command) or 'nothing'}", markup=False)
        return
    connect(plan)
    with registry_update(file) as datasets:
        datasets[name] = replace(
            datasets.get(name, known),
            path=str(plan.target.absolute()),  # the registry is read from any folder
            url=plan.url,
            method=plan.method,
            status="connected",
            last_connected=_now(),
        )
    console.print(f"{name}: {plan.result} at {plan.target}", markup=False)
    console.print(f"Use it with: export BADC_DATASET={plan.target}", markup=False)


def disconnect(
    name: NameArgument,
    drop_content: Annotated[
        bool, typer.Option("--drop-content/--keep-content", help="Delete its folder as well.")
    ] = False,
    path: PathOption = DEFAULT_PATH,
    even_unsaved: Annotated[bool, typer.Option(help="Delete files and commits too that are nowhere else.")] = False,
    even_only_copies: Annotated[bool, typer.Option(help="Delete content too of which no other copy is known.")] = False,
    dry_run: DryOption = False,
) -> None:
    """Note a dataset as disconnected; with --drop-content delete it, unless something would be lost with it.

    Example: badc data disconnect bogus --dry-run
    """
    console = Console(soft_wrap=True, highlight=False)
    file = registry_file(os.environ)
    known = read_registry(file).get(valid_name(name))
    target = Path(known.path) if known is not None and known.path else path / name
    if known is None and not target.exists():
        raise BadcError(name, f"is not connected, and there is no {target}", "`badc data status` lists the datasets")
    is_to_go = drop_content and target.exists()
    if is_to_go:
        losses = losses_of(target)
        _show(console, losses)
        if not dry_run:
            _require_consent(target, losses, even_unsaved=even_unsaved, even_only_copies=even_only_copies)
            _require_copies(target, losses, even_only_copies=even_only_copies)
            delete_tree(target, Path.cwd())
    if dry_run:
        console.print(
            f"would {'delete' if is_to_go else 'keep'} {target} and note {name} as disconnected", markup=False
        )
        return
    with registry_update(file) as datasets:
        former = datasets.get(name, ConnectedDataset(path=str(target.absolute())))
        datasets[name] = replace(former, status="disconnected", last_disconnected=_now())
    console.print(f"{name}: disconnected, {'deleted' if is_to_go else 'kept'} {target}", markup=False)


def status(
    details: Annotated[bool, typer.Option("--details/--summary", help="Also kind, address and times.")] = False,
    show_siblings: Annotated[bool, typer.Option("--show-siblings/--hide-siblings", help="Also siblings.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the connected datasets, and which recordings of the project's dataset are here. JSON has all details and all names.

    Example: badc data status --details
    """
    from badc_assets.project import load_projects

    console = Console(soft_wrap=True, highlight=False)
    datasets = read_registry(registry_file(os.environ))
    if as_json:
        known = {name: _dataset_as_json(dataset, with_siblings=show_siblings) for name, dataset in datasets.items()}
        print_json({"datasets": known, "recordings": [_content_as_json(project) for project in load_projects()]})
        return
    columns = ["dataset", "state", "here", *(["kind", "method", "url", "connected", "disconnected"] if details else [])]
    table = Table(*columns, "path", title="Datasets")
    for name, dataset in sorted(datasets.items()):
        folder = Path(dataset.path)
        more = [kind_of(folder), dataset.method, dataset.url, dataset.last_connected, dataset.last_disconnected]
        row = [
            name,
            dataset.status,
            "present" if folder.is_dir() else "missing",
            *(more if details else []),
            dataset.path,
        ]
        table.add_row(*(escape(cell) for cell in row))
    if datasets:
        console.print(table)
    for name, dataset in sorted(datasets.items()) if show_siblings else ():
        for sibling, address in siblings(Path(dataset.path)) if kind_of(Path(dataset.path)) != "unknown" else ():
            console.print(f"{name}: sibling {sibling} {address}", markup=False)
    for project in load_projects():
        _show_content(console, project)


def _dataset_as_json(dataset: ConnectedDataset, *, with_siblings: bool) -> dict[str, Any]:
    folder = Path(dataset.path)
    kind = kind_of(folder)
    more = {"siblings": dict(siblings(folder)) if kind != "unknown" else {}} if with_siblings else {}
    return asdict(dataset) | {"is_here": folder.is_dir(), "kind": kind} | more


def _content_as_json(project: Project) -> dict[str, Any]:
    from badc_assets.recordings.content_status import content_status

    is_here = project.layout.audio.is_dir()
    found = asdict(content_status(project.layout)) if is_here else {}
    about = {"name": project.name, "dataset": str(project.layout.dataset), "policy": project.content.policy}
    return about | {"is_here": is_here} | found


def _show_content(console: Console, project: Project) -> None:
    from badc_assets.recordings.content_status import content_status

    console.print(f"Recordings of {project.layout.dataset} (content.policy {project.content.policy})", markup=False)
    if not project.layout.audio.is_dir():
        console.print("it is not here", markup=False)
        return
    found = content_status(project.layout)
    for state, count in found.counts.items():
        console.print(f"  {state}: {count}", markup=False)
    _list(console, "content_missing", found.missing)
    _list(console, "orphaned results", found.orphaned)
    _list(console, "not installed", found.not_installed)


def _show(console: Console, losses: Losses) -> None:
    _list(console, "not saved", losses.unsaved)
    _list(console, "in no other repository", losses.unpushed)
    _list(console, "only copy", losses.only_copies)


def _list(console: Console, title: str, items: Iterable[str]) -> None:
    lines = list(items)
    for line in lines[:SHOWN]:
        console.print(f"{title}: {line}", markup=False)
    if len(lines) > SHOWN:
        console.print(f"{title}: and {len(lines) - SHOWN} more", markup=False)


def _require_consent(target: Path, losses: Losses, *, even_unsaved: bool, even_only_copies: bool) -> None:
    refused = [
        *(["--even-unsaved"] if (losses.unsaved or losses.unpushed) and not even_unsaved else []),
        *(["--even-only-copies"] if losses.only_copies and not even_only_copies else []),
    ]
    if refused:
        problem = (
            f"holds {len(losses.unsaved)} unsaved files, {len(losses.unpushed)} commits and {len(losses.only_copies)} contents "
            "that are nowhere else, and was not deleted"
        )
        raise BadcError(target, problem, f"save and push them, or say {' '.join(refused)}")


def _require_copies(target: Path, losses: Losses, *, even_only_copies: bool) -> None:
    """git-annex has the last word: it asks the other places whether they really have what they are believed to have."""
    if even_only_copies or kind_of(target) == "unknown":
        return
    kept = verified_losses(target)
    if kept:
        problem = (
            f"holds {len(kept)} contents that git-annex could not find elsewhere, such as {kept[0]}; it was not deleted"
        )
        raise BadcError(target, problem, "copy them to a sibling, or say --even-only-copies")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
