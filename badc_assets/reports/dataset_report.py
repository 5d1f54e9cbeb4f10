"""The page that an ecologist opens: what was recorded, what was analysed, what was found, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from badc_assets.files import write_text
from badc_assets.layout import Layout
from badc_assets.reports import queries
from badc_assets.reports.activity import day_chart, hour_chart, label_hour_table, label_rows, unplaced
from badc_assets.reports.aggregates import mixed_detectors
from badc_assets.reports.charts import short
from badc_assets.reports.csvfile import write_csv
from badc_assets.reports.examples import Examples, examples
from badc_assets.reports.queries import Row, query, report_connection
from badc_assets.reports.settings import ReportSettings
from badc_assets.reports.sound import RECORDING_COLUMNS
from badc_assets.reports.thumbnails import suspects

_COLUMNS = {
    "sites": (
        "site", "recordings", "recordings_analysed", "recordings_quarantined", "recordings_failed",
        "recordings_not_analysed", "recorded_hours", "analysed_hours", "detections", "labels", "detections_per_hour",
        "first_start_local", "last_start_local",
    ),
    "labels": (
        "label", "label_name", "detections", "recordings", "known_sites", "avg_confidence", "max_confidence",
    ),
    "hourly_activity": ("site", "hour", "effort_hours", "detections", "detections_per_hour"),
    "daily_activity": ("site", "day", "effort_hours", "detections", "detections_per_hour"),
    "label_hourly_activity": ("label", "label_name", "hour", "detections", "effort_hours", "detections_per_hour"),
    "effort": (
        "recording_id", "audio_path", "site", "start_local", "start_utc", "recorded_hours", "analysed_hours",
        "failed_hours", "outcome", "detections", "state", "moved_to",
    ),
    "site_hours": (
        "site", "day", "hour", "recordings", "recorded_min", "usable_min", "analysed_min", "failed_min", "waiting_min",
        "unusable_min",
    ),
    "quality": (
        "recording_id", "audio_path", "site", "start_local", "status", "reason", "recorded_hours", *RECORDING_COLUMNS,
    ),
    "failures": (
        "recording_id", "audio_path", "site", "outcome", "reason", "recorded_hours", "failed_hours", "failed_chunks",
    ),
    "best_detections": (
        "recording_id", "audio_path", "site", "label", "label_name", "confidence", "start_ms", "end_ms", "start_local",
        "start_utc", "low_hz", "high_hz", "snr_db", "model_version",
    ),
}  # fmt: skip
"""The CSV files behind the page, and their columns."""

_GROUPED = ("sites", "site_hours", "hourly_activity", "daily_activity", "label_hourly_activity")
"""Tables in which an unknown site, hour or day is a row of its own, named `unknown`."""


@dataclass(frozen=True)
class ReportResult:
    """What was written. `files` are relative to the output folder, the page first; `skipped_clips` says why, one each."""

    page: str
    files: tuple[str, ...]
    page_bytes: int
    recordings: int
    analysed_hours: float
    detections: int
    failed: int
    quarantined: int
    clips: int
    skipped_clips: tuple[str, ...]
    is_stub: bool


@dataclass(frozen=True)
class _Numbers:
    """All numbers of the report. `tables` has one entry for each of `_COLUMNS`."""

    headline: Row
    detectors: list[Row]
    mixed: list[str]
    outcomes: list[Row]
    effort: list[Row]
    tables: dict[str, list[Row]]

    @property
    def is_stub(self) -> bool:
        return any(row["is_stub"] for row in self.detectors)


def write_dataset_report(layout: Layout, settings: ReportSettings) -> ReportResult:
    """Write `index.html`, which needs nothing beside it, and the CSV files behind it, from the dataset-wide tables.

    Raises BadcError when the tables have not been made.
    """
    numbers = _read_numbers(layout, settings)
    clips = examples(layout, numbers.tables["best_detections"], settings)
    page = _page(layout, numbers, clips, settings)
    files = [_write_table(layout.report_dir, name, numbers.tables[name]) for name in _COLUMNS]
    index = layout.report_dir / "index.html"
    write_text(index, page)
    headline = numbers.headline
    return ReportResult(
        page=index.relative_to(layout.output).as_posix(),
        files=tuple(path.relative_to(layout.output).as_posix() for path in [index, *files]),
        page_bytes=len(page.encode()),
        recordings=headline["recordings"],
        analysed_hours=headline["analysed_hours"],
        detections=headline["detections"],
        failed=headline["failed"],
        quarantined=headline["quarantined"],
        clips=len(clips.shown),
        skipped_clips=clips.skipped,
        is_stub=numbers.is_stub,
    )


def _read_numbers(layout: Layout, settings: ReportSettings) -> _Numbers:
    with report_connection(layout, settings) as connection:
        hourly = query(connection, queries.HOURLY)
        return _Numbers(
            headline=query(connection, queries.HEADLINE)[0],
            detectors=query(connection, queries.DETECTORS),
            mixed=mixed_detectors(layout),
            outcomes=query(connection, queries.OUTCOMES),
            effort=query(connection, queries.EFFORT_TOTALS),
            tables={
                "sites": query(connection, queries.SITES),
                "labels": query(connection, queries.LABELS),
                "hourly_activity": hourly,
                "daily_activity": query(connection, queries.DAILY),
                "label_hourly_activity": label_hour_table(query(connection, queries.LABEL_HOURS), hourly),
                "effort": query(connection, queries.EFFORT),
                "site_hours": query(connection, queries.SITE_HOURS),
                "quality": query(connection, queries.QUALITY),
                "failures": query(connection, queries.FAILURES),
                "best_detections": query(connection, queries.BEST),
            },
        )


def _page(layout: Layout, numbers: _Numbers, clips: Examples, settings: ReportSettings) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("badc_assets.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(count=_count, hours=_hours, short=_short, clock=_clock, day=_day, offset=_offset)
    tables = numbers.tables
    hourly = tables["hourly_activity"]
    return environment.get_template("report.html").render(
        dataset=_unicode(layout.dataset.resolve().name),
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        settings=settings,
        headline=numbers.headline,
        detectors=numbers.detectors,
        mixed=numbers.mixed,
        is_stub=numbers.is_stub,
        outcomes=numbers.outcomes,
        effort=numbers.effort,
        suspects=suspects(layout, tables["quality"][: settings.thumbnails]),
        tables=tables,
        hours=hour_chart(hourly),
        days=day_chart(tables["daily_activity"]),
        unplaced=unplaced(hourly),
        heat=label_rows(tables["label_hourly_activity"], hourly, tables["labels"][: settings.page_rows]),
        clips=clips,
    )


def _write_table(folder: Path, name: str, rows: Sequence[Row]) -> Path:
    path = folder / f"{name}.csv"
    columns = _COLUMNS[name]

    def cell(row: Row, column: str) -> Any:
        is_group = name in _GROUPED and column in ("site", "hour", "day")
        return "unknown" if is_group and row[column] is None else row[column]

    write_csv(path, columns, ([cell(row, column) for column in columns] for row in rows))
    return path


def _unicode(name: str) -> str:
    """`name` with bytes that are not UTF-8 written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _count(value: int | None) -> str:
    """1234567 -> 1,234,567; unknown is a dash."""
    return "-" if value is None else f"{value:,}"


def _hours(value: float | None) -> str:
    """Hours with the digits that matter; minutes below one hour."""
    if value is None:
        return "-"
    if 0 < value < 1:
        return f"{value * 60:.1f} min"
    return f"{value:,.1f} h"


def _short(value: float | None) -> str:
    return "-" if value is None else short(value)


def _clock(value: str | None) -> str:
    """An ISO local time as people write it, to the second; the caller says whose clock it is."""
    return "unknown" if value is None else value.replace("T", " ")[:19]


def _day(value: str | None) -> str:
    return "unknown" if value is None else value[:10]


def _offset(ms: int) -> str:
    """Milliseconds as h:mm:ss.s."""
    seconds = ms / 1000
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{seconds % 60:04.1f}"
