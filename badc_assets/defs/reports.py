"""What people and other programs read: tables and a database of the whole dataset, BADC's files, and the report."""

import os
from collections import Counter
from collections.abc import Iterator

import dagster as dg

from badc_assets.defs.chunks import bullets, usability_result
from badc_assets.defs.dataset import Dataset
from badc_assets.defs.failures import problems_as_failures
from badc_assets.defs.settings import column_schema, table_schema
from badc_assets.defs.versions import RecordingVersions
from badc_assets.detections.schema import BADC_TYPES, DESCRIPTIONS, DETECTION_COLUMNS, EFFORT_COLUMNS, JOINED_COLUMNS
from badc_assets.project import Project
from badc_assets.reports.bundle_record import StoredBundle

GROUP = "reports"


def report_bundle(
    context: dg.AssetExecutionContext, project: Project
) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult]:
    """BADC's report files for each recording: quicklook, Parquet report, DuckDB file and CSV exports. For
    those who ask for them.
    """
    from badc_assets.reports.bundles import write_bundles

    with problems_as_failures():
        versions = RecordingVersions.begin(context, "report_bundle")
        left_out: dict[str, str] = {}
        for outcome in write_bundles(project.layout, context.partition_keys, project.report):
            if outcome.bundle is None:
                left_out[outcome.recording_id] = outcome.reason
                continue
            bundle = StoredBundle(
                outcome.recording_id, outcome.version, outcome.bundle.detections, len(outcome.bundle.files)
            )
            yield bundle_event(project, versions, bundle)
    if left_out:
        raise dg.Failure(
            description=f"{len(left_out)} recordings have no results to report: {', '.join(list(left_out)[:20])}",
            metadata={"left out": dg.MetadataValue.md(bullets(left_out))},
            allow_retries=False,
        )
    yield versions.finish()


def bundle_event(project: Project, versions: RecordingVersions, bundle: StoredBundle) -> dg.AssetMaterialization:
    """The report bundle of one recording, for Dagster."""
    metadata = {
        "dagster/row_count": bundle.detections,
        "files": bundle.files,
        "folder": dg.MetadataValue.path(str(project.layout.aggregate_dir)),
    }
    return versions.materialization(bundle.recording_id, bundle.version, metadata)


def detection_aggregates(project: Project) -> dg.MaterializeResult:
    """All recordings, effort and detections of the dataset as three sorted Parquet tables and one DuckDB file.

    The file is built beside the old one and swapped in, so nobody who reads it ever meets a lock.
    """
    from dagster_duckdb import DuckDBResource  # loads duckdb, which the web server has no use for

    from badc_assets.recordings.current import require_catalog
    from badc_assets.reports.aggregates import fill_database
    from badc_assets.reports.collecting import collect_tables
    from badc_assets.reports.database import new_database

    with problems_as_failures():
        layout = project.layout
        result = collect_tables(layout, require_catalog(layout).entries)
        with (
            new_database(layout.database) as temporary,
            DuckDBResource(database=os.fspath(temporary)).get_connection() as connection,
        ):
            fill_database(connection, layout, project.report)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(result.digest),
        metadata={
            "dagster/row_count": result.detections,
            "effort rows": result.effort_rows,
            "effort columns": dg.MetadataValue.table_schema(table_schema(EFFORT_COLUMNS, DESCRIPTIONS)),
            "recordings": result.recordings,
            "recordings with results": result.recordings_counted,
            "recordings not changed since the tables before": result.taken_over,
            "hours analysed": round(result.analysed_ms / 3_600_000, 3),
            "hours failed": round(result.failed_ms / 3_600_000, 3),
            "database": dg.MetadataValue.path(str(layout.database)),
            "problems": dg.MetadataValue.md(
                "\n".join(f"- {p.file}: {p.problem}; {p.remedy}" for p in result.problems[:50]) or "none"
            ),
        },
    )


def dataset_report(project: Project) -> dg.MaterializeResult:
    """The page for the ecologist: sites, effort, what was found when, examples to hear, and what failed. One HTML file."""
    from badc_assets.reports.dataset_report import write_dataset_report

    with problems_as_failures():
        report = write_dataset_report(project.layout, project.report)
    page = project.layout.output / report.page
    return dg.MaterializeResult(
        metadata={
            "page": dg.MetadataValue.path(str(page)),
            "open": dg.MetadataValue.url(page.as_uri()),
            "recordings": report.recordings,
            "hours analysed": round(report.analysed_hours, 3),
            "detections": report.detections,
            "failed": report.failed,
            "quarantined": report.quarantined,
            "tables": dg.MetadataValue.md("\n".join(f"- {name}" for name in report.files[1:])),
        },
    )


def aggregates_match_parts(project: Project) -> dg.AssetCheckResult:
    """The dataset-wide tables hold exactly the rows and the effort of the recordings they are made of."""
    from badc_assets.reports.aggregates import check_aggregates

    differences = check_aggregates(project.layout)
    text = "\n".join(f"- {line}" for line in differences[:100]) or "none"
    return dg.AssetCheckResult(passed=not differences, metadata={"differences": dg.MetadataValue.md(text)})


def effort_adds_up(project: Project) -> dg.AssetCheckResult:
    """Every minute of the catalogue is in the effort by site and hour exactly once: analysed, failed, waiting or unusable."""
    from badc_assets.recordings.current import require_catalog
    from badc_assets.reports.site_hours import check_effort

    with problems_as_failures():
        effort = check_effort(project.layout, require_catalog(project.layout).entries)
    text = "\n".join(f"- {line}" for line in effort.differences[:100]) or "none"
    return dg.AssetCheckResult(
        passed=not effort.differences,
        metadata={
            "hours recorded": round(effort.recorded_ms / 3_600_000, 3),
            "recordings of unknown length": effort.unknown_length,
            "differences": dg.MetadataValue.md(text),
        },
    )


def no_overlapping_recordings(project: Project) -> dg.AssetCheckResult:
    """No two recordings of one site and side claim the same time: their calls would count twice, or a clock is wrong."""
    from badc_assets.recordings.current import require_catalog
    from badc_assets.recordings.overlaps import overlaps

    with problems_as_failures():
        found = overlaps(project.layout, require_catalog(project.layout).entries)
    lines = [f"- {o.site}: {o.later} begins {o.by_ms / 1000:g} s before {o.earlier} ends" for o in found[:100]]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"pairs": len(found), "list": dg.MetadataValue.md("\n".join(lines) or "none")},
    )


def recordings_are_usable(project: Project) -> dg.AssetCheckResult:
    """Standing list of recordings that are flagged or quarantined for their file, their place and time, or their sound."""
    from badc_assets.recordings.current import require_catalog
    from badc_assets.reports.progress import suspect_recordings

    found = suspect_recordings(project.layout, require_catalog(project.layout).entries)
    page = project.layout.report_dir / "index.html"
    return usability_result(
        found,
        {
            "all of them": dg.MetadataValue.path(str(project.layout.report_dir / "quality.csv")),
            "with pictures": dg.MetadataValue.url(f"{page.as_uri()}#quality"),
        },
    )


def failed_recordings(project: Project) -> dg.AssetCheckResult:
    """Standing list of what is broken right now: recordings that are quarantined, or whose chunking or analysis failed.

    The job `retry_failed` does exactly these again.
    """
    from badc_assets.recordings.current import require_catalog
    from badc_assets.upkeep.failures import broken_recordings

    broken = broken_recordings(project.layout, require_catalog(project.layout).entries)
    stages = Counter(each.stage for each in broken)
    return dg.AssetCheckResult(
        passed=not broken,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "recordings": len(broken),
            **stages,
            "list": dg.MetadataValue.md(bullets({each.recording_id: str(each) for each in broken})),
        },
    )


def one_detector(project: Project) -> dg.AssetCheckResult:
    """All results come from one detector with one set of settings, so that recordings can be compared."""
    from badc_assets.reports.aggregates import mixed_detectors

    mixed = mixed_detectors(project.layout)
    text = "\n".join(f"- {line}" for line in mixed) or "one"
    return dg.AssetCheckResult(
        passed=not mixed, severity=dg.AssetCheckSeverity.WARN, metadata={"detectors": dg.MetadataValue.md(text)}
    )


CHECKS = (
    aggregates_match_parts,
    effort_adds_up,
    no_overlapping_recordings,
    recordings_are_usable,
    failed_recordings,
    one_detector,
)


def definitions_for(dataset: Dataset) -> dg.Definitions:
    """Bundles, tables and report, with the standing checks of the whole dataset."""
    return dg.Definitions(
        assets=[
            dataset.asset(
                report_bundle,
                group=GROUP,
                deps=["detections"],
                per_recording=True,
                kinds={"duckdb", "csv", "parquet"},
                metadata=column_schema(BADC_TYPES),
            ),
            dataset.asset(
                detection_aggregates,
                group=GROUP,
                deps=["detections"],
                pool="duckdb",
                kinds={"duckdb", "parquet"},
                metadata=column_schema(DETECTION_COLUMNS | JOINED_COLUMNS, DESCRIPTIONS),
            ),
            dataset.asset(
                dataset_report,
                group=GROUP,
                deps=["detection_aggregates"],
                pool="duckdb",
                kinds={"html", "csv"},
            ),
        ],
        asset_checks=[dataset.check(check, asset="detection_aggregates") for check in CHECKS],
    )
