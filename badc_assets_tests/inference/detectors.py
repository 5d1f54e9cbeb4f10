"""Detectors for tests of the engine. They live here, and not in a test, because a worker process must find them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from badc_assets.detectors.protocol import DetectorInfo, Event, Label
from badc_assets.errors import BadcError

TONE = Label("TONE", "A loud tone")
OTHER = Label("OTHER", "Something else")


class LoudWindows:
    """Scores the loudest sample of each window of 0.5 s."""

    info = DetectorInfo("loud", "1", "window", (TONE,), "s", sample_rate_hz=8000, window_ms=500, hop_ms=500)

    def score(self, windows):
        return np.clip(np.abs(windows).max(axis=1, keepdims=True) * 3, 0, 1).astype(np.float32)


class Levels(LoudWindows):
    """Two labels whose scores tell one window from another, overlapping windows, another rate than the sound's."""

    info = DetectorInfo(
        "levels", "1", "window", (TONE, OTHER), "s", sample_rate_hz=11_025, window_ms=700, hop_ms=300
    )  # fmt: skip

    def score(self, windows):
        rms = np.sqrt(np.square(windows.astype(np.float64)).mean(axis=1))
        crossings = np.mean(np.diff(np.signbit(windows), axis=1), axis=1)
        return np.clip(np.stack([rms * 20, crossings], axis=1), 0, 1).astype(np.float32)


class WholeFile:
    """Finds one event in each file, and fails on files whose name has `0015` in it."""

    info = DetectorInfo("file", "1", "file", (TONE,), "s")

    def detect(self, clip):
        if "0015" in clip.path.name:
            raise ZeroDivisionError("the model did not expect this")
        return [Event(500, 4200, TONE, 0.75)]


class Slow(LoudWindows):
    """Takes its time, and writes down which windows it has scored: one byte each."""

    def __init__(self, diary: Path | None = None, seconds: float = 0.05) -> None:
        self.diary = diary
        self.seconds = seconds

    def score(self, windows):
        time.sleep(self.seconds)
        if self.diary is not None:
            with self.diary.open("ab") as file:
                file.write(b"." * len(windows))
        return super().score(windows)


class Trouble(LoudWindows):
    """Goes wrong on windows that are louder than `above`, in the way that `how` says, so many `times` (in all processes)."""

    def __init__(self, how: str, diary: Path, *, above: float = 0.2, times: int = 1_000_000) -> None:
        self.how = how
        self.diary = diary
        self.above = above
        self.times = times

    def score(self, windows):
        if np.abs(windows).max() > self.above:
            done = self.diary.stat().st_size if self.diary.exists() else 0
            if done < self.times:
                with self.diary.open("ab") as file:
                    file.write(b".")
                self._go_wrong(windows)
        return super().score(windows)

    def _go_wrong(self, windows):
        if self.how == "raise":
            raise ZeroDivisionError("too loud")
        if self.how == "refuse":
            raise BadcError("sound", "is too loud for this model", "turn it down")
        if self.how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "hang":
            time.sleep(600)
        if self.how == "memory" and len(windows) > 2:
            raise MemoryError("only two windows fit")


class Nonsense(LoudWindows):
    """Returns what no detector may return."""

    def __init__(self, value: float) -> None:
        self.value = value

    def score(self, windows):
        return np.full((len(windows), 1), self.value, np.float32)


class Unloadable(LoudWindows):
    """Cannot be loaded."""

    def __init__(self, how: str) -> None:
        self.how = how

    def load(self, device):
        if self.how == "refuse":
            raise BadcError("model", "is not here", "fetch it")
        if self.how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        raise KeyError("weights")


class Pipelined(Levels):
    """Hands out its scores later, and at the end says what it ran in."""

    depth = 3
    best_batch = 5

    def load(self, device):
        return {"precision": "fp32", "threads": str(device.threads)}

    def submit(self, windows):
        kept = windows
        return lambda: self.score(kept)
