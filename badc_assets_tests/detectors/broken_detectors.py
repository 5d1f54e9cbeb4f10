"""Detectors that break the contract in one place each, and the good ones that they derive from."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from badc_assets.detectors.protocol import Clip, DetectorInfo, Device, Event, Float32, Label, Pending, StreamInfo
from badc_assets.files import stable_hash


class Settings(BaseModel):
    """Of the detectors below."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    gain: float = Field(1.0, description="Factor before the score.")


class Described:
    def __init__(self, settings: Settings) -> None:
        self.gain = settings.gain
        self._info = DetectorInfo(
            "peak", "1", self.kind, self.labels, stable_hash(settings.model_dump()), 8000, 100, 50
        )

    kind: Literal["window", "stream", "file"] = "file"
    labels = (Label("A", "a"), Label("B", "b"))

    @property
    def info(self) -> DetectorInfo:
        return self._info


class Window(Described):
    """Keeps the contract, like Stream and File; the others break it in one place each."""

    kind = "window"

    def score(self, windows: Float32) -> Float32:
        peak = abs(windows[:, ::2]).max(axis=1, keepdims=True).clip(0, 1) * min(self.gain, 1)
        return peak.repeat(2, axis=1)


class Pipelined(Window):
    depth = 2

    def submit(self, windows: Float32) -> Pending:
        return lambda: self.score(windows)


class ForgetsOrder(Pipelined):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.waiting: list[Float32] = []

    def submit(self, windows: Float32) -> Pending:
        self.waiting.append(windows)
        return lambda: self.score(self.waiting.pop())


class WrongShape(Window):
    def score(self, windows: Float32) -> Float32:
        return super().score(windows)[:, :1]


class WrongType(Window):
    def score(self, windows: Float32) -> Float32:
        return super().score(windows).astype(float)  # pyright: ignore[reportReturnType]


class NotANumber(Window):
    def score(self, windows: Float32) -> Float32:
        return super().score(windows) * float("nan")


class Deaf(Window):
    def score(self, windows: Float32) -> Float32:
        return super().score(windows) * 0


class BatchNorm(Window):
    def score(self, windows: Float32) -> Float32:
        scores = super().score(windows)
        return scores / max(scores.max(), 0.1) * 0.9


class Remembers(Window):
    last = 0.0

    def score(self, windows: Float32) -> Float32:
        scores = super().score(windows) * 0.5 + self.last
        self.last = float(scores[-1, 0]) * 0.1
        return scores


class Returns(Window):
    def score(self, windows: Float32) -> Float32:
        return windows[:, :2]


class Spoils(Window):
    def score(self, windows: Float32) -> Float32:
        scores = super().score(windows)
        windows -= 1
        return scores


class OneBuffer(Window):
    def score(self, windows: Float32) -> Float32:
        scores = super().score(windows)
        if not hasattr(self, "buffer"):
            self.buffer = scores.copy()
        self.buffer[: len(scores)] = scores
        return self.buffer[: len(scores)]


class HashLess(Window):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._info = replace(self._info, settings_hash="same")


class RandomHash(Window):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._info = replace(self._info, settings_hash=os.urandom(4).hex())


class HashOfProcess(Window):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._info = replace(self._info, settings_hash=str(os.getpid()))


class LoadsEarly(Window):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        import pandas

        self._info = replace(self._info, version=pandas.__version__)


class WrongKind(Window):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._info = replace(self._info, kind="stream")


class Session:
    """Finds each stretch of 1000 samples that holds a loud one."""

    def __init__(self, recording: StreamInfo) -> None:
        self.rate_hz = recording.sample_rate_hz
        self.heard = 0
        self.found: set[int] = set()

    def feed(self, block: Float32) -> Sequence[Event]:
        loud = self.heard + np.flatnonzero(abs(block) > 0.1)
        self.found |= {int(sample) // 1000 for sample in loud}
        self.heard += len(block)
        return []

    def close(self) -> Sequence[Event]:
        ms = [min(number * 1000, self.heard) * 1000 // self.rate_hz for number in self.found]
        return [Event(start, start, Label("A", "a"), 0.5) for start in ms]


class Stream(Described):
    kind = "stream"
    session: type[Session] = Session

    def open(self, stream: StreamInfo) -> Session:
        return self.session(stream)


class BlockSession(Session):
    def close(self) -> Sequence[Event]:
        return []

    def feed(self, block: Float32) -> Sequence[Event]:
        return [Event(0, 10, Label("A", "a"), 0.5)] if len(block) and abs(block).max() > 0.1 else []


class Blockwise(Stream):
    session = BlockSession


class LateSession(Session):
    def close(self) -> Sequence[Event]:
        return [replace(event, end_ms=10**6) for event in super().close()]


class Late(Stream):
    session = LateSession


class KeepingSession(Session):
    def __init__(self, recording: StreamInfo) -> None:
        super().__init__(recording)
        self.blocks: list[Float32] = []

    def feed(self, block: Float32) -> Sequence[Event]:
        self.blocks.append(block)
        return []

    def close(self) -> Sequence[Event]:
        for block in self.blocks:
            super().feed(block)
        return super().close()


class Keeps(Stream):
    session = KeepingSession


class OneSession(Stream):
    """Mixes up recordings that are open at the same time."""

    def open(self, stream: StreamInfo) -> Session:
        if stream.frames > 1000:
            self.shared = Session(stream)
        return cast(Session, self)

    def feed(self, block: Float32) -> Sequence[Event]:
        return self.shared.feed(block)

    def close(self) -> Sequence[Event]:
        return self.shared.close()


class OtherLabel(Stream):
    labels = (Label("B", "b"),)


class File(Described):
    kind = "file"

    def detect(self, clip: Clip) -> Sequence[Event]:
        clip.keep_in.mkdir(parents=True, exist_ok=True)
        number = len(list(clip.keep_in.iterdir()))
        (clip.keep_in / f"{number}.txt").write_text(str(clip.path.stat().st_size))
        return [Event(0, clip.duration_ms, Label("A", "a"), 0.5)]


class SilentWhenMissing(File):
    def detect(self, clip: Clip) -> Sequence[Event]:
        return super().detect(clip) if clip.path.exists() else []


class WritesBeside(File):
    def detect(self, clip: Clip) -> Sequence[Event]:
        clip.path.with_suffix(".json").write_text(json.dumps([]))
        return super().detect(clip)


class Overwrites(File):
    def detect(self, clip: Clip) -> Sequence[Event]:
        clip.keep_in.mkdir(parents=True, exist_ok=True)
        (clip.keep_in / "result.txt").write_text(os.urandom(4).hex())
        return [Event(0, 1, Label("A", "a"), 0.5)]


class FollowsLinks(File):
    def detect(self, clip: Clip) -> Sequence[Event]:
        return [Event(0, 1, Label(clip.path.resolve().suffix or "none", ""), 0.5)]


class Counts(File):
    number = 0

    def detect(self, clip: Clip) -> Sequence[Event]:
        self.number += 1
        return [Event(0, self.number, Label("A", "a"), 0.5)]


class Chatty(Window):
    def load(self, device: Device) -> dict[str, Any]:
        return {"threads": device.threads}


class LoadsOther(Window):
    def load(self, device: Device) -> dict[str, str]:
        self._info = replace(self._info, version="2")
        return {}
