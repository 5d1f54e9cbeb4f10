"""The acoustic indices of one piece of sound, by scikit-maad, from one set of spectra."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from badc_assets.chunks.indices.settings import NDSI_STEP_HZ, IndexSettings
from badc_assets.chunks.indices.spectra import Float32, amplitude_spectra

LEAST_SPECTRA = 3
"""Fewer say nothing of how sound changes."""

MOST_AMPLITUDES = 1 << 25
"""All spectra of a chunk are in memory at once, with copies 16 bytes for each amplitude."""

TOO_LONG = "is too long: choose a shorter chunking.length_s"


@dataclass(frozen=True)
class AcousticIndices:
    """None where an index cannot be calculated; `note` says why.

    `aci` acoustic complexity, >= 0: change from spectrum to spectrum as a share of the sum over the chunk, added up over all
    frequencies up to half the sample rate. Compare it only between chunks of one sample rate and window.
    `ndsi` normalised difference soundscape index, -1 (machines) to 1 (animals).
    `adi` acoustic diversity, 0 to the natural logarithm of the number of bands.
    `aei` acoustic evenness, 0 (all bands alike) to 1.
    `bi` bioacoustic index, >= 0: the mean spectrum in dB above its minimum, added up over the band.
    `h` acoustic entropy, 0 (a pure tone) to 1 (noise): entropy in time times entropy in frequency.
    """

    aci: float | None = None
    ndsi: float | None = None
    adi: float | None = None
    aei: float | None = None
    bi: float | None = None
    h: float | None = None
    note: str = ""


INDEX_NAMES = ("aci", "ndsi", "adi", "aei", "bi", "h")


Found = tuple[Any, ...]
"""What scikit-maad gives: numbers of Python or numpy, one for each index."""


class _NotMeasurable(Exception):
    """This sound has no such index; the text says why."""


@dataclass(frozen=True)
class _Spectra:
    """Sound without its mean, its amplitudes of shape (frequencies, spectra), and the mean power of each frequency."""

    samples: Float32
    rate_hz: int
    amplitudes: Float32
    mean_power: Float32
    frequencies: NDArray[np.floating[Any]]
    settings: IndexSettings

    @property
    def step_hz(self) -> float:
        return self.rate_hz / self.settings.window

    def require(self, highest_hz: int, coarsest_hz: int) -> None:
        """Raises _NotMeasurable unless the spectra reach up to `highest_hz` in steps of `coarsest_hz` or less."""
        if highest_hz > self.rate_hz / 2:
            raise _NotMeasurable(f"{highest_hz} Hz is above half the sample rate ({self.rate_hz / 2:g} Hz)")
        if self.step_hz > coarsest_hz:
            raise _NotMeasurable(f"a window of {self.settings.window} samples is too short for {coarsest_hz} Hz")


def acoustic_indices(samples: Float32, rate_hz: int, settings: IndexSettings) -> AcousticIndices:
    """The indices of mono sound of shape (n,). Needs scikit-maad.

    The mean is taken off the whole piece, and off nothing smaller. Packages differ here, and with them ADI, AEI and H:
    soundecology takes off nothing, scikit-maad's own spectrogram takes it off every spectrum.
    """
    if problem := _problem(samples, settings):
        return AcousticIndices(note=problem)
    spectra = _spectra(samples, rate_hz, settings)
    values: dict[str, float] = {}
    reasons: list[str] = []
    for names, measure in _MEASURES.items():
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                found = measure(spectra)
            if not np.isfinite(found).all():
                raise _NotMeasurable("is not a finite number")
            values |= {name: float(value) for name, value in zip(names, found, strict=True)}
        except _NotMeasurable as reason:
            reasons.append(f"{', '.join(names)}: {reason}")
    return AcousticIndices(**values, note="; ".join(reasons))


def is_too_long(samples: int, settings: IndexSettings) -> bool:
    """Whether the spectra of so many samples would take too much memory."""
    return samples // settings.hop * settings.window // 2 > MOST_AMPLITUDES


def _problem(samples: Float32, settings: IndexSettings) -> str:
    """Why there can be no indices at all; empty when there can."""
    if is_too_long(len(samples), settings):
        return TOO_LONG
    if len(samples) < settings.window + (LEAST_SPECTRA - 1) * settings.hop:
        return f"has fewer than {LEAST_SPECTRA} spectra of {settings.window} samples"
    lowest, highest = samples.min(), samples.max()
    if not np.isfinite([lowest, highest]).all():
        return "holds samples that are not numbers"
    return "is silent" if lowest == highest else ""


def _spectra(samples: Float32, rate_hz: int, settings: IndexSettings) -> _Spectra:
    centred = samples - np.float32(samples.mean(dtype=np.float64))
    amplitudes = amplitude_spectra(centred, settings.window, settings.hop)
    mean_power = np.square(amplitudes).mean(axis=1)
    frequencies = np.arange(len(amplitudes)) * (rate_hz / settings.window)
    return _Spectra(centred, rate_hz, amplitudes, mean_power, frequencies, settings)


def _aci(sound: _Spectra) -> Found:
    from maad.features import acoustic_complexity_index

    return (acoustic_complexity_index(sound.amplitudes)[2],)


def _ndsi(sound: _Spectra) -> Found:
    """Each band is given by its first and last 1 kHz step: scikit-maad takes the step at the upper limit in as well."""
    from maad.features import soundscape_index

    animals, machines = sound.settings.biophony_hz, sound.settings.anthrophony_hz
    sound.require(max(animals[1], machines[1]), NDSI_STEP_HZ)
    bands = {
        "flim_bioPh": (animals[0], animals[1] - NDSI_STEP_HZ),
        "flim_antroPh": (machines[0], machines[1] - NDSI_STEP_HZ),
    }
    # The index is of sums over time, so the mean over time stands for all spectra.
    return (soundscape_index(sound.mean_power[:, np.newaxis], sound.frequencies, **bands, R_compatible="seewave")[0],)


def _diversity(sound: _Spectra) -> Found:
    """ADI and AEI, from the spectra up to their highest band, which saves half the time at 44.1 kHz."""
    from maad.features import acoustic_diversity_index, acoustic_eveness_index

    settings = sound.settings
    sound.require(settings.diversity_max_hz, settings.diversity_step_hz)
    rows = int(np.abs(sound.frequencies - settings.diversity_max_hz).argmin()) + 1
    heard = sound.amplitudes[:rows]
    # scikit-maad counts from the loudest of what it is given, which may be quieter than the loudest of all.
    threshold_db = settings.diversity_threshold_db + 20 * np.log10(sound.amplitudes.max() / heard.max())
    if not threshold_db <= 0:
        reach = f"{-settings.diversity_threshold_db:g} dB of the loudest"
        raise _NotMeasurable(f"nothing up to {settings.diversity_max_hz} Hz is within {reach}")
    bands = {"fmax": settings.diversity_max_hz, "bin_step": settings.diversity_step_hz, "dB_threshold": threshold_db}
    return tuple(
        index(heard, sound.frequencies[:rows], **bands) for index in (acoustic_diversity_index, acoustic_eveness_index)
    )


def _bi(sound: _Spectra) -> Found:
    from maad.features import bioacoustics_index

    low, high = sound.settings.bioacoustic_hz
    sound.require(high, (high - low) // 2)
    return (bioacoustics_index(sound.amplitudes, sound.frequencies, flim=(low, high)),)


def _h(sound: _Spectra) -> Found:
    """Of amplitudes, as seewave and the paper have it."""
    from maad.features import frequency_entropy, temporal_entropy

    settings = sound.settings
    in_time: Any = temporal_entropy(sound.samples, "seewave", mode=settings.envelope, Nt=settings.window)
    in_frequency: Any = frequency_entropy(sound.mean_power, "seewave")[0]
    return (in_time * in_frequency,)


_MEASURES: dict[tuple[str, ...], Callable[[_Spectra], Found]] = {
    ("aci",): _aci,
    ("ndsi",): _ndsi,
    ("adi", "aei"): _diversity,
    ("bi",): _bi,
    ("h",): _h,
}
