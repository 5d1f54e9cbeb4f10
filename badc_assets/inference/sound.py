"""Mono sound at the rate a detector wants, in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from badc_assets.audio.probe import SoundFormat
from badc_assets.audio.resample import Resampler
from badc_assets.audio.samples import SampleReader, to_mono
from badc_assets.detectors.protocol import Float32


def mono_blocks(source: Path, sound: SoundFormat, rate_hz: int, block_s: float) -> Iterator[Float32]:
    """Blocks of mono float32 sound at `rate_hz`; one resampling stream per recording, so borders leave no trace."""
    resampler = Resampler(sound.sample_rate_hz, rate_hz)
    with SampleReader(source, sound) as reader:
        for block in reader.blocks(max(round(block_s * sound.sample_rate_hz), 1)):
            yield resampler.push(to_mono(block))
    yield resampler.finish()
