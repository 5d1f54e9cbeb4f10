"""What the user calls good enough."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from badc_assets.files import stable_hash

Code = Literal[
    "no_sound",
    "still",
    "dropouts",
    "clipped",
    "offset",
    "low_level",
    "high_level",
    "dead_channel",
    "hum",
    "wind",
    "rain",
]


class QualityLimits(BaseModel):
    """Beyond a limit a recording, and each chunk, is flagged. The numbers are stored, so other limits need no new reading."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quarantine: tuple[Code, ...] = Field(
        default=("no_sound",),
        description="What does more than flag: such recordings are not analysed, such chunks not counted as analysed time.",
    )
    no_sound_share: float = Field(
        default=0.99, gt=0, le=1, description="no_sound: so much of the time all channels stand still."
    )
    still_share: float = Field(
        default=0.01, gt=0, le=1, description="still: so much of the time a channel stands still."
    )
    dropout_share: float = Field(
        default=0.002, ge=0, le=1, description="dropouts: the sound breaks off within more than this share of seconds."
    )
    clipped_share: float = Field(
        default=0.02, ge=0, le=1, description="clipped: there is clipping in more than this share of seconds."
    )
    offset: float = Field(default=0.05, gt=0, le=1, description="offset: the mean, in parts of full scale.")
    low_level_dbfs: float = Field(default=-80, ge=-140, le=0, description="low_level: the level is below.")
    high_level_dbfs: float = Field(default=-10, ge=-140, le=0, description="high_level: the level is above.")
    channel_gap_db: float = Field(
        default=30, gt=0, description="dead_channel: a channel is so much quieter than the loudest."
    )
    hum_db: float = Field(
        default=15, gt=0, description="hum: multiples of 50 or 60 Hz stand so far above what is between them."
    )
    wind_db: float = Field(
        default=20,
        gt=0,
        description="wind: 30-120 Hz lie so far above 0.5-2 kHz, and above `wind_level_db`. Pressure that falls with the "
        "square of the frequency gives 22.",
    )
    wind_level_db: float = Field(default=-70, description="wind: least level of 30-120 Hz, dB of full scale per hertz.")
    rain_db: float = Field(
        default=-80, description="rain: level that 0.6-1.2 kHz and 4.4-5.6 kHz both reach, dB of full scale per hertz."
    )
    rain_evenness: float = Field(
        default=0.4,
        gt=0,
        le=0.56,
        description="rain: least spectral flatness from 0.6 to 5.6 kHz; white noise has 0.56.",
    )

    @property
    def digest(self) -> str:
        return stable_hash(self.model_dump(mode="json"))
