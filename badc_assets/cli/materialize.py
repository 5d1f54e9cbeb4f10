"""Run `dagster asset materialize` stage by stage for what is outstanding, and show how it goes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from badc_assets.cli.instance import STORAGE
from badc_assets.cli.materializing import MaterializingProcess
from badc_assets.cli.outstanding import is_published, recordings_without_bundle, work_to_do
from badc_assets.cli.stopping import stoppable
from badc_assets.cli.telling import report_to

if TYPE_CHECKING:
    import dagster as dg

    from badc_assets.project import Project

MATERIALIZED = re.compile(r" - ASSET_MATERIALIZATION - ")
MAX_RANGES = 20
"""More gaps than this are cheaper to run over than to start a run for each: what is done is only looked at."""
MAX_RETRY_RANGES = 100
"""The same for what is tried again, where nothing else should appear in the history."""


@contextmanager
def materializing(environment: dict[str, str], console: Console) -> Iterator[MaterializingProcess]:
    """Something to run stages with. The program ends in the block when it is told to stop."""
    with stoppable(console), MaterializingProcess(environment) as process:
        yield process


@dataclass(frozen=True)
class Materializer:
    """Runs the stages in order. What is done already is not started again."""

    project: Project
    dagster: MaterializingProcess
    console: Console

    def run_all(self, *, bundles: bool) -> bool:
        """True when every recording that is there has results."""
        import dagster as dg

        from badc_assets.defs.jobs import DATASET_WIDE, PER_RECORDING

        started = time.monotonic()
        if not self._materialize("Looking for recordings", ("recording_catalog",), expected=1):
            return False
        with dg.DagsterInstance.get() as instance:
            report_to(instance, self.project, self.console)
            work = work_to_do(self.project, instance)
            is_complete = self._process("Processing recordings", PER_RECORDING, work.recordings, instance)
            if work.unusable:
                self.console.print(f"{len(work.unusable)} recordings cannot be used; `badc status` says why")
            if bundles:
                missing = recordings_without_bundle(self.project, instance)
                is_complete &= self._process("Writing report bundles", ("report_bundle",), missing, instance)
            is_complete &= self._save(instance)
            if is_published(self.project, instance):
                self.console.print("Report: up to date")
            else:
                is_complete &= self._materialize("Building tables and report", DATASET_WIDE, expected=2)
        self.console.print(f"Done in {time.monotonic() - started:.0f} s")
        return is_complete

    def _save(self, instance: dg.DagsterInstance) -> bool:
        """One commit of whatever is not saved yet, where results are saved at all."""
        from badc_assets.defs.names import partition_set
        from badc_assets.provenance.saving import DataladGateway
        from badc_assets.upkeep.saved import unsaved_recordings

        if not self.project.saves_results:
            return True
        known = set(instance.get_dynamic_partitions(partition_set(self.project)))
        unsaved = [key for key in unsaved_recordings(self.project.layout, DataladGateway()) if key in known]
        return self._process("Saving results", ("saved_results",), unsaved, instance, at_most=1)

    def retry(self, broken: Callable[[], Sequence[str]]) -> bool:
        """Look for recordings, then do again those that `broken` names by then. True when they have results."""
        import dagster as dg

        from badc_assets.defs.jobs import PER_RECORDING

        if not self._materialize("Looking for recordings", ("recording_catalog",), expected=1):
            return False
        with dg.DagsterInstance.get() as instance:
            is_good = self._process("Trying again", PER_RECORDING, broken(), instance, at_most=MAX_RETRY_RANGES)
            return self._save(instance) and is_good

    def _process(
        self,
        title: str,
        assets: Sequence[str],
        recording_ids: Sequence[str],
        instance: dg.DagsterInstance,
        at_most: int = MAX_RANGES,
    ) -> bool:
        from badc_assets.defs.names import partition_set

        if not recording_ids:
            self.console.print(f"{title}: nothing to do")
            return True
        ranges = key_ranges(instance.get_dynamic_partitions(partition_set(self.project)), set(recording_ids), at_most)
        done = [
            self._materialize(
                f"{title} ({count})",
                assets,
                expected=count * len(assets),
                arguments=["--partition-range", f"{first}...{last}"],
            )
            for first, last, count in ranges
        ]
        return all(done)

    def _materialize(self, title: str, assets: Sequence[str], *, expected: int, arguments: Sequence[str] = ()) -> bool:
        """Run one command; its whole output goes to a log file, its progress and its errors to the screen."""
        from badc_assets.defs.names import selected

        log = STORAGE / "logs" / f"{time.strftime('%Y%m%dT%H%M%S')}_{assets[0]}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as log_file, _progress(self.console) as progress:
            task = progress.add_task(title, total=expected)

            def read(line: str) -> None:
                log_file.write(line)
                if MATERIALIZED.search(line):
                    progress.advance(task)

            status = self.dagster.materialize(["--select", selected(self.project, assets), *arguments], read)
        if status:
            self.console.print(
                f"[red]not complete:[/] {escape(f'{failure_line(log)} (all output: {log})')}",
                highlight=False,
                soft_wrap=True,
            )
        elif not self.console.is_terminal:
            self.console.print(f"{title}: done")
        return status == 0


def failure_line(log: Path) -> str:
    """The sentence that says why a command failed."""
    lines = log.read_text(errors="replace").splitlines()
    for pattern in (r"were left out|have no results", r"\bFailure: ", r"(BadcError|Error|Failure|Exception)\b.*:"):
        if found := [line for line in lines if re.search(pattern, line)]:
            return found[-1].split("Failure: ")[-1].strip()
    return lines[-1] if lines else "no output"


def key_ranges(keys: Sequence[str], wanted: set[str], at_most: int = MAX_RANGES) -> list[tuple[str, str, int]]:
    """(first, last, count) of the runs of neighbouring keys that hold all of `wanted`, in the order of `keys`; one run over
    everything between where there would be more than `at_most`."""
    positions = [position for position, key in enumerate(keys) if key in wanted]
    ranges: list[list[int]] = []
    for position in positions:
        if ranges and position == ranges[-1][1] + 1:
            ranges[-1][1] = position
        else:
            ranges.append([position, position])
    if len(ranges) > at_most:
        ranges = [[positions[0], positions[-1]]]
    return [(keys[first], keys[last], last - first + 1) for first, last in ranges]


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
