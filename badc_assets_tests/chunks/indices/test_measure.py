"""The indices of one piece of sound: those of scikit-maad on the same samples, or none with the reason."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maad import features, sound
from pydantic import ValidationError

from badc_assets.chunks.indices.measure import INDEX_NAMES, MOST_AMPLITUDES, acoustic_indices, is_too_long
from badc_assets.chunks.indices.rules import BOUNDS
from badc_assets.chunks.indices.settings import IndexSettings
from badc_assets_tests.sounds import noise, with_tone

RATE_HZ = 44_100


def soundscape(seconds: float = 4, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Noise that falls with frequency, with two calls in it."""
    rough = noise(seconds, level=0.05, rate_hz=rate_hz)
    smooth = np.convolve(rough, np.ones(24) / 24, "same").astype(np.float32) + 0.02 * rough
    return with_tone(with_tone(smooth, 0.5, 1.0, 3000, rate_hz=rate_hz), 1.5, 2.2, 2300, rate_hz=rate_hz)


def values(found) -> list[float | None]:
    return [getattr(found, name) for name in INDEX_NAMES]


def by_hand(samples: np.ndarray, rate_hz: int) -> list[float]:
    """What scikit-maad gives for 512 samples and half of them again, in double precision, from spectra of its own."""
    centred = samples.astype(np.float64) - samples.mean(dtype=np.float64)
    options = {"nperseg": 512, "noverlap": 256, "detrend": False}
    amplitude, _, hz, _ = sound.spectrogram(centred, rate_hz, mode="amplitude", **options)
    power, _, _, _ = sound.spectrogram(centred, rate_hz, mode="psd", **options)
    in_frequency, _ = features.frequency_entropy(power, compatibility="seewave")
    in_time = features.temporal_entropy(centred, compatibility="seewave", Nt=512)
    bands = {"fmax": 10_000, "bin_step": 1000, "dB_threshold": -50}
    return [
        features.acoustic_complexity_index(amplitude)[2],
        features.soundscape_index(power, hz, (2000, 7000), (1000, 1000), R_compatible="seewave")[0],
        features.acoustic_diversity_index(amplitude, hz, **bands),
        features.acoustic_eveness_index(amplitude, hz, **bands),
        features.bioacoustics_index(amplitude, hz, (2000, 8000)),
        in_time * in_frequency,
    ]


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 96_000])
@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_they_are_those_of_scikit_maad(rate_hz, offset):
    samples = soundscape(rate_hz=rate_hz) + np.float32(offset)
    found = acoustic_indices(samples, rate_hz, IndexSettings(overlap_share=0.5))
    assert found.note == ""
    assert values(found) == pytest.approx(by_hand(samples, rate_hz), rel=1e-3)


def test_the_loudest_may_lie_above_the_bands_of_adi():
    samples = with_tone(soundscape(), 0, 4, 15_000, rate_hz=RATE_HZ)
    found = acoustic_indices(samples, RATE_HZ, IndexSettings(overlap_share=0.5))
    assert values(found) == pytest.approx(by_hand(samples, RATE_HZ), rel=1e-3)


def test_ndsi_takes_each_band_up_to_its_upper_limit_and_no_further():
    def ndsi(hz: float) -> float | None:
        return acoustic_indices(with_tone(noise(2, level=1e-5), 0, 2, hz), 16_000, IndexSettings()).ndsi

    assert [ndsi(hz) for hz in (1500, 2500)] == pytest.approx([-1, 1], abs=0.01)
    # 8.5 kHz is neither band's, and what is left is even noise: six parts against one.
    outside = with_tone(noise(2, level=1e-3, rate_hz=44_100), 0, 2, 8500, rate_hz=44_100)
    found = acoustic_indices(outside, 44_100, IndexSettings(window=4096)).ndsi
    assert found == pytest.approx(5 / 7, abs=0.02)


def test_what_they_say():
    loud_animals, machines = soundscape(), with_tone(soundscape(), 0, 4, 1500, rate_hz=RATE_HZ)
    even, one_band = (
        noise(4, rate_hz=RATE_HZ),
        with_tone(noise(4, level=1e-6, rate_hz=RATE_HZ), 0, 4, 5000, rate_hz=RATE_HZ),
    )
    animal, machine, spread, narrow = (
        acoustic_indices(samples, RATE_HZ, IndexSettings()) for samples in (loud_animals, machines, even, one_band)
    )
    assert animal.ndsi > 0.5 > machine.ndsi
    assert spread.h > 0.9 > narrow.h
    assert spread.adi == pytest.approx(math.log(10), abs=1e-3)
    assert narrow.adi < 1 < spread.adi
    assert spread.aei < 0.1 < narrow.aei
    assert spread.bi < animal.bi


def test_an_offset_changes_nothing():
    plain, moved = (acoustic_indices(soundscape() + np.float32(dc), RATE_HZ, IndexSettings()) for dc in (0.0, 0.2))
    assert values(moved) == pytest.approx(values(plain), rel=1e-3)


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros(44_100, np.float32), "silent"),
        (np.full(44_100, 0.1, np.float32), "silent"),
        (noise(0.03, rate_hz=RATE_HZ), "fewer than 3 spectra"),
        (np.zeros(0, np.float32), "fewer than 3 spectra"),
        (np.append(noise(1), np.float32("nan")), "not numbers"),
        (np.append(noise(1), np.float32("inf")), "not numbers"),
    ],
)
def test_none_of_what_has_none(samples, says):
    found = acoustic_indices(samples, RATE_HZ, IndexSettings())
    assert values(found) == [None] * len(INDEX_NAMES)
    assert says in found.note


def test_a_band_above_half_the_sample_rate_leaves_its_index_empty():
    found = acoustic_indices(soundscape(rate_hz=8000), 8000, IndexSettings())
    assert [name for name in INDEX_NAMES if getattr(found, name) is None] == ["ndsi", "adi", "aei", "bi"]
    assert "ndsi: 8000 Hz is above half the sample rate (4000 Hz)" in found.note
    lower = IndexSettings(biophony_hz=(2000, 4000), bioacoustic_hz=(2000, 4000), diversity_max_hz=4000)
    found = acoustic_indices(soundscape(rate_hz=8000), 8000, lower)
    assert None not in values(found)
    assert found.note == ""


def test_a_window_too_short_for_a_band_leaves_its_index_empty():
    found = acoustic_indices(soundscape(3, rate_hz=384_000), 384_000, IndexSettings(window=128))
    assert [name for name in INDEX_NAMES if getattr(found, name) is None] == ["ndsi", "adi", "aei"]
    assert "window of 128 samples is too short" in found.note


def test_ultrasound_alone_has_no_diversity_below():
    bat = with_tone(np.zeros(96_000, np.float32), 0.1, 0.9, 40_000, rate_hz=96_000)
    bat[9_600:86_400] *= np.hanning(76_800).astype(np.float32)
    found = acoustic_indices(bat, 96_000, IndexSettings())
    assert (found.adi, found.aei) == (None, None)
    assert "adi, aei: nothing up to 10000 Hz" in found.note


def test_a_chunk_too_long_for_memory_is_refused():
    assert is_too_long(2 * MOST_AMPLITUDES + 512, IndexSettings())
    assert not is_too_long(60 * 384_000, IndexSettings())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    level=st.sampled_from([1e-6, 1e-3, 0.3]),
    rate_hz=st.sampled_from([8000, 16_000, 44_100, 250_000]),
    count=st.integers(0, 6000),
    window=st.sampled_from([128, 512, 2048]),
    overlap=st.sampled_from([0.0, 0.5, 0.9]),
)
def test_they_stay_within_their_bounds(seed, level, rate_hz, count, window, overlap):
    samples = noise(count / rate_hz, seed=seed, level=level, rate_hz=rate_hz)
    found = acoustic_indices(samples, rate_hz, IndexSettings(window=window, overlap_share=overlap))
    for name, (least, greatest) in BOUNDS.items():
        value = getattr(found, name)
        assert (value is None and found.note) or least <= value <= greatest + 1e-5


@pytest.mark.parametrize(
    "wrong",
    [
        {"biophony_hz": (8000, 2000)},
        {"biophony_hz": (2000, 8500)},
        {"anthrophony_hz": (0, 1000)},
        {"diversity_max_hz": 9500},
        {"diversity_max_hz": 1000},
        {"window": 500},
        {"overlap_share": 1},
        {"min_hz": 3},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValidationError):
        IndexSettings(**wrong)
