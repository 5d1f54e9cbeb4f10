"""Mono sound at the rate a detector wants, in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from badc_assets.audio.probe import SoundFormat
from badc_assets.audio.resample import Resampler
from badc_assets.audio.samples import SampleReader, to_mono
from badc_assets.detectors.protocol import Float32
from badc_assets.errors import BadcError

LEAST_MIX = 0.01
"""A mix with less than this share of the power of its channels has lost the sound: 20 dB."""


def mono_blocks(
    source: Path, sound: SoundFormat, rate_hz: int, block_s: float, channel: int | None = None
) -> Iterator[Float32]:
    """Blocks of mono float32 sound at `rate_hz`; one resampling stream per recording, so borders leave no trace.

    One channel, or the mean of all. Raises BadcError when there is no such channel, and at the end when the channels had
    cancelled each other (opposite phase): what would be heard then is not silence.
    """
    if channel is not None and channel >= sound.channels:
        raise BadcError(source, f"has {sound.channels} channels and no channel {channel}", "set inference.channel")
    resampler = Resampler(sound.sample_rate_hz, rate_hz)
    mix_power = channel_power = 0.0
    with SampleReader(source, sound) as reader:
        for block in reader.blocks(max(round(block_s * sound.sample_rate_hz), 1)):
            mono = to_mono(block if channel is None else block[:, channel : channel + 1])
            if channel is None and sound.channels > 1:
                mix_power += _power(mono)
                channel_power += sum(_power(to_mono(block[:, [one]])) for one in range(sound.channels)) / sound.channels
            yield resampler.push(mono)
    yield resampler.finish()
    if mix_power < LEAST_MIX * channel_power:
        raise BadcError(source, "its channels cancel each other", "set inference.channel to one of them")


def _power(sound: Float32) -> float:
    return float(np.dot(sound, sound))
