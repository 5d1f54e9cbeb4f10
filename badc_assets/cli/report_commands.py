"""`badc report ...`: BADC's reports from Parquet files of detections, ours or BADC's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from badc_assets.errors import printable

report_app = typer.Typer(help="Reports from Parquet files of detections.", no_args_is_help=True)

ParquetOption = Annotated[Path, typer.Option("--parquet", help="Parquet file of detections.")]
CompatOption = Annotated[
    Literal["badc"] | None,
    typer.Option(help="Count chunks without detections as detections of `none`, as BADC does."),
]
BucketOption = Annotated[int, typer.Option(help="Length of one step of the timeline, in minutes; below 1 means 1.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.add_typer(report_app, name="report")


@report_app.command()
def summary(
    parquet: ParquetOption,
    group_by: Annotated[str, typer.Option(help="`label`, `recording_id` or both, with a comma.")] = "label",
    output: Annotated[Path | None, typer.Option(help="CSV file for all rows. Default: none.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Rows on the screen.")] = 20,
    compat: CompatOption = None,
) -> None:
    """Count detections and average their confidence by label or recording.

    Example: badc report summary --parquet artifacts/aggregate/R.parquet --group-by label,recording_id
    """
    from badc_assets.reports.csvfile import write_csv
    from badc_assets.reports.grouping import grouped

    header, rows = grouped(parquet, [name.strip() for name in group_by.split(",")], as_badc=compat == "badc")
    _show(f"{len(rows)} groups", header, rows[:limit])
    if output is not None:
        write_csv(output, header, rows)
        _say([output])


@report_app.command()
def quicklook(
    parquet: ParquetOption,
    top_labels: Annotated[int, typer.Option(min=1, help="Labels to list.")] = 10,
    top_recordings: Annotated[int, typer.Option(min=1, help="Recordings to list.")] = 5,
    output_dir: Annotated[Path | None, typer.Option(help="Folder for labels.csv, recordings.csv, chunks.csv.")] = None,
    compat: CompatOption = None,
) -> None:
    """Show the most frequent labels and the recordings with most detections; with a folder, write them and all chunks.

    Example: badc report quicklook --parquet artifacts/aggregate/R.parquet --output-dir quicklook
    """
    from badc_assets.reports import summaries
    from badc_assets.reports.canonical import read_canonical
    from badc_assets.reports.settings import ReportSettings

    settings = ReportSettings(quicklook_top_labels=top_labels, quicklook_top_recordings=top_recordings)
    tables = read_canonical([parquet], as_badc=compat == "badc")
    files = summaries.quicklook(summaries.summaries(tables.detections, tables.effort, settings), settings)
    for name in ("labels.csv", "recordings.csv"):
        _show(name.removesuffix(".csv"), *files[name])
    if output_dir is not None:
        _say(summaries.write_files(output_dir, files))


@report_app.command()
def parquet(
    parquet: ParquetOption,
    top_labels: Annotated[int, typer.Option(min=1, help="Labels to list.")] = 20,
    top_recordings: Annotated[int, typer.Option(min=1, help="Recordings to list.")] = 10,
    bucket_minutes: BucketOption = 60,
    output_dir: Annotated[Path | None, typer.Option(help="Folder for the CSV files and summary.json.")] = None,
    compat: CompatOption = None,
) -> None:
    """Labels, recordings and a timeline; with a folder, as CSV files and summary.json.

    Example: badc report parquet --parquet artifacts/aggregate/R.parquet --bucket-minutes 30 --output-dir report
    """
    from badc_assets.reports import summaries
    from badc_assets.reports.canonical import read_canonical
    from badc_assets.reports.settings import ReportSettings

    settings = ReportSettings(
        parquet_top_labels=top_labels, parquet_top_recordings=top_recordings, bucket_minutes=max(1, bucket_minutes)
    )
    tables = read_canonical([parquet], as_badc=compat == "badc")
    found = summaries.summaries(tables.detections, tables.effort, settings)
    files = summaries.parquet_report(found, settings)
    for name, (header, rows) in files.items():
        _show(name.removesuffix(".csv"), header, rows)
    if output_dir is not None:
        written = summaries.write_files(output_dir, files)
        _say([*written, summaries.write_summary(output_dir, found, settings)])


@report_app.command()
def duckdb(
    parquet: ParquetOption,
    database: Annotated[Path, typer.Option(help="DuckDB file to write.")] = Path(
        "artifacts/aggregate/detections.duckdb"
    ),
    bucket_minutes: BucketOption = 60,
    top_labels: Annotated[int, typer.Option(min=1, help="Labels to list.")] = 15,
    top_recordings: Annotated[int, typer.Option(min=1, help="Recordings to list.")] = 10,
    export_dir: Annotated[Path | None, typer.Option(help="Folder for the views as CSV files.")] = None,
    compat: CompatOption = None,
) -> None:
    """Write a DuckDB file with the detections and BADC's views over them; it appears whole, whoever reads the old one.

    Example: badc report duckdb --parquet artifacts/aggregate/R.parquet --database R.duckdb --export-dir exports
    """
    from badc_assets.reports import summaries
    from badc_assets.reports.canonical import read_canonical
    from badc_assets.reports.settings import ReportSettings

    settings = ReportSettings(
        duckdb_top_labels=top_labels, duckdb_top_recordings=top_recordings, bucket_minutes=max(1, bucket_minutes)
    )
    tables = read_canonical([parquet], as_badc=compat == "badc")
    files = summaries.duckdb_exports(
        summaries.summaries(tables.detections, tables.effort, settings, database), settings
    )
    for name, (header, rows) in files.items():
        _show(name.removesuffix(".csv"), header, rows)
    _say([database, *(summaries.write_files(export_dir, files) if export_dir is not None else [])])


@report_app.command()
def bundle(
    parquet: ParquetOption,
    output_dir: Annotated[Path | None, typer.Option(help="Folder for all of it. Default: that of the Parquet.")] = None,
    run_prefix: Annotated[str | None, typer.Option(help="How names begin. Default: the name of the Parquet.")] = None,
    bucket_minutes: BucketOption = 60,
    parquet_top_labels: Annotated[int, typer.Option(min=1, help="Labels in the Parquet report.")] = 20,
    parquet_top_recordings: Annotated[int, typer.Option(min=1, help="Recordings in the Parquet report.")] = 10,
    quicklook_top_labels: Annotated[int, typer.Option(min=1, help="Labels in the quicklook.")] = 10,
    quicklook_top_recordings: Annotated[int, typer.Option(min=1, help="Recordings in the quicklook.")] = 5,
    duckdb_top_labels: Annotated[int, typer.Option(min=1, help="Labels exported from the DuckDB file.")] = 15,
    duckdb_top_recordings: Annotated[int, typer.Option(min=1, help="Recordings exported from it.")] = 10,
    quicklook: Annotated[bool, typer.Option(help="Write the quicklook.")] = True,
    parquet_report: Annotated[bool, typer.Option(help="Write the Parquet report.")] = True,
    duckdb_report: Annotated[bool, typer.Option(help="Write the DuckDB file and its exports.")] = True,
    quicklook_dir: Annotated[Path | None, typer.Option(help="Another folder for the quicklook.")] = None,
    parquet_report_dir: Annotated[Path | None, typer.Option(help="Another folder for the Parquet report.")] = None,
    duckdb_database: Annotated[Path | None, typer.Option(help="Another DuckDB file.")] = None,
    duckdb_export_dir: Annotated[Path | None, typer.Option(help="Another folder for the exports.")] = None,
    compat: CompatOption = None,
) -> None:
    """Quicklook, Parquet report and DuckDB file with its exports, from one Parquet file.

    Example: badc report bundle --parquet artifacts/aggregate/R.parquet --bucket-minutes 30
    """
    from badc_assets.reports.bundle_parts import BundlePlaces, write_parts
    from badc_assets.reports.settings import ReportSettings

    settings = ReportSettings(
        bucket_minutes=max(1, bucket_minutes),
        parquet_top_labels=parquet_top_labels,
        parquet_top_recordings=parquet_top_recordings,
        quicklook_top_labels=quicklook_top_labels,
        quicklook_top_recordings=quicklook_top_recordings,
        duckdb_top_labels=duckdb_top_labels,
        duckdb_top_recordings=duckdb_top_recordings,
    )
    usual = BundlePlaces.beside(output_dir or parquet.parent, run_prefix or parquet.stem)
    places = BundlePlaces(
        quicklook=(quicklook_dir or usual.quicklook) if quicklook else None,
        parquet_report=(parquet_report_dir or usual.parquet_report) if parquet_report else None,
        database=(duckdb_database or usual.database) if duckdb_report else None,
        duckdb_exports=(duckdb_export_dir or usual.duckdb_exports) if duckdb_report else None,
    )
    _say(write_parts(parquet, places, settings, as_badc=compat == "badc"))


@report_app.command()
def aggregate_dir(
    folder: Annotated[Path, typer.Argument(help="Folder with the Parquet files of recordings.")] = Path(
        "artifacts/aggregate"
    ),
    limit: Annotated[
        int | None, typer.Option(min=0, help="Cut the tables. Default: 10 on the screen, all in files.")
    ] = None,
    export_dir: Annotated[Path | None, typer.Option(help="Folder for both tables as CSV files.")] = None,
    compat: CompatOption = None,
) -> None:
    """Totals over all recordings of a folder, by label and by recording.

    Example: badc report aggregate-dir artifacts/aggregate --export-dir totals
    """
    from badc_assets.reports.rollup import LABEL_COLUMNS, roll_up, tables_of, write_rollup
    from badc_assets.reports.views import RECORDING_COLUMNS

    as_badc = compat == "badc"
    paths = tables_of(folder)
    found = roll_up(paths, as_badc=as_badc)
    shown = 10 if limit is None else limit
    _show(f"{len(found.labels)} labels in {len(paths)} files", LABEL_COLUMNS, found.labels[:shown])
    _show(f"{len(found.recordings)} recordings", RECORDING_COLUMNS, found.recordings[:shown])
    if export_dir is not None:
        _say(write_rollup(export_dir, found, shown if as_badc else limit, as_badc=as_badc))


def _show(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(*header, title=printable(title))
    for row in rows:
        table.add_row(*("" if value is None else printable(_text(value)) for value in row))
    Console().print(table)


def _text(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _say(paths: Sequence[Path]) -> None:
    for path in paths:
        print(printable(str(path)))
