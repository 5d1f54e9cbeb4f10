"""A few seconds of a recording as a picture and as a sound that a web page can play."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from badc_assets.errors import BadcError

Float32 = NDArray[np.float32]

_WINDOW_S = 0.02
_COLUMNS = 600
_TOP_HZ = 12_000
_BOX_COLOUR = "#6ef0ff"


@dataclass(frozen=True)
class Clip:
    """Mono samples in -1..1; `start_ms` counts from the start of the recording."""

    samples: Float32
    sample_rate_hz: int
    start_ms: int


@dataclass(frozen=True)
class Box:
    """What to draw around: ms from the start of the recording; an unknown frequency edge reaches the picture's edge."""

    start_ms: int
    end_ms: int
    low_hz: float | None = None
    high_hz: float | None = None


def read_clip(source: Path, box: Box, seconds: float) -> Clip:
    """`seconds` of sound around `box`, channels averaged; only those seconds are read. Near an end the clip is shorter.

    A box longer than the clip is cut at its end. Raises BadcError when the file is not here or gives no sound there.
    """
    if not source.is_file():
        raise BadcError(source, "is not here", "fetch the recording to see and hear this detection")
    wanted_ms = round(seconds * 1000)
    margin_ms = max((wanted_ms - (box.end_ms - box.start_ms)) // 2, 300)
    start_ms = max(box.start_ms - margin_ms, 0)
    try:
        with soundfile.SoundFile(source) as sound:
            rate = sound.samplerate
            sound.seek(min(start_ms * rate // 1000, sound.frames))
            samples = sound.read(wanted_ms * rate // 1000, dtype="float32", always_2d=True).mean(axis=1)
    except (soundfile.SoundFileError, OSError) as error:
        raise BadcError(source, f"cannot be read as sound ({error})", "check the recording") from error
    if len(samples) < rate * _WINDOW_S * 2:
        raise BadcError(source, f"has no sound at {start_ms} ms", "check the recording")
    return Clip(np.nan_to_num(samples.astype(np.float32)), rate, start_ms)


def spectrogram_db(clip: Clip) -> tuple[NDArray[np.float64], int]:
    """Power in dB, shape (frequencies, columns), lowest frequency first; and the window length in samples.

    Hann windows of about 20 ms, at most some 600 columns.
    """
    window = 2 ** round(np.log2(clip.sample_rate_hz * _WINDOW_S))
    hop = max((len(clip.samples) - window) // _COLUMNS, 1)
    frames = np.lib.stride_tricks.sliding_window_view(clip.samples, window)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window), axis=1)) ** 2
    return 10 * np.log10(power.T + 1e-12), window


def spectrogram_png(clip: Clip, box: Box) -> bytes:
    """The clip's spectrogram with `box` drawn on it: a PNG of 64 colours, some 50 kB.

    Each frequency's median over the clip is taken off, so that wind and hiss do not hide what stands out from it;
    less than 4 dB above it is black.
    """
    decibels, window = spectrogram_db(clip)
    nyquist_hz = clip.sample_rate_hz / 2
    top_hz = min(nyquist_hz, max(_TOP_HZ, (box.high_hz or 0) * 1.2))
    decibels = decibels[: round(top_hz * window / clip.sample_rate_hz) + 1]
    decibels = decibels - np.median(decibels, axis=1, keepdims=True)
    loudest = max(float(np.percentile(decibels, 99.8)), 15.0)
    seconds = len(clip.samples) / clip.sample_rate_hz

    figure = Figure(figsize=(4.4, 2.3), dpi=135, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(
        decibels, origin="lower", aspect="auto", cmap="magma", vmin=4, vmax=loudest,
        extent=(0, seconds, 0, top_hz / 1000), interpolation="bilinear",
    )  # fmt: skip
    begins, ends = ((ms - clip.start_ms) / 1000 for ms in (box.start_ms, box.end_ms))
    bottom, top = (box.low_hz or 0) / 1000, (box.high_hz or top_hz) / 1000
    is_whole_height = box.low_hz is None or box.high_hz is None
    axes.add_patch(
        Rectangle(
            (begins, bottom), ends - begins, top - bottom, fill=False, edgecolor=_BOX_COLOUR, linewidth=1.6,
            linestyle="--" if is_whole_height else "-",
        )
    )  # fmt: skip
    axes.set(xlim=(0, seconds), ylim=(0, top_hz / 1000), xlabel="seconds", ylabel="kHz")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def clip_flac(clip: Clip, highest_rate_hz: int) -> bytes:
    """The clip as 16-bit FLAC, raised to half of full scale, resampled down to `highest_rate_hz` where it is above."""
    samples, rate = clip.samples, clip.sample_rate_hz
    if rate > highest_rate_hz:
        samples, rate = soxr.resample(samples, rate, highest_rate_hz), highest_rate_hz
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > 0:
        samples = samples * (0.5 / peak)
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()
