"""How near the engine comes to the detector alone, and how far it is ahead of other ways: part `inference` of `make bench`.

CPU seconds of whole process trees on one core; what a start costs is measured with hardly any sound and taken off.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import Cost, cost_of
from benchmarks.models import saved_model
from benchmarks.sounds import recording

MODULE = "benchmarks.inference_tasks"
LONG_S, SHORT_S = 240, 10
RUNS = 3


def inference(bench) -> None:
    """All of it; about half an hour on two cores."""
    models = bench.folder / "models"
    long = recording(bench.folder / "infer-long/a.flac", seconds=LONG_S, rate_hz=44_100).parent
    short = recording(bench.folder / "infer-short/a.flac", seconds=SHORT_S, rate_hz=44_100).parent
    for kind in ("wav2vec2", "sewd"):
        saved_model(models, kind)
    decoding(bench)
    cases = [
        ("wav2vec2", "torch", "fp32", ">= 0.95"),
        ("sewd", "torch", "fp32", ">= 0.95"),
        ("wav2vec2", "openvino", "bf16", ">= 0.90"),
        ("mel", "torch", "fp32", ">= 0.94"),
    ]
    spent = {}
    for kind, backend, precision, wanted in cases:
        case = (kind, str(models), backend, precision)
        _cost("export", *case, runs=1)
        whole = _cost("engine", *case, str(long))
        spent[kind, backend] = whole.cpu_s - _cost("engine", *case, str(short)).cpu_s
        window_s = 3 if kind == "mel" else 5
        limit = _beyond_start("forward", case, str(LONG_S // window_s), str(SHORT_S // window_s))
        share = limit / spent[kind, backend]
        text = f"{share:.3f} ({spent[kind, backend]:.2f} CPU s for {LONG_S - SHORT_S} s of FLAC)"
        bench.row(f"detector alone / engine: {kind}, {backend} {precision}", text, wanted)
        bench.row("  of its time the detector waited for sound", f"{100 * float(whole.said.split()[-1]):.2f} %", "<= 1")
        bench.row("  memory of the largest process", f"{whole.peak_mb:.0f} MB")
    others(bench, models, long, spent)


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
    """Hours of sound that a core reads and resamples to 16 kHz in a second."""
    for suffix, wanted in (("wav", ">= 1.9"), ("flac", ">= 0.5")):
        hour = recording(bench.folder / f"read/hour.{suffix}", seconds=3600, rate_hz=44_100)
        start = recording(bench.folder / f"read/start.{suffix}", seconds=1, rate_hz=44_100)
        spent = _cost("read_resampled", str(hour)).cpu_s - _cost("read_resampled", str(start)).cpu_s
        bench.row(f"read {suffix} and resample to 16 kHz", f"{1 / spent:.2f} h/core-s", wanted)


def _beyond_start(task: str, case: tuple[str, ...], much: str, little: str) -> float:
    return _cost(task, *case, much).cpu_s - _cost(task, *case, little).cpu_s


def _cost(task: str, *arguments: str, runs: int = RUNS) -> Cost:
    return cost_of(task, *arguments, runs=runs, module=MODULE)
