"""Rows of effort and detections turned into the charts of the report: detections per analysed hour."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from badc_assets.reports.charts import BarChart, HeatRow, bar_chart
from badc_assets.reports.queries import Row

MOST_DAY_BARS = 92


@dataclass(frozen=True)
class Unplaced:
    """Effort and detections of recordings whose start is unknown, so that no hour or day can be given."""

    effort_hours: float
    detections: int


def hour_chart(hourly: Sequence[Row]) -> BarChart | None:
    """Detections per analysed hour for each hour of the day, all sites together; None when no time is known."""
    effort, found = _totals(hourly, "hour")
    if not effort:
        return None
    rates = [_rate(found[hour], effort[hour]) for hour in range(24)]
    names = [f"{hour:02d}" for hour in range(24)]
    return bar_chart(rates, names, [effort[hour] for hour in range(24)], "hour of day", most_labels=12)


def day_chart(daily: Sequence[Row]) -> BarChart | None:
    """Detections per analysed hour by day, or by spans of days where there are very many; None when no day is known."""
    effort, found = _totals(daily, "day")
    if not effort:
        return None
    first, last = min(effort), max(effort)
    days = (last - first).days + 1
    span = math.ceil(days / MOST_DAY_BARS)
    rates: list[float | None] = []
    names: list[str] = []
    efforts: list[float] = []
    for start in range(0, days, span):
        group = [first + timedelta(days=start + i) for i in range(min(span, days - start))]
        efforts.append(sum(effort.get(day, 0.0) for day in group))
        rates.append(_rate(sum(found.get(day, 0) for day in group), efforts[-1]))
        names.append(group[0].isoformat())
    title = "day" if span == 1 else f"{span} days from"
    return bar_chart(rates, names, efforts, title, most_labels=5)


def unplaced(hourly: Sequence[Row]) -> Unplaced | None:
    """What the charts leave out because its time is unknown; None when that is nothing."""
    rows = [row for row in hourly if row["hour"] is None]
    if not rows:
        return None
    return Unplaced(sum(row["effort_hours"] for row in rows), sum(row["detections"] or 0 for row in rows))


def label_rows(label_hours: Sequence[Row], hourly: Sequence[Row], labels: Sequence[Row]) -> tuple[HeatRow, ...]:
    """One row of 24 hours for each of `labels`, in their order; hours without effort are None."""
    effort, _ = _totals(hourly, "hour")
    found: defaultdict[tuple[str, str], defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in label_hours:
        if row["hour"] is not None:
            found[row["label"], row["label_name"]][row["hour"]] += row["detections"]
    rows = []
    for label in labels:
        counts = found[label["label"], label["label_name"]]
        rates = tuple(_rate(counts[hour], effort.get(hour, 0.0)) for hour in range(24))
        rows.append(HeatRow(label["label_name"] or label["label"] or "unknown", rates))
    return tuple(rows) if effort else ()


def label_hour_table(label_hours: Sequence[Row], hourly: Sequence[Row]) -> list[Row]:
    """`label_hours` with the effort of the hour, and the rate, all sites together."""
    effort, _ = _totals(hourly, "hour")
    lost = unplaced(hourly)
    table = []
    for row in label_hours:
        hours = effort.get(row["hour"], 0.0) if row["hour"] is not None else (lost.effort_hours if lost else 0.0)
        rate = _rate(row["detections"], hours)
        table.append({**row, "effort_hours": round(hours, 6), "detections_per_hour": rate and round(rate, 6)})
    return table


def _totals(rows: Sequence[Row], key: str) -> tuple[defaultdict[Any, float], defaultdict[Any, int]]:
    """Effort (hours) and detections summed over sites, for each known hour or day that has effort."""
    effort: defaultdict[Any, float] = defaultdict(float)
    found: defaultdict[Any, int] = defaultdict(int)
    for row in rows:
        if row[key] is not None and row["effort_hours"] > 0:
            effort[row[key]] += row["effort_hours"]
            found[row[key]] += row["detections"] or 0
    return effort, found


def _rate(detections: int, effort_hours: float) -> float | None:
    return detections / effort_hours if effort_hours > 0 else None
