"""Measures that need a spectrum: mains hum, wind and rain, and a column of the picture.

They are taken from one Hann window of 0.1 to 0.2 s in every four seconds: these things last, and all of the sound would cost ten
times as much. All are proxies: they say what a recording sounds like, and are there to be looked at, not believed.

Hum: the levels at 50 or 60 Hz and four multiples against those between them. Wind: how far the spectrum falls from the lowest
frequencies, where turbulence at the microphone has its energy (Raspet, Webster and Dillion 2006, J. Acoust. Soc. Am. 119:
pressure spectra that fall with a power of the frequency), to 2 kHz. Rain: the level that both 0.6-1.2 kHz and 4.4-5.6 kHz
reach, the bands of Bedoya et al. 2017 (Ecol. Indic. 75) and of hardRain (Metcalf et al. 2020, Ecol. Indic. 109), and how even
the spectrum is between them, since rain is broad-band noise and song is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

MAINS_HZ = (50.0, 60.0)
WIND_HZ, CALM_HZ = (30.0, 120.0), (500.0, 2000.0)
RAIN_HZ = ((600.0, 1200.0), (4400.0, 5600.0))
_HARMONICS = 5
_WINDOW_S = 0.2
LOWEST_DB = -140.0
"""What stands for silence, dB of full scale per hertz."""

PICTURE_ROWS = 32
PICTURE_LOW_HZ = 60.0


@dataclass(frozen=True)
class SpectrumPlan:
    """Which bins of the spectrum make which measure, for one sample rate."""

    rate_hz: int
    window: int
    weights: Float32
    hum: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]
    wind: slice
    calm: slice
    rain: tuple[slice, ...]
    rows: NDArray[np.intp]


def spectrum_plan(rate_hz: int) -> SpectrumPlan:
    """Windows of 2^n samples, at most a fifth of a second. Bands above half the sample rate are left empty."""
    window = 2 ** int(np.log2(max(rate_hz * _WINDOW_S, 16)))
    hann = np.hanning(window + 1)[:-1]
    # So that squared bins are power per hertz (one-sided density).
    weights = hann * np.sqrt(2 / (rate_hz * float((hann**2).sum())))
    edges = np.geomspace(PICTURE_LOW_HZ, rate_hz / 2, PICTURE_ROWS + 1)
    bins = np.minimum(np.maximum.accumulate(np.round(edges * window / rate_hz).astype(np.intp)), window // 2)
    return SpectrumPlan(
        rate_hz=rate_hz,
        window=window,
        weights=weights.astype(np.float32),
        hum=tuple(_hum_bins(mains, rate_hz, window) for mains in MAINS_HZ),
        wind=_band(WIND_HZ, rate_hz, window),
        calm=_band(CALM_HZ, rate_hz, window),
        rain=tuple(_band(band, rate_hz, window) for band in RAIN_HZ),
        rows=bins[:-1],
    )


@dataclass(frozen=True)
class Spectra:
    """Measures of windows, each of shape (windows,), dB; `picture` (windows, PICTURE_ROWS), dB of full scale per hertz.

    `hum_db` is that of the stronger of 50 and 60 Hz, `hum_hz` which. `rain_even` is the spectral flatness from 0.6 to 5.6 kHz,
    0..1: the geometric by the arithmetic mean; that of white noise is 0.56 here. NaN where the sample rate is too low for it.
    """

    hum_db: Float32
    hum_hz: Float32
    wind_db: Float32
    low_db: Float32
    rain_db: Float32
    rain_even: Float32
    picture: Float32


def spectra(windows: Float32, plan: SpectrumPlan) -> Spectra:
    """The measures of `windows`, shape (n, plan.window), in parts of full scale."""
    from scipy.fft import rfft  # takes a tenth of a second to load; twice as fast as numpy's in single precision

    transform: NDArray[np.complex64] = np.asarray(rfft(windows * plan.weights, axis=1))
    power = (transform.real**2 + transform.imag**2).astype(np.float32, copy=False)
    decibels = 10 * np.log10(np.maximum(power, 10 ** (LOWEST_DB / 10)))
    hums = np.stack([_hum(decibels, *bins) for bins in plan.hum])
    strongest = np.argmax(hums, axis=0)
    low, calm = (_median(decibels[:, band]) for band in (plan.wind, plan.calm))
    rains = [_median(decibels[:, band]) for band in plan.rain]
    between = slice(plan.rain[0].start, plan.rain[1].stop)
    return Spectra(
        hum_db=np.max(hums, axis=0),
        hum_hz=np.asarray(MAINS_HZ, np.float32)[strongest],
        wind_db=low - calm,
        low_db=low,
        rain_db=np.minimum(*rains),
        rain_even=_flatness(decibels[:, between], power[:, between]),
        picture=_rows(power, plan.rows),
    )


def _hum_bins(mains_hz: float, rate_hz: int, window: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The bins of the mains and its multiples, and those halfway between them."""
    multiples = mains_hz * np.arange(1, _HARMONICS + 1)
    at, between = (np.round(hz * window / rate_hz).astype(np.intp) for hz in (multiples, multiples + mains_hz / 2))
    return np.minimum(at, window // 2), np.minimum(between, window // 2)


def _hum(decibels: Float32, at: NDArray[np.intp], between: NDArray[np.intp]) -> Float32:
    """How far the median multiple stands above what lies between them."""
    return (np.median(decibels[:, at], axis=1) - np.median(decibels[:, between], axis=1)).astype(np.float32)


def _band(edges_hz: tuple[float, float], rate_hz: int, window: int) -> slice:
    low, high = (round(hz * window / rate_hz) for hz in edges_hz)
    return slice(low, high + 1) if edges_hz[1] <= rate_hz / 2 else slice(0, 0)


def _median(decibels: Float32) -> Float32:
    if decibels.shape[1] == 0:
        return np.full(len(decibels), np.nan, np.float32)
    return np.median(decibels, axis=1).astype(np.float32)


def _flatness(decibels: Float32, power: Float32) -> Float32:
    if decibels.shape[1] == 0:
        return np.full(len(decibels), np.nan, np.float32)
    arithmetic = 10 * np.log10(np.maximum(power.mean(axis=1), 10 ** (LOWEST_DB / 10)))
    return (10 ** ((decibels.mean(axis=1) - arithmetic) / 10)).astype(np.float32)


def _rows(power: Float32, first_bins: NDArray[np.intp]) -> Float32:
    """Mean power of each row of the picture, in dB; a row narrower than a bin has that bin's."""
    sums = np.add.reduceat(power, first_bins, axis=1)
    widths = np.maximum(np.diff(first_bins, append=power.shape[1]), 1)
    return (10 * np.log10(np.maximum(sums / widths, 10 ** (LOWEST_DB / 10)))).astype(np.float32)
