"""What the user decides about recordings."""

from __future__ import annotations

import hashlib
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from badc_assets.files import stable_hash


class RecordingSettings(BaseModel):
    """How recordings with faults are treated, and what is declared of their place and time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    truncated: Literal["quarantine", "flag"] = Field(
        default="quarantine",
        description="A file that ends before its header says: `quarantine` leaves it out until somebody has looked at "
        "it, `flag` analyses what is there and marks the recording.",
    )
    templates: Path | None = Field(default=None, description="YAML file that declares what file and folder names mean.")
    deployments: Path | None = Field(
        default=None,
        description="CSV file of deployments: site, lat, lon, zone, start, end, clock_offset_s, and if need be "
        "deployment, serial, side, sample_rate_hz.",
    )
    earliest_start: date = Field(
        default=date(2001, 1, 1),
        description="A clock that shows an earlier time was never set or lost its battery (recorders then start at 1970 or "
        "2000); such a time is flagged and not used.",
    )
    max_distance_m: float = Field(
        default=1000, gt=0, description="A recording whose own coordinates lie farther from its deployment is flagged."
    )
    night_below_deg: float = Field(
        default=-6,
        ge=-18,
        lt=-0.833,
        description="Elevation of the sun below which it is night; between that and day is dawn or dusk.",
    )
    readers: int = Field(default=8, ge=1, le=64, description="How many files are opened at the same time.")

    @property
    def digest(self) -> str:
        """Changes when the facts of some recording would: with the content of the declared files, not with their names."""
        values = self.model_dump(mode="json", exclude={"templates", "deployments", "readers"})
        return stable_hash([values, _content(self.templates), _content(self.deployments)])


def _content(path: Path | None) -> str:
    """A hash of a declared file; whether it can be used is found out where it is used."""
    if path is None:
        return ""
    try:
        status = path.stat()
    except OSError:
        return "absent"
    return _content_hash(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _content_hash(path: Path, size: int, mtime_ns: int) -> str:
    """The digest is asked for once per recording: the file is read anew only when size or time differ."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
