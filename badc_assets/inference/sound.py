"""Mono sound at the rate a detector wants, from any place of a recording, always with the same samples.

A resampled recording is made in segments of five minutes, each by a resampler of its own that starts a second early and
goes on for a second longer. So the samples do not depend on where reading began: work that is resumed, or divided over
workers, gives the same scores to the last bit. What a segment's border does to the sound lies below 1e-7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from badc_assets.audio.probe import SoundFormat
from badc_assets.audio.resample import Resampler
from badc_assets.audio.samples import SampleReader, to_mono
from badc_assets.detectors.protocol import Float32
from badc_assets.errors import BadcError

SEGMENT_S = 300
ROLL_S = 1

LEAST_MIX = 0.01
"""A mix with less than this share of the power of its channels has lost the sound: 20 dB."""

_SEEKABLE = frozenset({"wav", "flac"})
"""Containers whose samples are the same after a seek as when read from the start."""


@dataclass
class MixPower:
    """Summed power of the mono mix and of the channels it was made of (their mean)."""

    mix: float = 0.0
    channels: float = 0.0

    @property
    def is_cancelled(self) -> bool:
        """The channels cancel each other (opposite phase): what would be heard is not silence."""
        return self.mix < LEAST_MIX * self.channels


class MonoSound:
    """One recording as mono float32 at `rate_hz`: one channel, or the mean of all.

    `samples` is its length at that rate. `power` grows while it is read. Raises BadcError when there is no such channel.
    """

    def __init__(
        self, source: Path, sound: SoundFormat, rate_hz: int, *, block_s: float = 10.0, channel: int | None = None
    ) -> None:
        if channel is not None and channel >= sound.channels:
            raise BadcError(source, f"has {sound.channels} channels and no channel {channel}", "set inference.channel")
        self.samples = sound.frames * rate_hz // sound.sample_rate_hz
        self.power = MixPower()
        self._source = source
        self._sound = sound
        self._rate_hz = rate_hz
        self._block_frames = max(round(block_s * sound.sample_rate_hz), 1)
        self._channel = channel

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Float32]:
        """The samples from `start` up to `stop`, in blocks of any size. Raises BadSound like `SampleReader`."""
        stop = self.samples if stop is None else min(stop, self.samples)
        if start >= stop:
            return
        if self._rate_hz == self._sound.sample_rate_hz:
            yield from self._mono(start, stop)
            return
        position = start
        for segment in range(start // (SEGMENT_S * self._rate_hz), (stop - 1) // (SEGMENT_S * self._rate_hz) + 1):
            first = segment * SEGMENT_S * self._rate_hz
            for block in self._segment(segment):
                wanted = block[max(position - first, 0) : max(stop - first, 0)]
                first += len(block)
                if len(wanted):
                    position += len(wanted)
                    yield wanted
                if first >= stop:
                    return

    def _segment(self, number: int) -> Iterator[Float32]:
        """All samples of one segment, resampled for themselves; filled up with zeros where rounding left some short."""
        in_rate, out_rate = self._sound.sample_rate_hz, self._rate_hz
        roll_s = min(number * SEGMENT_S, ROLL_S)
        skip = roll_s * out_rate
        missing = min((number + 1) * SEGMENT_S * out_rate, self.samples) - number * SEGMENT_S * out_rate
        resampler = Resampler(in_rate, out_rate)
        first = (number * SEGMENT_S - roll_s) * in_rate
        for block in self._mono(first, ((number + 1) * SEGMENT_S + ROLL_S) * in_rate):
            made = resampler.push(block)
            wanted = made[skip : skip + missing]
            skip = max(skip - len(made), 0)
            missing -= len(wanted)
            if len(wanted):
                yield wanted
        wanted = resampler.finish()[skip : skip + missing]
        yield np.pad(wanted, (0, missing - len(wanted)))

    def _mono(self, start_frame: int, stop_frame: int) -> Iterator[Float32]:
        lead = 0 if self._sound.container in _SEEKABLE else start_frame
        with SampleReader(self._source, self._sound) as reader:
            for block in reader.blocks(self._block_frames, start_frame - lead, stop_frame):
                skipped = min(lead, len(block))
                lead -= skipped
                if skipped < len(block):
                    yield self._mixed(block[skipped:])

    def _mixed(self, block: np.ndarray) -> Float32:
        if self._channel is not None or self._sound.channels == 1:
            chosen = self._channel or 0
            return to_mono(block[:, chosen : chosen + 1])
        mono = to_mono(block)
        self.power.mix += _power(mono)
        channels = (_power(to_mono(block[:, [one]])) for one in range(self._sound.channels))
        self.power.channels += sum(channels) / self._sound.channels
        return mono


def _power(sound: Float32) -> float:
    return float(np.dot(sound, sound))
