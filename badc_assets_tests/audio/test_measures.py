"""What is measured while a recording is read: right, and the same however it is cut into blocks."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.audio.measures.meter import SPECTRUM_EVERY_S, Measures, Meter
from badc_assets.audio.measures.waveform import measure

RATE_HZ = 22_050


def measured(sound: np.ndarray, rate_hz: int = RATE_HZ, *, block_s: int = 1) -> Measures:
    """Sound of shape (n,) or (n, channels), of any sample type, fed in blocks of `block_s` seconds."""
    sound = sound.reshape(len(sound), -1)
    meter = Meter(rate_hz, sound.shape[1], len(sound))
    for start in range(0, len(sound), block_s * rate_hz):
        meter.add(sound[start : start + block_s * rate_hz])
    return meter.measures()


def int16(sound: np.ndarray) -> np.ndarray:
    return np.round(np.clip(sound, -1, 1 - 2**-15) * 2**15).astype(np.int16)


def tone(hz: float, seconds: float, *, level: float = 0.5, rate_hz: int = RATE_HZ) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def noise(seconds: float, *, level: float = 0.01, seed: int = 1, rate_hz: int = RATE_HZ) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(round(seconds * rate_hz))


def one_second(sound: np.ndarray, rate_hz: int = RATE_HZ) -> SimpleNamespace:
    """The measures of a second or less, as plain numbers."""
    found = measure(np.ascontiguousarray(sound)[None], rate_hz, np.empty(rate_hz, np.float32))
    return SimpleNamespace(**{name: getattr(found, name)[0] for name in found.__dataclass_fields__})


def test_level_and_offset_are_in_parts_of_full_scale():
    found = one_second(int16(tone(100, 1, level=0.5) + 0.1))
    assert found.total / found.samples == pytest.approx(0.1, abs=1e-4)
    assert found.energy / found.samples == pytest.approx(0.5**2 / 2 + 0.1**2, rel=1e-3)
    assert found.peak == pytest.approx(0.6, abs=1e-3)


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32"])
def test_the_sample_type_makes_no_difference(dtype):
    sound = int16(noise(1, level=0.2))
    same = {
        "int16": sound,
        "int32": sound.astype(np.int32) << 16,
        "float32": sound.astype(np.float32) / np.float32(2**15),
    }[dtype]
    found, wanted = one_second(same), one_second(sound)
    assert (found.clipped, found.still, found.samples) == (wanted.clipped, wanted.still, wanted.samples)
    assert found.energy == pytest.approx(wanted.energy, rel=1e-4)
    assert found.peak == pytest.approx(wanted.peak, rel=1e-6)


def test_clipping_at_full_scale_and_below_it():
    loud = tone(440, 1, level=1.5)
    assert one_second(int16(loud)).clipped > 5_000
    assert one_second(int16(np.clip(loud, -0.6, 0.6))).clipped > 5_000  # a recorder whose limit lies lower
    assert one_second(int16(tone(440.7, 1, level=0.9))).clipped == 0
    assert one_second(int16(np.clip(tone(440, 1, level=0.1), -0.05, 0.05))).clipped == 0  # too weak to be a limit


def test_still_runs_are_counted_from_10_ms():
    shortest = 10 * RATE_HZ // 1000
    for length, expected in ((shortest - 1, 0), (shortest, shortest), (5000, 5000)):
        sound = int16(noise(1, level=0.1))
        sound[7000 : 7000 + length] = 12
        sound[7000 - 1] = sound[7000 + length] = 13
        assert one_second(sound).still == expected, length
    assert one_second(np.zeros(RATE_HZ, np.int16)).still == RATE_HZ


def test_faint_sound_does_not_stand_still():
    assert one_second(int16(noise(1, level=1 / 2**15))).still == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.integers(0, RATE_HZ))
def test_still_is_what_counting_by_hand_gives(seed, runs, longest):
    """Runs of random length of few values, so that long ones are common."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, max(longest, 1) + 1, runs)
    sound = np.repeat(random.integers(-2, 3, runs).astype(np.int16), lengths)[:RATE_HZ]
    edges = [0, *(i for i in range(1, len(sound)) if sound[i] != sound[i - 1]), len(sound)]
    by_hand = sum(b - a for a, b in pairwise(edges) if b - a >= 10 * RATE_HZ // 1000)
    assert one_second(sound).still == by_hand


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 40 * RATE_HZ))
def test_blocks_make_no_difference(block_s, channels, frames):
    sound = int16(np.random.default_rng(frames).standard_normal((frames, channels)) * 0.1)
    one, other = measured(sound), measured(sound, block_s=block_s)
    assert one.seconds == -(-frames // RATE_HZ)
    assert len(one.spectra["hum_db"]) == -(-one.seconds // SPECTRUM_EVERY_S)
    for name, values in one.waveform.items():
        assert np.array_equal(values, other.waveform[name]), name
    for name, values in one.spectra.items():
        assert np.array_equal(values, other.spectra[name]), name
    assert np.array_equal(one.picture, other.picture)


@pytest.mark.parametrize("mains", [50, 60])
@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000, 192_000])
def test_hum_stands_out(mains, rate_hz):
    hum = sum(tone(mains * k, 12, level=0.02 / k, rate_hz=rate_hz) for k in (1, 2, 3, 4, 5))
    quiet = noise(12, level=0.002, rate_hz=rate_hz)
    found = measured(int16(hum + quiet), rate_hz).spectra
    assert np.median(found["hum_db"]) > 20
    assert set(found["hum_hz"]) == {mains}
    assert np.median(measured(int16(quiet), rate_hz).spectra["hum_db"]) < 6


def test_a_low_song_is_no_hum():
    owl = tone(350, 12, level=0.1) + noise(12, level=0.002)
    assert np.median(measured(int16(owl)).spectra["hum_db"]) < 10


def test_wind_falls_with_frequency_and_rain_is_even():
    rumble = np.cumsum(noise(20, level=0.002))
    rumble -= np.convolve(rumble, np.ones(RATE_HZ) / RATE_HZ, "same")
    wind, rain = measured(int16(rumble)).spectra, measured(int16(noise(20, level=0.05))).spectra
    assert np.median(wind["wind_db"]) > 20
    assert np.median(rain["wind_db"]) < 3
    assert np.median(rain["rain_even"]) == pytest.approx(0.56, abs=0.02)
    assert np.median(wind["rain_even"]) < 0.4
    song = measured(int16(tone(3000, 20, level=0.2) + noise(20, level=0.001))).spectra
    assert np.median(song["rain_even"]) < 0.05


def test_levels_are_power_per_hertz():
    level = 0.05
    found = measured(int16(noise(40, level=level))).spectra
    assert np.median(found["rain_db"]) == pytest.approx(10 * np.log10(level**2 * 2 / RATE_HZ) - 1.6, abs=0.7)


def test_what_a_low_sample_rate_cannot_show_is_unknown():
    found = measured(int16(noise(5, rate_hz=8_000)), 8_000).spectra
    assert np.isnan(found["rain_db"]).all()
    assert np.isnan(found["rain_even"]).all()
    assert np.isfinite(found["wind_db"]).all()


def test_numbers_that_are_none_count_as_silence():
    sound = noise(2).astype(np.float32)
    sound[RATE_HZ : RATE_HZ + 4000] = np.nan
    sound[10] = np.inf
    found = measured(sound)
    assert found.waveform["still"][:, 0].tolist() == [0, 4000]
    assert np.isfinite(found.waveform["energy"]).all()
    assert found.waveform["peak"][0, 0] == 1


def test_the_picture_shows_what_is_where():
    seconds = 300
    sound = noise(seconds, level=0.001)
    sound[200 * RATE_HZ : 240 * RATE_HZ] += tone(4000, 40)
    found = measured(int16(sound))
    rows, columns = found.picture.shape
    row, column = np.unravel_index(np.argmax(found.picture), found.picture.shape)
    edges = np.geomspace(60, RATE_HZ / 2, rows + 1)
    assert edges[row] <= 4000 <= edges[row + 1]
    assert 200 <= (column + 0.5) * found.seconds_per_column <= 240
    assert columns * found.seconds_per_column >= seconds
