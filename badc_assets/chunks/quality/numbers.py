"""The numbers of a span of sound, from the seconds that were measured."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from badc_assets.audio.measures.meter import SPECTRUM_EVERY_S, Measures


@dataclass(frozen=True, slots=True)
class SoundQuality:
    """Numbers of a recording or a chunk. A chunk's are those of the seconds of the recording that it has a part in.

    Of several channels each number is that of the worst; `lost_share` is that of the best. Levels in dB of full scale. The shares
    are of samples: `still_share` kept one value for 10 ms or longer, `clipped_share` were at the recorder's limit. `dropout_s`
    and `clipped_s` count seconds: those in which the sound stood still for a part, and those with three clipped samples or more.
    `offset` is the mean, in parts of full scale, `level_dbfs` without it. `channel_gap_db` is how far the quietest channel lies
    below the loudest. The last six are medians of what `audio.measures.spectrum` explains; None where the sample rate is too
    low for them.
    """

    seconds: int
    still_share: float
    lost_share: float
    dropout_s: int
    clipped_share: float
    clipped_s: int
    offset: float
    level_dbfs: float
    peak_dbfs: float
    channel_gap_db: float
    hum_db: float | None
    hum_hz: float | None
    wind_db: float | None
    low_db: float | None
    rain_db: float | None
    rain_even: float | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


LOWEST_DBFS = -140.0
_FEWEST_CLIPPED = 3


def quality_of(measures: Measures, start_ms: int, end_ms: int) -> SoundQuality:
    """The numbers of the seconds from `start_ms` to `end_ms`, which hold some sound."""
    first = min(start_ms // 1000, measures.seconds - 1)
    last = min(max(-(-end_ms // 1000), first + 1), measures.seconds)
    part = {name: values[first:last] for name, values in measures.waveform.items()}
    samples = part["samples"].sum(axis=0)
    mean = part["total"].sum(axis=0) / samples
    power = np.maximum(part["energy"].sum(axis=0) / samples - mean**2, 0)
    still = part["still"].sum(axis=0) / samples
    levels = [_decibels(value) for value in power]
    is_dropout = (part["still"] > 0) & (part["still"] < part["samples"])
    spectra = {
        name: values[first // SPECTRUM_EVERY_S : -(-last // SPECTRUM_EVERY_S)]
        for name, values in measures.spectra.items()
    }
    return SoundQuality(
        seconds=last - first,
        still_share=round(float(still.max()), 5),
        lost_share=round(float(still.min()), 5),
        dropout_s=int(is_dropout.any(axis=1).sum()),
        clipped_share=round(float((part["clipped"].sum(axis=0) / samples).max()), 6),
        clipped_s=int((part["clipped"] >= _FEWEST_CLIPPED).any(axis=1).sum()),
        offset=round(float(mean[np.argmax(np.abs(mean))]), 4),
        level_dbfs=max(levels),
        peak_dbfs=_decibels(float(part["peak"].max()) ** 2),
        channel_gap_db=round(max(levels) - min(levels), 1),
        **{name: _median(values) for name, values in spectra.items()},
    )


def _decibels(power: float) -> float:
    return round(max(10 * math.log10(power), LOWEST_DBFS), 1) if power > 0 else LOWEST_DBFS


def _median(values: np.ndarray) -> float | None:
    return None if np.isnan(values).any() else round(float(np.median(values)), 2)
