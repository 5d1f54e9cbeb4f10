"""The energy detector with its default settings on real recordings, against what a person sees in their spectrograms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from badc_assets.detectors.protocol import Event
from badc_assets_tests.detectors.sounds import events_in


@pytest.fixture
def recordings(shared_data: Path) -> Path:
    return shared_data / "recordings"


def _events(path: Path) -> list[Event]:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return events_in(np.ascontiguousarray(samples.mean(axis=1)), rate)


def test_grouse_drumming_is_found_as_low_sound(recordings: Path) -> None:
    """The thumps come faster from 6 s on and end at 9.2 s, all below 120 Hz."""
    low = [event for event in _events(recordings / "misc" / "rugr_drum.wav") if (event.peak_hz or 0) < 120]
    longest = max(low, key=lambda event: event.end_ms - event.start_ms)
    assert longest.start_ms < 6_800
    assert 8_800 < longest.end_ms < 9_500


def test_three_songs_are_clear_events(recordings: Path) -> None:
    """Songs at 0.3-1.1 s, 2-4.3 s and 6.9-9.6 s, between 4 and 10 kHz, and none of that before the last."""
    clear = [
        event
        for event in _events(recordings / "misc" / "birds_10s.wav")
        if event.confidence > 0.98 and 4_000 < (event.peak_hz or 0) < 10_000
    ]
    heard = {time for event in clear for time in range(event.start_ms // 100, event.end_ms // 100)}
    for start, end in ((3, 10), (21, 42), (70, 95)):
        assert heard >= set(range(start, end))
    assert not heard & set(range(50, 69))


@pytest.mark.parametrize("minute", ["013000", "020000", "040000", "233000"])
def test_a_quiet_night_is_quiet(recordings: Path, minute: str) -> None:
    events = _events(recordings / "S4A03895" / f"S4A03895_20190522_{minute}.wav")
    assert len(events) <= 3
    assert not [event for event in events if event.confidence > 0.5]


@pytest.mark.parametrize("minute", ["051500", "061500", "063000"])
def test_a_dawn_chorus_is_many_events_and_not_one(recordings: Path, minute: str) -> None:
    events = _events(recordings / "S4A03895" / f"S4A03895_20190522_{minute}.wav")
    assert 6 <= len(events) <= 60
    assert max(event.end_ms - event.start_ms for event in events) < 5_500


def test_silence_in_a_compressed_file_is_silent(recordings: Path) -> None:
    assert _events(recordings / "misc" / "silence_10s.mp3") == []
