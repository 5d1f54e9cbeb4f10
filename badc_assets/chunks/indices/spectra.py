"""The spectra that all indices of a chunk share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

_SPECTRA_AT_A_TIME = 1024


def amplitude_spectra(samples: Float32, window: int, hop: int) -> Float32:
    """Amplitudes of shape (window / 2, spectra), lowest frequency first, from samples of shape (n,), n >= window.

    On the scale of scikit-maad's `spectrogram(mode="amplitude", detrend=False)`, which takes twice the time and four times
    the memory: it works in double precision and on everything at once.
    """
    weights = (np.sin(np.pi * np.arange(window) / window) ** 2).astype(np.float32)
    scale = np.float32(np.sqrt(2 / (window * np.sum(weights.astype(np.float64) ** 2))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    spectra = np.empty((window // 2, len(frames)), np.float32)
    for start in range(0, len(frames), _SPECTRA_AT_A_TIME):
        part = np.fft.rfft(frames[start : start + _SPECTRA_AT_A_TIME] * weights)
        spectra[:, start : start + _SPECTRA_AT_A_TIME] = np.abs(part[:, :-1]).T
    spectra *= scale
    return spectra
