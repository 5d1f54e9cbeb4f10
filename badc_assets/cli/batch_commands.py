"""`badc batch`: do again what a run was asked to do. The command in the records that `datalad rerun` reads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from badc_assets.cli.telling import tell_dagster
from badc_assets.detections.run_record import RunRecord, read_run_record
from badc_assets.errors import BadcError

if TYPE_CHECKING:
    from badc_assets.project import Project


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command()(batch)


def batch(
    records: Annotated[list[Path], typer.Argument(help="Records of runs: files in artifacts/runs of a dataset.")],
    again: Annotated[bool, typer.Option("--again", help="Make results anew, also those that are there.")] = False,
) -> None:
    """Examine, chunk and analyse the recordings of former runs, with the settings of those runs and no others.

    What is wrong with a recording is recorded, as it was then. Settings of this folder and the environment play no part.
    """
    from badc_assets.project_record import recorded_project

    console = Console()
    for path in records:
        record = read_run_record(path)
        if record is None:
            raise BadcError(path, "is no record of a run", "name a file in artifacts/runs of a dataset")
        project = recorded_project(record, path.absolute().parents[2])
        _do(project, record, console, again=again)
        tell_dagster(project, console)


def _do(project: Project, record: RunRecord, console: Console, *, again: bool) -> None:
    from badc_assets.chunks.chunking import chunk_recordings
    from badc_assets.inference.recorded import recorded
    from badc_assets.provenance.annex import has_content
    from badc_assets.recordings.current import examine_recordings, update_catalog
    from badc_assets.upkeep.again import forget_results

    def now() -> datetime:
        return datetime.now(UTC)

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    layout = project.layout
    catalog, _ = update_catalog(layout, project.recordings.readers)
    entries = catalog.by_id()
    keys = [key for key in record.recording_ids if key in entries]
    if again:
        forget_results(layout, [key for key in keys if has_content(layout.source(entries[key].audio_path))])
    list(examine_recordings(layout, keys, project.recordings))
    list(chunk_recordings(layout, keys, project.chunking, now))
    engine = project.make_engine(now, record.run_id, say=say)
    outcomes = list(recorded(layout, record, engine.run(keys)))
    for outcome in outcomes:
        if not outcome.is_complete and not outcome.is_orphan:
            say(f"{outcome.recording_id}: {outcome.reason}")
    say(f"{record.run_id}: {sum(outcome.is_complete for outcome in outcomes)} of {len(keys)} recordings have results")
