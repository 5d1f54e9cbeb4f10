"""Measure what the project promises: `make bench`. Needs about 8 GB of disk in the temporary folder and ten minutes.

CPU seconds are medians of whole processes; start-up is measured for itself and taken off where a line says so.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.energy import energy
from benchmarks.gpu import gpu
from benchmarks.inference import inference
from benchmarks.measure import cost_of
from benchmarks.sounds import many_files, recording

SHORT_RECORDINGS = 500
CATALOGUED = 100_000
EXAMINED = 2_000


class Bench:
    """A folder for sounds and outputs, and the table of results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = Table("what", "result", "wanted", title="badc_assets")
        self._numbers = count()

    def output(self) -> str:
        return str(self.folder / "out" / str(next(self._numbers)))

    def fresh_cost(self, task: str, dataset: Path, runs: int = 3):
        """Cost of a task that must find an empty output folder each time."""
        costs = [cost_of(task, str(dataset), self.output(), runs=1) for _ in range(runs)]
        return sorted(costs, key=lambda cost: cost.cpu_s)[runs // 2], max(cost.peak_mb for cost in costs)

    def row(self, what: str, result: str, wanted: str = "") -> None:
        self.table.add_row(what, result, wanted)
        print(f"{what}: {result}", flush=True)


def imports(bench: Bench) -> None:
    bench.row("importing the definitions", f"{cost_of('import_definitions').cpu_s:.2f} CPU s", "<= 2")


def chunking(bench: Bench) -> None:
    """An hour of 44.1 kHz mono WAV, against reading alone and against cutting files."""
    hour = recording(bench.folder / "hour/a.wav", seconds=3600, rate_hz=44_100)
    tiny = recording(bench.folder / "tiny/a.wav", seconds=1, rate_hz=44_100)
    start, _ = bench.fresh_cost("import_chunking", tiny.parent)
    chunk, peak_mb = bench.fresh_cost("chunk", hour.parent)
    read = cost_of("read_samples", str(hour)).cpu_s - cost_of("read_samples", str(tiny)).cpu_s
    cut = [cost_of("cut_files", str(hour), bench.output(), runs=1).cpu_s for _ in range(3)]
    nothing = cost_of("nothing").cpu_s
    bench.row("verify, hash, manifest: 1 h, beyond start-up", f"{chunk.cpu_s - start.cpu_s:.3f} CPU s", "<= 0.5")
    bench.row("  memory", f"{peak_mb:.0f} MB")
    bench.row("  reading alone", f"{read:.3f} CPU s")
    bench.row("  cutting WAV files and hashing them instead", f"{sorted(cut)[1] - nothing:.3f} CPU s")
    bench.row("  start-up", f"{start.cpu_s:.2f} CPU s")


def cataloguing(bench: Bench) -> None:
    """Many files, the first time and again; then what is known of some of them, the first time and again."""
    many = many_files(bench.folder / "many", CATALOGUED)
    output = bench.output()
    for what in ("first", "second"):
        cost = cost_of("scan", str(many), output, runs=1)
        bench.row(
            f"{what} scan of {CATALOGUED} files", f"{cost.cpu_s:.1f} CPU s, {cost.wall_s:.1f} s, {cost.peak_mb:.0f} MB"
        )
    few = many_files(bench.folder / "few", EXAMINED)
    output = bench.output()
    scan = cost_of("scan", str(few), bench.output(), runs=1)
    for what in ("first", "second"):
        cost = cost_of("examine", str(few), output, runs=1)
        each_ms = 1000 * (cost.cpu_s - scan.cpu_s) / EXAMINED
        bench.row(f"{what} examination, each of {EXAMINED} files", f"{each_ms:.2f} CPU ms, {cost.wall_s:.1f} s for all")


def detecting(bench: Bench) -> None:
    hour = recording(bench.folder / "hour/a.wav", seconds=3600, rate_hz=44_100)
    chunk, _ = bench.fresh_cost("chunk", hour.parent, runs=1)
    detect, peak_mb = bench.fresh_cost("detect", hour.parent, runs=1)
    bench.row("energy detector: 1 h of 44.1 kHz", f"{detect.cpu_s - chunk.cpu_s:.2f} CPU s, {peak_mb:.0f} MB")


def indices(bench: Bench) -> None:
    hour = recording(bench.folder / "hour/a.wav", seconds=3600, rate_hz=44_100)
    tiny = recording(bench.folder / "tiny/a.wav", seconds=1, rate_hz=44_100)
    chunk = [bench.fresh_cost("chunk", sound.parent)[0].cpu_s for sound in (hour, tiny)]
    index = [bench.fresh_cost("index", sound.parent) for sound in (hour, tiny)]
    start = index[1][0].cpu_s - chunk[1]
    bench.row(
        "acoustic indices: 1 h of 44.1 kHz", f"{index[0][0].cpu_s - chunk[0] - start:.2f} CPU s, {index[0][1]:.0f} MB"
    )
    bench.row("  loading scikit-maad", f"{start:.2f} CPU s")


def memory(bench: Bench) -> None:
    """A busy day, with some 140,000 calls: what is found must not fill the memory either."""
    day = recording(bench.folder / "day/a.wav", seconds=24 * 3600, rate_hz=24_000, call_every_s=0.6)
    _, peak_mb = bench.fresh_cost("detect", day.parent, runs=1)
    bench.row("24 h WAV, busy, through chunking, detection and checks", f"{peak_mb:.0f} MB", "< 500")
    flac = recording(bench.folder / "flac/a.flac", seconds=2 * 3600, rate_hz=44_100)
    _, peak_mb = bench.fresh_cost("detect", flac.parent, runs=1)
    bench.row("2 h FLAC through chunking, detection and checks", f"{peak_mb:.0f} MB", "< 500")


def dagsters_share(bench: Bench) -> None:
    """A range run over five assets, less the same work as plain functions and less start-up."""
    folder = bench.folder / "short"
    source = recording(folder / "r0000.wav", seconds=3, rate_hz=22_050)
    for number in range(1, SHORT_RECORDINGS):
        target = folder / f"r{number:04d}.wav"
        if not target.is_file():
            # One byte differs, so that none is a duplicate.
            target.write_bytes(source.read_bytes()[:-2] + number.to_bytes(2, "little"))
    one = folder.with_name("one")
    one.mkdir(exist_ok=True)
    shutil.copy(source, one)
    plain, _ = bench.fresh_cost("bundle", folder)
    dagster, peak_mb = bench.fresh_cost("bundle_through_dagster", folder)
    plain_start, _ = bench.fresh_cost("bundle", one)
    dagster_start, _ = bench.fresh_cost("bundle_through_dagster", one)
    own = (dagster.cpu_s - dagster_start.cpu_s) - (plain.cpu_s - plain_start.cpu_s)
    each = own / (SHORT_RECORDINGS - 1)
    bench.row(f"Dagster's own cost per recording, range run of {SHORT_RECORDINGS}", f"{each:.3f} CPU s", "<= 0.1")
    bench.row(
        "  the work itself per recording", f"{(plain.cpu_s - plain_start.cpu_s) / (SHORT_RECORDINGS - 1):.3f} CPU s"
    )
    bench.row("  start of a run", f"{dagster_start.cpu_s:.2f} CPU s")
    bench.row("  memory", f"{peak_mb:.0f} MB")


PARTS = {
    part.__name__: part
    for part in (
        imports,
        cataloguing,
        chunking,
        detecting,
        energy,
        indices,
        memory,
        dagsters_share,
        inference,
        gpu,
    )
}


def main() -> None:
    """Run all parts, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--folder", type=Path, help="where to keep the sounds for next time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(options.folder or Path(temporary))
        for name in options.parts or PARTS:
            PARTS[name](bench)
            shutil.rmtree(bench.folder / "out", ignore_errors=True)
        Console().print(bench.table)


if __name__ == "__main__":
    main()
