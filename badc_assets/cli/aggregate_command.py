"""`badc infer aggregate`: a folder of detection JSON as one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from badc_assets.errors import printable


def add_to(group: typer.Typer) -> None:
    """Register the command of this file in its group."""
    group.command()(aggregate)


def aggregate(
    detections_dir: Annotated[Path, typer.Argument(help="Folder with detection JSON, at any depth.")],
    output: Annotated[Path, typer.Option(help="CSV file to write.")] = Path("artifacts/aggregate/summary.csv"),
    manifest: Annotated[
        Path | None, typer.Option(help="Chunk manifest, for what the JSON does not say of its chunks.")
    ] = None,
    parquet: Annotated[Path | None, typer.Option(help="Parquet file to write as well.")] = None,
    compat: Annotated[
        Literal["badc"] | None,
        typer.Option(help="Write as BADC does: a row `none` for each chunk without detections, no quotes."),
    ] = None,
) -> None:
    """Gather the detections of many chunks in one CSV file, and which chunks there were in another beside it (`_effort.csv`).

    Example: badc infer aggregate artifacts/infer/R --output R.csv --parquet R.parquet

    What cannot be read is named and left out; exit status 1 then.
    """
    from badc_assets.chunks.manifest import read_manifest
    from badc_assets.reports import gathering

    rows_of_chunks = {chunk.chunk_id: chunk for chunk in read_manifest(manifest)} if manifest is not None else None
    gathered = gathering.gather(detections_dir, rows_of_chunks)
    rows = gathering.as_badc(gathered) if compat == "badc" else gathered.detections
    gathering.write_csv_table(output, rows, quoted=compat is None)
    if parquet is not None:
        gathering.write_parquet_table(parquet, rows)
    if compat is None:
        gathering.write_effort(output.with_name(f"{output.stem}_effort.csv"), gathered)
    for problem in gathered.problems:
        typer.echo(printable(problem), err=True)
    print(f"{len(gathered.detections)} detections in {len(gathered.chunks)} chunks: {printable(str(output))}")
    if gathered.problems:
        raise typer.Exit(1)
