"""Recordings that are flagged or quarantined, each with a small picture of its levels, as they were stored when it was read."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from PIL import Image

from badc_assets.chunks.quality.file import Picture
from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.reports.queries import Row
from badc_assets.reports.sound import stored_quality

_WIDTH, _HEIGHT = 240, 64
_RANGE_DB = 60.0
_QUIETEST_TOP_DB = -100.0
"""Silence is to look like silence."""


@dataclass(frozen=True)
class Suspect:
    """One recording to look at. `picture` is a data URI; empty where the sound was not read. `about` says what it shows."""

    row: Row
    picture: str
    about: str


def suspects(layout: Layout, rows: Sequence[Row]) -> tuple[Suspect, ...]:
    """A picture for each of `rows` that has one; nothing is read but the recordings' small files of quality."""
    found = []
    for row in rows:
        quality = stored_quality(layout, row["recording_id"])
        if isinstance(quality, BadcError):
            found.append(Suspect(row, "", ""))
        else:
            found.append(Suspect(row, picture_uri(quality.picture), _about(quality.picture)))
    return tuple(found)


def picture_uri(picture: Picture) -> str:
    """Time to the right, frequency upwards in octaves; the brightest is the loudest of this recording, black 60 dB below."""
    top = max(float(picture.levels.max()), _QUIETEST_TOP_DB)
    shades = np.clip((picture.levels - (top - _RANGE_DB)) / _RANGE_DB, 0, 1)
    colours = (colormaps["magma"](shades[::-1])[:, :, :3] * 255).astype(np.uint8)
    image = Image.fromarray(colours).resize((_WIDTH, _HEIGHT), Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _about(picture: Picture) -> str:
    minutes = picture.levels.shape[1] * picture.seconds_per_column / 60
    return f"Levels over {minutes:.3g} minutes, {picture.low_hz:.0f} Hz to {picture.high_hz / 1000:.3g} kHz"
