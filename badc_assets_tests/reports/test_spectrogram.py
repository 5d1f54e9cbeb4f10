"""The picture and the sound of a detection show the right seconds of the recording."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from badc_assets.errors import BadcError
from badc_assets.reports.spectrogram import Box, clip_flac, read_clip, spectrogram_db, spectrogram_png

RATE = 48_000


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """20 s, two channels: noise, and a tone of 5 kHz from 10.0 s to 10.5 s."""
    time = np.arange(20 * RATE) / RATE
    sound = 0.1 * np.sin(2 * np.pi * 5000 * time) * ((time >= 10) & (time < 10.5))
    noise = np.random.default_rng(0).normal(0, 0.001, (len(time), 2))
    path = tmp_path / "tone.wav"
    soundfile.write(path, sound[:, None] + noise, RATE)
    return path


def test_the_clip_is_centred_on_the_detection_and_shows_it_where_the_box_is(tone: Path) -> None:
    clip = read_clip(tone, Box(10_000, 10_500), 6.0)
    assert (clip.start_ms, len(clip.samples) / RATE) == (7_250, 6.0)
    decibels, window = spectrogram_db(clip)
    row, column = np.unravel_index(decibels.argmax(), decibels.shape)
    assert row * RATE / window == pytest.approx(5000, abs=RATE / window)
    assert 10.0 <= 7.25 + 6.0 * column / decibels.shape[1] <= 10.5


@pytest.mark.parametrize(
    ("box", "start_ms", "seconds"),
    [
        (Box(200, 700), 0, 6.0),
        (Box(19_500, 20_000), 16_750, 3.25),
        (Box(1_000, 19_000), 700, 6.0),
        (Box(10_000, 10_000), 7_000, 6.0),
    ],
    ids=["at the beginning", "at the end", "longer than the clip", "a moment"],
)
def test_clips_near_the_ends_and_of_long_detections(tone: Path, box: Box, start_ms: int, seconds: float) -> None:
    clip = read_clip(tone, box, 6.0)
    assert (clip.start_ms, len(clip.samples) / RATE) == (start_ms, seconds)
    assert Image.open(io.BytesIO(spectrogram_png(clip, box))).width > 400


def test_the_picture_is_small_and_the_box_is_drawn(tone: Path) -> None:
    box = Box(10_000, 10_500, 4000, 6000)
    clip = read_clip(tone, box, 6.0)
    content = spectrogram_png(clip, box)
    assert len(content) < 120_000
    picture = Image.open(io.BytesIO(content))
    assert len(picture.getcolors() or []) <= 64
    elsewhere = Image.open(io.BytesIO(spectrogram_png(clip, Box(8_000, 8_500, 4000, 6000))))
    assert np.any(np.asarray(picture.convert("RGB")) != np.asarray(elsewhere.convert("RGB")))


def test_the_sound_plays_at_an_audible_level_and_a_rate_that_browsers_know(tone: Path) -> None:
    clip = read_clip(tone, Box(10_000, 10_500), 6.0)
    samples, rate = soundfile.read(io.BytesIO(clip_flac(clip, 32_000)))
    assert (rate, len(samples)) == (32_000, 6 * 32_000)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.02)
    assert soundfile.info(io.BytesIO(clip_flac(clip, 48_000))).samplerate == RATE


def test_silence_is_drawn_and_played_as_silence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.flac", np.zeros(8_000 * 8), 8_000)
    clip = read_clip(tmp_path / "silent.flac", Box(1_000, 2_000), 6.0)
    assert spectrogram_png(clip, Box(1_000, 2_000))
    assert not soundfile.read(io.BytesIO(clip_flac(clip, 32_000)))[0].any()


def test_absent_unreadable_and_short_files_are_named(tmp_path: Path, tone: Path) -> None:
    with pytest.raises(BadcError, match="is not here"):
        read_clip(tmp_path / "gone.wav", Box(0, 1), 6.0)
    (tmp_path / "text.wav").write_text("not sound")
    with pytest.raises(BadcError, match="cannot be read as sound"):
        read_clip(tmp_path / "text.wav", Box(0, 1), 6.0)
    with pytest.raises(BadcError, match="has no sound at 25000 ms"):
        read_clip(tone, Box(27_750, 28_250), 6.0)
