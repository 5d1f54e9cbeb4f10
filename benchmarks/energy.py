"""The energy detector: how well it finds, how fast it is, what it finds where nothing calls.

One setting, the default, for everything. scikit-maad's region finder runs on the same recordings with 48 settings, and its
best counts, in the interpreter that MAAD_PYTHON names (default: this one).
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from badc_assets.detectors.energy.detector import EnergyDetector, EnergySettings
from badc_assets.detectors.energy.events import WEATHER_STRENGTH
from badc_assets.detectors.protocol import Event, StreamInfo
from badc_assets.samples.sounds import Samples, coloured_noise
from benchmarks.energy_scoring import Score, score
from benchmarks.energy_truth import HELD_OUT_SCENES, MAIN_SCENES, RATE_HZ, Box, Case, Family, cases
from benchmarks.measure import cost_of
from benchmarks.sounds import recording

if TYPE_CHECKING:
    from benchmarks.run import Bench

FAMILIES: tuple[Family, ...] = ("main", "held_out", "crowd")
MAAD_EVERY = int(os.environ.get("MAAD_EVERY", "1"))
"""scikit-maad takes half an hour for all recordings; every fifth holds each ratio."""

NOISES = {"white": 0.0, "pink": 1.0, "brown": 2.0}
NOISE_RUNS, NOISE_S = 5, 300
WEATHER = ("wind", "rain", "all", "squalls")
WEATHER_RUNS, WEATHER_S = 5, 120

# What the spectrograms of the shared recordings show of each class: its length in s and its range in Hz.
HAWKEARS_CALLS = {"OVEN": (2.3, 4_500, 6_300), "WTSP": (2.3, 3_050, 3_650)}
HAWKEARS = Path(__file__).resolve().parents[2] / "shared/data/hawkears"


def energy(bench: Bench) -> None:
    _speed(bench)
    _noise(bench)
    _weather(bench)
    _quality(bench)


def _found(samples: Samples, rate_hz: int) -> list[Event]:
    session = EnergyDetector(EnergySettings.model_validate({})).open(StreamInfo("made", rate_hz, len(samples)))
    return [*session.feed(samples.astype(np.float32)), *session.close()]


def _speed(bench: Bench) -> None:
    """An hour with a call every 3 s, less reading and start-up; then how memory grows."""
    for rate_hz, preset, wanted in ((22_050, "general", ">= 1000"), (48_000, "general", ""), (384_000, "bats", "")):
        seconds = 600 if rate_hz > 100_000 else 3600
        path = recording(bench.folder / f"energy/{rate_hz}.wav", seconds=seconds, rate_hz=rate_hz, call_every_s=3)
        read, detect = (
            cost_of(task, str(path), preset, module="benchmarks.energy_tasks") for task in ("read", "detect")
        )
        own_s = detect.cpu_s - read.cpu_s
        bench.row(
            f"energy, {preset}, {seconds} s of {rate_hz} Hz, {int(detect.said)} events",
            f"{own_s:.2f} CPU s, {seconds / own_s:.0f} x real time, {detect.peak_mb:.0f} MB",
            wanted,
        )
    for seconds in (600, 14_400):
        path = recording(bench.folder / f"energy/{seconds}s.wav", seconds=seconds, rate_hz=RATE_HZ, call_every_s=3)
        cost = cost_of("detect", str(path), "general", runs=1, module="benchmarks.energy_tasks")
        bench.row(f"  memory, {seconds} s of {RATE_HZ} Hz", f"{cost.peak_mb:.0f} MB", "does not grow")


def _noise(bench: Bench) -> None:
    for name, slope in NOISES.items():
        sounds = (
            coloured_noise(NOISE_S * RATE_HZ, RATE_HZ, slope, np.random.default_rng((1, k))) for k in range(NOISE_RUNS)
        )
        events = sum(len(_found(0.01 * sound, RATE_HZ)) for sound in sounds)
        bench.row(f"events in {NOISE_RUNS * NOISE_S / 60:.0f} min of {name} noise", str(events), "0")
    bench.row("events in 5 min of digital silence", str(len(_found(np.zeros(300 * RATE_HZ), RATE_HZ))), "0")


def _weather(bench: Bench) -> None:
    """False events in weather, and whether their confidences are spread as the model says."""
    scenes = {**MAIN_SCENES, **HELD_OUT_SCENES}
    confidences: list[float] = []
    for index, name in enumerate(WEATHER):
        runs = [scenes[name](WEATHER_S, RATE_HZ, np.random.default_rng((2, index, k))) for k in range(WEATHER_RUNS)]
        found = [event.confidence for sound in runs for event in _found(sound, RATE_HZ)]
        confidences += found
        hours = WEATHER_RUNS * WEATHER_S / 3600
        bench.row(
            f"false events an hour in {name}",
            f"{len(found) / hours:.0f}, {sum(c > 0.9 for c in found) / hours:.0f} above 0.9",
        )
    shares = [np.mean(np.array(confidences) < level) for level in (0.25, 0.5, 0.75, 0.9)]
    bench.row(
        "  share of them below confidence 0.25, 0.5, 0.75, 0.9",
        ", ".join(f"{share:.2f}" for share in shares),
        "the same",
    )
    strengths = WEATHER_STRENGTH / (1 - np.minimum(confidences, 0.9999))
    exponent = len(strengths) / np.log(strengths / WEATHER_STRENGTH).sum()
    bench.row("  exponent of their strengths", f"{exponent:.2f}, of {len(strengths)} events", "1")


def _quality(bench: Bench) -> None:
    made: dict[str, list[Case]] = {family: cases(family) for family in FAMILIES}
    if (HAWKEARS / "truth.csv").is_file():
        made["shared hawkears"] = _hawkears()
    started = time.process_time()
    ours = {case.name: _boxes(_found(case.samples, case.rate_hz)) for part in made.values() for case in part}
    speed = sum(len(case.samples) / case.rate_hz for part in made.values() for case in part) / (
        time.process_time() - started
    )
    for family, part in made.items():
        for label, chosen in _groups(part).items():
            bench.row(f"F1, {family}, {label}", _line(chosen, ours))
    _compare(
        bench, {family: part[:: MAAD_EVERY if len(part) > 10 else 1] for family, part in made.items()}, ours, speed
    )


def _compare(bench: Bench, made: Mapping[str, Sequence[Case]], ours: Mapping[str, Sequence[Box]], speed: float) -> None:
    """Ours beside scikit-maad's best setting for all of these recordings, and beside its best for each group of them."""
    theirs = _maad(bench, made)
    if not theirs:
        return
    every = [case for part in made.values() for case in part]
    best = max(theirs, key=lambda setting: _total(every, theirs[setting][1]).f1)
    groups = {"all": every, **made}
    for case in every:
        if case.group.endswith("dB"):
            groups.setdefault(case.group, []).append(case)
    for label, chosen in groups.items():
        own = max(_total(chosen, boxes).f1 for _, boxes in theirs.values())
        text = f"energy {_line(chosen, ours)}; maad {_line(chosen, theirs[best][1])}; its best for these {own:.2f}"
        bench.row(f"F1 on {len(chosen)} recordings, {label}", text)
    seconds = sum(len(case.samples) / case.rate_hz for case in every)
    bench.row("scikit-maad's best of 48", best)
    bench.row("  speed there", f"maad {seconds / theirs[best][0]:.0f} x real time, energy {speed:.0f} x", ">= 2 x maad")


def _boxes(events: Iterable[Event]) -> list[Box]:
    return [Box(e.start_ms / 1000, e.end_ms / 1000, e.low_hz or 0.0, e.high_hz or 0.0) for e in events]


def _groups(made: Sequence[Case]) -> dict[str, list[Case]]:
    """All recordings, and where there are several kinds, those of each ratio and of each background."""
    found: dict[str, list[Case]] = {"all": list(made)}
    for case in made:
        for name in (case.group, case.scene):
            if name:
                found.setdefault(name, []).append(case)
    return found


def _total(made: Sequence[Case], found: Mapping[str, Sequence[Box]], *, with_frequency: bool = False) -> Score:
    return sum((score(case.truth, found[case.name], with_frequency=with_frequency) for case in made), Score())


def _line(made: Sequence[Case], found: Mapping[str, Sequence[Box]]) -> str:
    total = _total(made, found)
    with_range = _total(made, found, with_frequency=True).f1
    return f"{total.f1:.2f} (P {total.precision:.2f} R {total.recall:.2f}), in time and frequency {with_range:.2f}"


Regions = dict[str, tuple[float, dict[str, list[Box]]]]


def _maad(bench: Bench, made: Mapping[str, Sequence[Case]]) -> Regions:
    """Setting -> (CPU s, recording -> boxes); empty where there is no scikit-maad."""
    import soundfile

    python = os.environ.get("MAAD_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import maad"], capture_output=True, check=False).returncode:
        bench.row("scikit-maad", "not installed: no comparison")
        return {}
    jobs = []
    for family, recordings in made.items():
        folder = bench.folder / "energy" / family
        folder.mkdir(parents=True, exist_ok=True)
        for case in recordings:
            soundfile.write(folder / f"{case.name}.wav", case.samples, case.rate_hz, subtype="FLOAT")
        jobs.append(
            (python, str(Path(__file__).with_name("energy_maad.py")), str(folder), str(folder / "regions.json"))
        )

    def run(job: Sequence[str]) -> None:
        subprocess.run(job, check=True, capture_output=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, jobs))
    found: Regions = {}
    for job in jobs:
        for setting, entry in json.loads(Path(job[-1]).read_text()).items():
            cpu_s, boxes = found.get(setting, (0.0, {}))
            new = {name: [Box(*box) for box in rows] for name, rows in entry["boxes"].items()}
            found[setting] = cpu_s + entry["cpu_s"], {**boxes, **new}
    return found


def _hawkears() -> list[Case]:
    import soundfile

    truth: dict[str, list[Box]] = defaultdict(list)
    with (HAWKEARS / "truth.csv").open(newline="") as rows:
        for row in csv.DictReader(rows):
            length_s, low_hz, high_hz = HAWKEARS_CALLS[row["code"]]
            start_s = float(row["start"])
            truth[row["recording"]].append(Box(start_s, start_s + length_s, low_hz, high_hz, row["code"]))
    made = []
    for path in sorted(HAWKEARS.glob("*.wav")):
        samples, rate_hz = soundfile.read(path)
        made.append(Case(path.stem, "", "", samples, rate_hz, tuple(truth[path.stem])))
    return made
