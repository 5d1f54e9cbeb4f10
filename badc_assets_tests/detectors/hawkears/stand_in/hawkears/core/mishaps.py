"""What goes wrong, by a word in the name of the recording."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path


class OutOfMemoryError(RuntimeError):
    """torch's has this name."""


def before(path: Path) -> None:
    if "dies-once" in path.name:
        marker = path.with_suffix(".died")
        if marker.exists():
            return
        marker.touch()
        print("the last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if "gpu-full" in path.name:
        raise OutOfMemoryError("CUDA out of memory")
    if "surprise" in path.name:
        raise RuntimeError("something\nunforeseen")
    if "chatty" in path.name:
        print("x" * 300_000)
        os.system("echo from a child")
        sys.stdin.read()


def after(path: Path, detections: list) -> list:
    if not detections:
        return detections
    first = detections[0]
    wrong = {
        "too-sure": replace(first, score=1.5),
        "not-a-score": replace(first, score=float("nan")),
        "unheard-of": replace(first, species="Dodo"),
        "too-late": replace(first, start_time=600.0, end_time=603.0),
        "backwards": replace(first, start_time=2.0, end_time=1.0),
        "elsewhere": replace(first, recording_path=path.parent / "other.wav"),
        "twice": replace(first, score=first.score / 2),
    }
    return [*detections, *(one for word, one in wrong.items() if word in path.name)]
