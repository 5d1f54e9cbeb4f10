"""`badc infer monitor` and `badc telemetry`: what runs of detectors do and did."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from badc_assets.errors import BadcError, printable

if TYPE_CHECKING:
    from rich.console import Console

    from badc_assets.inference.telemetry.monitor import Monitor

infer_app = typer.Typer(help="Run detectors, and watch them.", no_args_is_help=True)

LogOption = Annotated[Path | None, typer.Option("--log", help="Log to read. Default: the newest of the dataset.")]
EVENTS_SHOWN = 10


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.add_typer(infer_app, name="infer")
    app.command()(telemetry)


@infer_app.callback()
def infer() -> None:
    """Run detectors, and watch them."""


@infer_app.command()
def monitor(
    log: LogOption = None,
    follow: Annotated[bool, typer.Option("--follow/--once", help="Keep showing what is new until ctrl-C.")] = False,
    tail: Annotated[int, typer.Option(min=0, max=10_000, help="Events to show.")] = 15,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between looks.")] = 5.0,
) -> None:
    """Show the workers of a run, how busy their GPUs are, and the last events. Works while the run goes on.

    Example: badc infer monitor --follow
    """
    from badc_assets.cli.monitor_view import monitor_view, wide_console
    from badc_assets.inference.telemetry.monitor import Monitor
    from badc_assets.inference.telemetry.reader import LogFollower

    path = _chosen(log)
    state = Monitor(LogFollower(path), tail)
    console = wide_console()
    with console.status("Reading the log"):
        state.refresh()
    if follow:
        with suppress(KeyboardInterrupt):
            _follow(state, path, console, interval)
    else:
        console.print(monitor_view(state, str(path)))


def _follow(state: Monitor, path: Path, console: Console, interval: float) -> None:
    """Show the log until ctrl-C: in place on a terminal, else one view after the other."""
    from rich.live import Live

    from badc_assets.cli.monitor_view import monitor_view

    with Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext() as live:
        while True:
            view = monitor_view(state, str(path))
            live.update(view, refresh=True) if live else console.print(view)
            time.sleep(interval)
            state.refresh()


def telemetry(log: LogOption = None) -> None:
    """Print the last events of a run as text."""
    from badc_assets.cli.monitor_view import event_line, wide_console
    from badc_assets.inference.telemetry.reader import count_lines, last_events

    path = _chosen(log)
    events = last_events(path, EVENTS_SHOWN)
    console = wide_console()
    console.print(f"{printable(str(path))}: {count_lines(path)} events", markup=False, highlight=False, soft_wrap=True)
    for event in events:
        console.print(event_line(event), highlight=False, soft_wrap=True)


def _chosen(log: Path | None) -> Path:
    """The log that was named, else the newest of the project's dataset."""
    from badc_assets.inference.telemetry.reader import newest_log
    from badc_assets.project import load_project

    if log is None:
        return newest_log(load_project().layout.telemetry_dir)
    if not log.is_file():
        raise BadcError(log, "there is no such log", "correct --log, or leave it out to see the newest one")
    return log
