"""The energy detector on made sounds: what it finds, what it leaves, and what it must not depend on."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from badc_assets.detectors.energy.detector import EnergyDetector, EnergySettings
from badc_assets.detectors.energy.events import confidence
from badc_assets.detectors.protocol import Event, StreamDetector, StreamInfo
from badc_assets.errors import BadcError
from badc_assets.samples.sounds import coloured_noise
from badc_assets_tests.detectors.sounds import add, events_in, noise, other_value, tone

RATE = 22_050


def _near(events: list[Event], start_s: float, end_s: float, hz: float, *, slack_ms: float = 60) -> list[Event]:
    """The events that start and end there and whose box holds `hz`."""
    return [
        event
        for event in events
        if abs(event.start_ms - start_s * 1000) <= slack_ms
        and abs(event.end_ms - end_s * 1000) <= slack_ms
        and (event.low_hz or 0) <= hz <= (event.high_hz or 0)
    ]


class TestDescription:
    def test_is_a_stream_detector_at_the_recordings_own_rate(self) -> None:
        detector = EnergyDetector(EnergySettings())
        assert isinstance(detector, StreamDetector)
        assert (detector.info.kind, detector.info.sample_rate_hz) == ("stream", None)
        assert [label.code for label in detector.info.labels] == ["SOUND"]

    def test_hash_follows_every_setting(self) -> None:
        base = EnergySettings()
        hashes = {EnergyDetector(base).info.settings_hash}
        for name, value in base.model_dump().items():
            changed = EnergySettings.model_validate({**base.model_dump(), name: other_value(value)})
            hashes.add(EnergyDetector(changed).info.settings_hash)
        assert len(hashes) == 1 + len(EnergySettings.model_fields)

    @pytest.mark.parametrize(
        "values",
        [
            {"low_hz": 5000, "high_hz": 4000},
            {"extend_db": 12, "threshold_db": 10},
            {"max_duration_ms": 5_000, "min_duration_ms": 6_000},
            {"preset": "whales"},
            {"preset": "bats", "high_hz": 5_000},
            {"window_ms": 0},
            {"threshold": 3},
        ],
    )
    def test_senseless_settings_are_refused(self, values: dict[str, float]) -> None:
        with pytest.raises(ValidationError):
            EnergySettings.model_validate(values)

    def test_a_rate_too_low_for_the_wanted_band_is_refused(self) -> None:
        detector = EnergyDetector(EnergySettings(low_hz=6000))
        with pytest.raises(BadcError, match="8000 Hz"):
            detector.open(StreamInfo("recording", 8000, 80_000))


class TestFinds:
    @pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 250_000, 384_000])
    def test_a_call_at_any_sample_rate(self, rate: int) -> None:
        sound = add(noise(8, rate), tone(0.5, rate, 2500, level_dbfs=-40), 4.0, rate)
        (event,) = events_in(sound, rate)
        assert _near([event], 4.0, 4.5, 2500) == [event]
        assert event.peak_hz == pytest.approx(2500, abs=60)

    @pytest.mark.parametrize("start_s", [0.0, 0.3, 9.5])
    def test_a_call_at_the_border_of_a_recording(self, start_s: float) -> None:
        sound = add(noise(10, RATE), tone(0.5, RATE, 2500), start_s, RATE)
        assert len(_near(events_in(sound, RATE), start_s, start_s + 0.5, 2500)) == 1

    def test_a_louder_call_has_more_confidence(self) -> None:
        found = []
        for level_dbfs in (-50, -44, -38, -32):
            sound = add(noise(8, RATE), tone(0.5, RATE, 2500, level_dbfs=level_dbfs), 4.0, RATE)
            found.append(_near(events_in(sound, RATE), 4.0, 4.5, 2500)[0])
        assert all(0 <= event.confidence <= 1 for event in found)
        for quiet, loud in pairwise(found):
            assert loud.confidence > quiet.confidence
            assert (loud.snr_db or 0) - (quiet.snr_db or 0) == pytest.approx(6, abs=2)

    def test_calls_in_two_bands_at_one_time_are_two_events(self) -> None:
        sound = add(noise(8, RATE), tone(0.5, RATE, 1000), 3.0, RATE)
        sound = add(sound, tone(1.0, RATE, 5000), 3.0, RATE)
        events = events_in(sound, RATE)
        assert len(events) == 2
        assert _near(events, 3.0, 3.5, 1000) and _near(events, 3.0, 4.0, 5000)

    def test_notes_with_short_pauses_are_one_event_and_with_long_ones_several(self) -> None:
        def series(pause_s: float) -> int:
            sound = noise(8, RATE)
            for note in range(4):
                sound = add(sound, tone(0.15, RATE, 3000), 2 + note * (0.15 + pause_s), RATE)
            return len(events_in(sound, RATE))

        assert (series(0.08), series(0.2), series(0.5)) == (1, 1, 4)

    def test_sound_after_digital_silence(self) -> None:
        silence = np.zeros(40 * RATE, dtype=np.float32)
        (event,) = events_in(add(silence, tone(1.0, RATE, 2500, level_dbfs=-60), 30.0, RATE), RATE)
        assert _near([event], 30.0, 31.0, 2500)

    def test_a_call_in_noise_that_follows_digital_silence(self) -> None:
        sound = np.concatenate([np.zeros(40 * RATE, dtype=np.float32), noise(40, RATE)])
        events = events_in(add(sound, tone(0.5, RATE, 2500), 45.0, RATE), RATE)
        assert _near(events, 45.0, 45.5, 2500)
        assert len(events) <= 2

    def test_a_long_song_stays_one_event_and_does_not_lift_the_floor(self) -> None:
        """Twenty seconds of a voice that moves between 2.5 and 3.5 kHz, with a faint call in its range right after it."""
        time_s = np.arange(20 * RATE) / RATE
        song = 0.05 * np.sin(2 * np.pi * (3000 * time_s - 500 / (2 * np.pi * 3) * np.cos(2 * np.pi * 3 * time_s)))
        sound = add(noise(60, RATE), song.astype(np.float32), 20, RATE)
        sound = add(sound, tone(0.5, RATE, 3000, level_dbfs=-48), 41, RATE)
        assert [(round(e.start_ms / 1000), round(e.end_ms / 1000, 1)) for e in events_in(sound, RATE)] == [
            (20, 40.0), (41, 41.5),
        ]  # fmt: skip

    def test_sound_that_repeats_for_fourteen_seconds_is_not_taken_for_background(self) -> None:
        sound = noise(60, RATE)
        for number in range(20):
            sound = add(sound, tone(0.25, RATE, 3000), 20 + number * 0.7, RATE)
        assert len(events_in(sound, RATE)) == 20


class TestPresets:
    def test_values_given_go_before_the_preset(self) -> None:
        settings = EnergySettings.model_validate({"preset": "owls", "high_hz": 3_000})
        assert (settings.low_hz, settings.high_hz, settings.window_ms) == (100, 3_000, 46.4)
        assert EnergySettings.model_validate(settings.model_dump()) == settings

    @pytest.mark.parametrize("rate", [192_000, 250_000, 384_000])
    def test_bats_at_high_sample_rates(self, rate: int) -> None:
        """Eight pulses of 6 ms that fall from 60 to 30 kHz, 80 ms apart."""
        time_s = np.arange(round(0.006 * rate)) / rate
        pulse = np.hanning(len(time_s)) * np.sin(2 * np.pi * (60_000 * time_s - 2_500_000 * time_s**2))
        sound = noise(4, rate)
        for number in range(8):
            sound = add(sound, (0.1 * pulse).astype(np.float32), 1 + 0.08 * number, rate)
        events = events_in(sound, rate, EnergySettings.model_validate({"preset": "bats"}))
        assert [round(event.start_ms / 10) for event in events] == [100 + 8 * number for number in range(8)]
        assert all(3 <= event.end_ms - event.start_ms <= 12 for event in events)
        assert all(28_000 < (event.low_hz or 0) < (event.high_hz or 0) < 63_000 for event in events)

    def test_owls_are_low_and_songbirds_are_not(self) -> None:
        sound = add(add(noise(20, RATE), tone(0.4, RATE, 400), 5, RATE), tone(0.4, RATE, 5000), 12, RATE)
        found = {
            preset: [
                round((event.peak_hz or 0) / 100)
                for event in events_in(sound, RATE, EnergySettings.model_validate({"preset": preset}))
            ]
            for preset in ("general", "owls", "songbirds", "frogs")
        }
        assert found == {"general": [4, 50], "owls": [4], "songbirds": [50], "frogs": [4, 50]}


class TestLeaves:
    @pytest.mark.parametrize("level_dbfs", [-80, -50, -20])
    def test_steady_noise(self, level_dbfs: float) -> None:
        assert events_in(noise(120, RATE, level_dbfs=level_dbfs, seed=3), RATE) == []

    @pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
    def test_white_pink_and_brown_noise(self, slope: float) -> None:
        """Two minutes each, of four seeds."""
        for seed in range(4):
            sound = 0.01 * coloured_noise(30 * RATE, RATE, slope, np.random.default_rng((seed, int(slope))))
            assert events_in(sound.astype(np.float32), RATE) == []

    @pytest.mark.parametrize("preset", ["owls", "songbirds", "frogs"])
    def test_noise_with_a_preset(self, preset: str) -> None:
        assert events_in(noise(60, RATE, seed=5), RATE, EnergySettings.model_validate({"preset": preset})) == []

    def test_bat_noise(self) -> None:
        assert events_in(noise(10, 192_000, seed=6), 192_000, EnergySettings.model_validate({"preset": "bats"})) == []

    def test_crickets_that_never_pause(self) -> None:
        sound = noise(60, RATE)
        chirp = tone(0.2, RATE, 5000)
        for number in range(148):
            sound = add(sound, chirp, number * 0.4, RATE)
        assert events_in(sound, RATE) == []
        frogs = EnergySettings.model_validate({"preset": "frogs"})
        assert sum(event.end_ms - event.start_ms for event in events_in(sound, RATE, frogs)) > 55_000

    def test_digital_silence(self) -> None:
        assert events_in(np.zeros(60 * RATE, dtype=np.float32), RATE) == []

    def test_constant_tone_and_offset(self) -> None:
        time_s = np.arange(60 * RATE) / RATE
        hum = (0.1 * np.sin(2 * np.pi * 440 * time_s) + 0.3).astype(np.float32)
        assert events_in(hum, RATE) == []
        assert events_in(hum + noise(60, RATE), RATE) == []
        assert events_in(np.full(60 * RATE, 0.7, dtype=np.float32), RATE) == []

    def test_noise_that_grows_slowly(self) -> None:
        rise = 10 ** (np.linspace(0, 20, 120 * RATE) / 20)
        assert events_in((noise(120, RATE) * rise).astype(np.float32), RATE) == []

    def test_a_click(self) -> None:
        sound = noise(10, RATE)
        sound[5 * RATE : 5 * RATE + 20] += 0.5
        assert events_in(sound, RATE) == []


class TestBounds:
    def test_a_long_sound_is_cut(self) -> None:
        sound = add(noise(60, RATE), tone(10, RATE, 3000), 20, RATE)
        events = events_in(sound, RATE, EnergySettings(max_duration_ms=3000))
        assert len(events) >= 4
        assert all(event.end_ms - event.start_ms <= 3000 + 50 for event in events)
        assert sum(event.end_ms - event.start_ms for event in events) == pytest.approx(10_000, rel=0.05)

    def test_a_hum_that_begins_midway_becomes_background(self) -> None:
        sound = add(noise(120, RATE), tone(80, RATE, 3000), 40, RATE)
        assert sum(event.end_ms - event.start_ms for event in events_in(sound, RATE)) < 15_000

    def test_clipped_sound(self) -> None:
        sound = np.clip(noise(30, RATE, level_dbfs=0) * 5, -1, 1)
        assert len(events_in(sound, RATE)) <= 2

    def test_broken_samples_count_as_zero(self) -> None:
        sound = add(noise(20, RATE), tone(0.5, RATE, 2500), 12, RATE)
        broken, zeroed = sound.copy(), sound.copy()
        broken[3 * RATE : 3 * RATE + 50] = [np.nan, np.inf, -np.inf, 1e30, -3e38] * 10
        zeroed[3 * RATE : 3 * RATE + 50] = 0
        with np.errstate(all="raise"):
            events = events_in(broken, RATE)
        assert events == events_in(zeroed, RATE)
        assert _near(events, 12, 12.5, 2500)

    @pytest.mark.parametrize("frames", [0, 1, 7, 100, 511, 512, 513, 1023, 1025, 2000])
    def test_recordings_shorter_than_a_few_windows(self, frames: int) -> None:
        for event in events_in(noise(1, RATE)[:frames], RATE):
            assert 0 <= event.start_ms < event.end_ms <= -(-frames * 1000 // RATE)

    def test_memory_does_not_grow_with_the_recording(self) -> None:
        """Twenty minutes at this rate are 38 MB of samples; the detector stays far below, as it does for one minute."""
        block = add(noise(10, 8000), tone(0.5, 8000, 2500), 4, 8000)
        session = EnergyDetector(EnergySettings(floor_window_s=10)).open(StreamInfo("r", 8000, 120 * len(block)))
        tracemalloc.start()
        found = sum(len(session.feed(block)) for _ in range(120)) + len(session.close())
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found == 120
        assert peak_bytes < 3e6


class TestBlocks:
    """An event must not depend on how the samples happen to be cut."""

    rate = 8_000
    options = EnergySettings(floor_window_s=4, max_duration_ms=2000)

    @classmethod
    def _sound(cls) -> np.ndarray:
        sound = noise(20, cls.rate)
        for start_s, seconds, hz in (
            (0.9, 0.3, 2000),
            (3.7, 3.5, 1000),
            (7.95, 0.1, 3000),
            (8.02, 0.5, 3100),
            (19.6, 0.4, 500),
        ):
            sound = add(sound, tone(seconds, cls.rate, hz), start_s, cls.rate)
        return sound

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.integers(0, 20 * 8_000), max_size=60))
    def test_any_cuts_give_the_same_events_in_the_same_order(self, cuts: list[int]) -> None:
        whole = events_in(self._sound(), self.rate, self.options)
        assert len(whole) >= 5
        assert events_in(self._sound(), self.rate, self.options, cuts=cuts) == whole

    def test_single_samples_give_the_same_events(self) -> None:
        sound = self._sound()[: 5 * self.rate]
        whole = events_in(sound, self.rate, self.options)
        assert whole
        assert events_in(sound, self.rate, self.options, cuts=range(1, len(sound))) == whole

    def test_events_arrive_before_the_end(self) -> None:
        session = EnergyDetector(self.options).open(StreamInfo("r", self.rate, 0))
        early = session.feed(self._sound()[: 19 * self.rate])
        assert {event.start_ms // 1000 for event in early} >= {0, 3}


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_confidence_rises_with_the_strength_and_stays_in_range(one: float, other: float) -> None:
    low, high = (confidence(value) for value in sorted((one, other)))
    assert 0 <= low <= high <= 1
    assert (confidence(60), confidence(120), confidence(600)) == pytest.approx((0, 0.5, 0.9))
