"""The answer of `badc chunk probe`, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from badc_assets.errors import printable
from badc_assets.inference.chunk_length.probe import MEASURED, ChunkLength


def show(found: ChunkLength, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print(json.dumps(asdict(found), indent=2))
        return
    console = Console(soft_wrap=True)
    table = Table("seconds", "fits", "took, s", "most memory, MiB", "why not")
    for trial in found.trials:
        memory = "" if trial.peak_memory_mb is None else f"{trial.peak_memory_mb:.0f}"
        took = f"{trial.seconds:.2f}" if trial.seconds else ""
        table.add_row(f"{trial.duration_s:g}", "yes" if trial.fits else "no", took, memory, printable(trial.reason))
    console.print(table)
    for line in _lines(found):
        console.print(printable(line), markup=False, highlight=False)


def _lines(found: ChunkLength) -> list[str]:
    length = "no chunk fits" if found.duration_s is None else f"chunks of up to {found.duration_s:g} s fit"
    if found.strategy != MEASURED:
        limit = f"{found.memory_limit_mb:.0f} MiB" if found.memory_limit_mb else "no limit"
        return [f"{length}: an ESTIMATE ({found.strategy}) against {limit}, not a measurement: {found.note}"]
    where = " ".join(part for part in (found.device, found.precision) if part)
    before = ", measured before (--again measures anew)" if found.is_remembered else ""
    lines = [f"{length} with {found.detector} on {where}{before}"]
    if found.seconds_per_hour is not None:
        lines.append(f"an hour of sound takes {found.seconds_per_hour:g} s")
    return [*lines, *([found.note] if found.note else [])]
