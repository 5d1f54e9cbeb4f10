"""How near the engine comes to the detector alone, and how far it is ahead of other ways: part `inference` of `make bench`.

CPU seconds of whole process trees on one core; what a start costs is measured with hardly any sound and taken off.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.measure import Cost, cost_of
from benchmarks.models import saved_model
from benchmarks.sounds import recording

MODULE = "benchmarks.inference_tasks"
LONG_S, SHORT_S = 240, 10
RUNS = 3


CASES = (
    ("wav2vec2", "torch", "fp32", ">= 0.95"),
    ("sewd", "torch", "fp32", ">= 0.95"),
    ("wav2vec2", "openvino", "bf16", ">= 0.90"),
    ("mel", "torch", "fp32", ""),
)


def inference(bench) -> None:
    """All of it; about half an hour on two cores."""
    models = bench.folder / "models"
    long = recording(bench.folder / "infer-long/a.flac", seconds=LONG_S, rate_hz=44_100)
    short = recording(bench.folder / "infer-short/a.flac", seconds=SHORT_S, rate_hz=44_100)
    for kind in ("wav2vec2", "sewd"):
        saved_model(models, kind)
    decoding(bench)
    spent = {
        (kind, backend): against_the_detector(bench, (kind, str(models), backend, precision), wanted, long, short)
        for kind, backend, precision, wanted in CASES
    }
    others(bench, models, long.parent, spent)


def against_the_detector(bench, case: tuple[str, ...], wanted: str, long: Path, short: Path) -> float:
    """The engine and the detector alone, turn and turn about, so that both meet the same neighbours. CPU s of the engine."""
    kind, _, backend, precision = case
    window_s, rate_hz = (3, 32_000) if kind == "mel" else (5, 16_000)
    _cost("export", *case, runs=1)
    engine_s, alone_s, read_s = [], [], []
    for _ in range(RUNS):
        whole = _cost("engine", *case, str(long.parent), runs=1)
        engine_s.append(whole.cpu_s - _cost("engine", *case, str(short.parent), runs=1).cpu_s)
        alone_s.append(_beyond_start("forward", case, str(LONG_S // window_s), str(SHORT_S // window_s)))
        read_s.append(_reading_s(long, short, rate_hz))
    pairs = list(zip(engine_s, alone_s, read_s, strict=True))
    share = statistics.median(alone / engine for engine, alone, _ in pairs)
    with_reading = statistics.median((alone + read) / engine for engine, alone, read in pairs)
    name = f"{kind}, {backend} {precision}"
    spent = statistics.median(engine_s)
    text = f"{share:.3f} ({spent:.2f} CPU s for {LONG_S - SHORT_S} s of FLAC)"
    bench.row(f"detector alone / engine: {name}", text, wanted)
    bench.row("  detector alone and reading alone / engine", f"{with_reading:.3f}", ">= 0.94" if kind == "mel" else "")
    bench.row("  of its time the detector waited for sound", f"{100 * float(whole.said.split()[-1]):.2f} %", "<= 1")
    bench.row("  memory of the largest process", f"{whole.peak_mb:.0f} MB")
    return spent


def others(bench, models: Path, long: Path, spent: dict[tuple[str, str], float]) -> None:
    """The engine against a process per minute, and against transformers' pipeline."""
    scale = (LONG_S - SHORT_S) / LONG_S
    torch_s = _cost("process_per_chunk", "wav2vec2", str(models), "torch", "fp32", str(long), runs=1).cpu_s * scale
    clips = LONG_S // 5
    few, many = (
        _cost("pipeline_per_clip", "wav2vec2", str(models), str(long), str(count), runs=1).cpu_s for count in (2, clips)
    )
    per_clip_s = (many - few) * (LONG_S - SHORT_S) / 5 / (clips - 2)
    for backend, precision, wanted in (("torch", "fp32", ">= 1.8"), ("openvino", "bf16", ">= 7")):
        ratio = torch_s / spent["wav2vec2", backend]
        bench.row(f"a torch process per minute / engine with {backend} {precision}", f"{ratio:.2f}", wanted)
    ratio = per_clip_s / spent["wav2vec2", "openvino"]
    bench.row("transformers.pipeline per clip / engine with openvino bf16", f"{ratio:.2f}", ">= 4.5")


def decoding(bench) -> None:
    """Hours of sound that a core reads and resamples to 16 kHz in a second, and what libsndfile and soxr alone would do."""
    for suffix, wanted in (("wav", ">= 1.9"), ("flac", ">= 0.5")):
        hour = recording(bench.folder / f"read/hour.{suffix}", seconds=3600, rate_hz=44_100)
        start = recording(bench.folder / f"read/start.{suffix}", seconds=1, rate_hz=44_100)
        ours, bare = [], []
        for _ in range(RUNS):
            ours.append(_reading_s(hour, start, 16_000))
            bare.append(_reading_s(hour, start, 16_000, task="read_bare"))
        text = f"{1 / statistics.median(ours):.2f} h/core-s"
        bench.row(f"read {suffix} and resample to 16 kHz", text, wanted)
        share = statistics.median(least / spent for least, spent in zip(bare, ours, strict=True))
        bench.row("  libsndfile and soxr alone / this", f"{share:.2f}")


def _reading_s(much: Path, little: Path, rate_hz: int, task: str = "read_resampled") -> float:
    """CPU seconds of reading `much` beyond those for `little`."""
    return _cost(task, str(much), str(rate_hz), runs=1).cpu_s - _cost(task, str(little), str(rate_hz), runs=1).cpu_s


def _beyond_start(task: str, case: tuple[str, ...], much: str, little: str) -> float:
    return _cost(task, *case, much, runs=1).cpu_s - _cost(task, *case, little, runs=1).cpu_s


def _cost(task: str, *arguments: str, runs: int = RUNS) -> Cost:
    return cost_of(task, *arguments, runs=runs, module=MODULE)
