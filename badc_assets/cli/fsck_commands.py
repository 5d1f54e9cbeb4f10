"""`badc fsck`: whether everything that is stored agrees."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from badc_assets.upkeep.fsck import FsckResult

EXIT_DAMAGE = 3
SHOWN = 100


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command()(fsck)


def fsck(
    full: Annotated[bool, typer.Option("--full", help="Also read all sound that is here, and all rows.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")] = False,
) -> None:
    """Compare manifests with sound, results with manifests, and tables with results. Changes nothing.

    Exit status 0: nothing contradicts (content that is not here, orphans and tables that wait are notices); 3: something does;
    1: it could not be checked.
    """
    from badc_assets.project import load_project
    from badc_assets.upkeep.fsck import fsck as looked_through

    project = load_project()
    console = Console(stderr=True)
    with console.status("Looking through the dataset") as status:
        result = looked_through(
            project.layout,
            is_full=full,
            readers=project.recordings.readers,
            progress=lambda count: status.update(f"{count} recordings"),
        )
    if as_json:
        counts = {"damage": len(result.damage), "notices": len(result.notices)}
        print(json.dumps(asdict(result) | counts, indent=2))
    else:
        _show(result, Console())
    if result.damage:
        raise typer.Exit(EXIT_DAMAGE)


def _show(result: FsckResult, console: Console) -> None:
    for kind, findings in (("damage", result.damage), ("notice", result.notices)):
        shown: Counter[str] = Counter()
        for finding in findings:
            shown[finding.rule] += 1
            if shown[finding.rule] <= SHOWN:
                line = f"{kind}: {finding.subject}: {finding.problem}; {finding.remedy}"
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        for rule, count in shown.items():
            if count > SHOWN:
                console.print(f"{kind}: {rule}: {count - SHOWN} more; --json lists them all", highlight=False)
    mode = "full" if result.is_full else "fast"
    console.print(
        f"{result.recordings} recordings looked through ({mode}): {len(result.damage)} damaged, "
        f"{len(result.notices)} notices",
        highlight=False,
    )
