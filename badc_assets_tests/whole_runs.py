"""The whole graph on one dataset, as `badc run` goes through it, and what a person would be shown of a failure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import dagster as dg
import pyarrow as pa

from badc_assets.cli.materialize import failure_line
from badc_assets.cli.outstanding import work_to_do
from badc_assets.detections.store import read_result_status, read_table
from badc_assets.layout import Layout
from badc_assets.project import Project
from badc_assets_tests.defs.running import PER_RECORDING, failure_text, run_assets


def run_all(project: Project, instance: dg.DagsterInstance, *, bundles: bool = False) -> list[str]:
    """Catalogue, process what is outstanding, publish; what the failed stages said."""
    stages = [run_assets(project, instance, ["recording_catalog"])]
    if stages[0].success:
        assets = (*PER_RECORDING, "report_bundle") if bundles else PER_RECORDING
        for recording in [work_to_do(project, instance).recordings]:
            if recording:
                # A range takes along what lies between, which is then found to be done.
                stages.append(run_assets(project, instance, assets, [recording[0], recording[-1]]))
        stages.append(run_assets(project, instance, ["detection_aggregates", "dataset_report"]))
    return [failure_text(stage) for stage in stages if not stage.success]


def shown(log: Path, text: str) -> str:
    """The one line that `badc` shows of a run that printed `text`."""
    log.write_text(text)
    line = failure_line(log)
    assert "\n" not in line
    assert "Traceback" not in line
    return line


def analysed(layout: Layout, recording_ids: Iterable[str]) -> set[str]:
    """The recordings with complete results whose tables can be read."""
    done = set()
    for recording in recording_ids:
        status = read_result_status(layout, recording)
        if status is not None and status.is_complete:
            assert read_table(layout.detections(recording)).num_rows == status.detections
            assert read_table(layout.effort(recording)).num_rows > 0
            done.add(recording)
    return done


def results(layout: Layout, recording: str) -> list[pa.Table]:
    """Effort and detections, without the run that made them and without the time of the file (in its content key)."""
    tables = [read_table(path) for path in (layout.effort(recording), layout.detections(recording))]
    return [table.drop_columns([n for n in ("run_id", "content_key") if n in table.schema.names]) for table in tables]


def temporary_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith((".tmp", ".wal"))]
