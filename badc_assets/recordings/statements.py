"""What one source says of a recording. Nothing is joined or chosen here; `recordings.place_time` does that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

GUANO = "GUANO"
AUDIOMOTH_COMMENT = "AudioMoth comment"
OPENSOUNDSCAPE_COMMENT = "OpenSoundscape comment"
FLAC_TAGS = "FLAC tags"
WAV_BEXT = "WAV bext"
WAV_INFO = "WAV INFO"
FILE_NAME = "file name"
FOLDER = "folder"
TEMPLATE = "template"
STUDY_AREA = "study area"
DEPLOYMENTS = "deployments table"

TEXT_FIELDS = ("study_area", "site", "deployment", "side", "recorder", "serial", "gain")
NUMBER_FIELDS = ("battery_v", "temperature_c")


@dataclass(frozen=True)
class Statement:
    """What `source` says. Only what it does say is in `values`:

    the TEXT_FIELDS and NUMBER_FIELDS; `start` (the recorder's clock, ISO 8601 without offset) with `utc_offset` (`UTC`, `+10:00`)
    or `zone` (a name); `latitude` and `longitude` in degrees, always both. `problem` says what could not be read.
    """

    source: str
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def coordinates(latitude: float, longitude: float) -> dict[str, float]:
    """The two as values of a statement; none when there is no such place, or at 0, 0, which receivers without a fix write."""
    is_place = math.isfinite(latitude) and math.isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 180
    if not is_place or (latitude, longitude) == (0, 0):
        return {}
    return {"latitude": latitude, "longitude": longitude}


def number(text: str) -> float | None:
    """A finite decimal number; None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
