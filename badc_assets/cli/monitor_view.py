"""An event log on the screen. What comes from the log is text: it is never markup, and never moves the cursor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from badc_assets.errors import printable
from badc_assets.inference.telemetry.monitor import Monitor, Spread, WorkerRow, sorted_rows, sparkline
from badc_assets.inference.telemetry.reader import TelemetryEvent

STYLES = {"success": "green", "failure": "red", "start": "cyan"}
PIPE_WIDTH = 200
"""Columns of a table that is not shown on a terminal."""


def wide_console() -> Console:
    """A console that does not squeeze tables into 80 columns when its output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, PIPE_WIDTH))


def monitor_view(monitor: Monitor, log: str) -> Group:
    """Two tables: the workers, and the last events."""
    rows = sorted_rows(monitor.rows.values())
    caption = f"{monitor.damaged_lines} damaged lines" if monitor.damaged_lines else None
    return Group(_workers_table(rows, Text(printable(log))), _events_table(monitor.tail, caption))


def event_line(event: TelemetryEvent) -> Text:
    """One event on one line."""
    parts = [event.timestamp, f"[{event.status}]", event.worker, event.chunk_id]
    if event.runtime_s is not None:
        parts.append(f"{event.runtime_s:.2f} s")
    return Text("  ".join(printable(part) for part in [*parts, _remark(event)] if part))


def _workers_table(rows: Sequence[WorkerRow], title: Text) -> Table:
    table = Table(title=title)
    numbers = ("events", "done", "failed", "retries", "failed attempts", "mean s", "GPU %", "max MiB")
    table.add_column("worker")
    for name in numbers:
        table.add_column(name, justify="right")
    for name in ("GPU %", "MiB", "seconds", "last"):
        table.add_column(name)
    for row in rows:
        counts = (row.events, row.successes, row.failures, row.retries, row.failed_attempts)
        table.add_row(
            _text(f"{row.worker}  {row.gpu_name}".strip()),
            *(str(count) for count in counts),
            _rounded(row.runtime.mean, 2),
            _three(row.utilisation),
            _rounded(row.memory_mb.high if row.memory_mb.count else None),
            Text(sparkline(list(row.utilisation.recent), 0, 100)),
            Text(sparkline(list(row.memory_mb.recent), 0)),
            Text(sparkline(list(row.runtime.recent), 0)),
            _last(row.last),
        )
    return table


def _events_table(events: Iterable[TelemetryEvent], caption: str | None) -> Table:
    table = Table("time", "status", "worker", "chunk", "attempt", "seconds", "remark", title="Events", caption=caption)
    for event in events:
        table.add_row(
            _text(event.timestamp),
            _status(event),
            _text(event.worker),
            _text(event.chunk_id),
            str(event.attempt),
            _rounded(event.runtime_s, 2),
            _text(_remark(event)),
        )
    return table


def _remark(event: TelemetryEvent) -> str:
    """The end of the error, or nothing."""
    error = event.details.get("stderr")
    lines = error.strip().splitlines() if event.status == "failure" and isinstance(error, str) else []
    return lines[-1][-120:] if lines else ""


def _last(event: TelemetryEvent | None) -> Text:
    return Text(" ").join([_status(event), _text(event.chunk_id), _text(event.timestamp[11:19])]) if event else Text("")


def _status(event: TelemetryEvent) -> Text:
    return Text(printable(event.status), STYLES.get(event.status, ""))


def _text(value: str) -> Text:
    return Text(printable(value))


def _three(spread: Spread) -> str:
    if not spread.count:
        return ""
    return f"{spread.low:.0f}/{spread.mean or 0:.0f}/{spread.high:.0f}"


def _rounded(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:.{digits}f}"
