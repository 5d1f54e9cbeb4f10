"""A dataset of tens of thousands of recordings through all five assets: `python -m benchmarks.scale FOLDER --recordings 30000`.

Each recording is a second long, so what is measured is everything that grows with their number: the sensor, the runs, the
database of Dagster, the catalogue, the tables, the checks and the web page. It takes hours: what is done stands in
FOLDER/results.jsonl and is not done again. The tasks (`scale_tasks.py`) run in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import struct
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from badc_assets.upkeep.storage.chosen import PROFILES
from benchmarks.measure import Cost, cost_of_command

REPOSITORY = Path(__file__).resolve().parents[1]
FOUR = "recordings,chunk_manifest,chunk_status,detections"
RATE_HZ = 8000


@dataclass(frozen=True)
class Scenario:
    """A dataset, an instance of Dagster, and what was measured so far."""

    folder: Path
    instance_file: str = "dagster.yaml"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def results(self) -> Path:
        return self.folder / "results.jsonl"

    def prepare(self) -> None:
        """The instance is set up like that of the project, and its dataset is chosen by the environment."""
        self.home.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / self.instance_file, self.home / "dagster.yaml")
        os.environ |= {
            "DAGSTER_HOME": str(self.home),
            "PYTHONPATH": str(REPOSITORY),
            "BADC_DATASET": str(self.folder / "dataset"),
            "BADC_OUTPUT": str(self.folder / "output"),
        }
        os.environ.pop("DAGSTER_MODULE_NAME", None)
        os.chdir(self.home)

    def done(self) -> dict[str, dict]:
        lines = self.results.read_text().splitlines() if self.results.is_file() else []
        return {result["name"]: result for result in map(json.loads, lines)}

    def measure(self, name: str, command: Sequence[str]) -> Cost:
        """Run it and write down what it cost, or read that."""
        known = self.done().get(name)
        if known is not None:
            return Cost(**{key: value for key, value in known.items() if key != "name"})
        cost = cost_of_command([sys.executable, "-m", *command])
        with self.results.open("a") as file:
            file.write(json.dumps({"name": name, **asdict(cost)}) + "\n")
        print(
            f"{name}: {cost.cpu_s:.1f} CPU s, {cost.wall_s:.1f} s, {cost.peak_mb:.0f} MB {cost.said[-300:]}", flush=True
        )
        return cost

    def task(self, name: str, task: str, *arguments: str) -> Cost:
        return self.measure(name, ["benchmarks.scale_tasks", task, *arguments])

    def materialize(self, name: str, assets: str, first: str = "", last: str = "") -> Cost:
        pages = ["--partition-range", f"{first}...{last}"] if first else []
        return self.measure(
            name, ["dagster", "asset", "materialize", "-m", "badc_assets.definitions", "--select", assets, *pages]
        )


def make_sounds(folder: Path, first: int, count: int) -> None:
    """A second of a whistle at 8 kHz each, no two alike, 300 to a site."""
    import numpy as np

    time_s = np.arange(RATE_HZ) / RATE_HZ
    whistle = 8000 * np.sin(2 * np.pi * 2000 * time_s) * (time_s > 0.4) * (time_s < 0.8)
    samples = (whistle + np.random.default_rng(1).normal(0, 60, RATE_HZ)).astype("<i2").tobytes()
    size = len(samples)
    header = b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt "
    header += struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16) + b"data" + struct.pack("<I", size)
    for number in range(first, first + count):
        start = datetime(2023, 4, 1) + timedelta(minutes=10 * number)  # noqa: DTZ001 - the clock of a recorder
        target = folder / "audio" / f"S{number // 300:04d}" / f"S{number // 300:04d}_{start:%Y%m%d_%H%M%S}.wav"
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(header + samples[:-4] + struct.pack("<I", number))


def main() -> None:
    """All recordings but the last page; then that page, as something new in a large dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recordings", type=int, default=30_000)
    parser.add_argument("--page", type=int, default=500)
    parser.add_argument(
        "--bundled", type=int, default=10**9, help="pages with the fifth asset, half a megabyte a recording"
    )
    parser.add_argument("--pages", type=int, help="run only so many pages; all are catalogued and asked for")
    parser.add_argument(
        "--postgres", action="store_true", help="history in PostgreSQL, in the empty database at BADC_POSTGRES_URL"
    )
    chosen = parser.parse_args()
    instance_file = PROFILES["postgres" if chosen.postgres else "sqlite"]
    scenario = Scenario(chosen.folder.absolute(), instance_file)
    scenario.prepare()
    make_sounds(scenario.folder / "dataset", 0, chosen.recordings - chosen.page)
    scenario.measure("set up", ["dagster", "instance", "migrate"])
    scenario.task("sizes at the start", "sizes")
    scenario.materialize("first scan", "recording_catalog")
    pages = json.loads(scenario.task("sensor, all new", "ticks", str(chosen.page)).said)["ranges"]
    for number, (first, last) in enumerate(pages[: chosen.pages]):
        scenario.materialize(f"page {number}", FOUR, first, last)
        if number < chosen.bundled:
            scenario.materialize(f"page {number}, bundles", "report_bundle", first, last)
        if number % 10 == 0:
            scenario.task(f"sizes after page {number}", "sizes")
    look_at(scenario, "before")
    scenario.materialize("tables", "detection_aggregates")
    scenario.materialize("report", "dataset_report")
    make_sounds(scenario.folder / "dataset", chosen.recordings - chosen.page, chosen.page)
    added = json.loads(scenario.task("sensor, a page is new", "ticks", str(chosen.page)).said)["ranges"]
    for number, (first, last) in enumerate(added):
        scenario.materialize(f"last page {number}", f"{FOUR},report_bundle", first, last)
    look_at(scenario, "after")
    scenario.task("sizes at the end", "sizes")
    scenario.measure("web page", ["benchmarks.scale_web", pages[0][0]])


def look_at(scenario: Scenario, when: str) -> None:
    """What a person asks now and then."""
    scenario.task(f"sensor, nothing new ({when})", "ticks", "0")
    for command in (["status"], ["fsck"], ["retry", "--list"], ["doctor"]):
        scenario.measure(f"badc {' '.join(command)} ({when})", ["benchmarks.scale_tasks", "badc", *command])


if __name__ == "__main__":
    main()
