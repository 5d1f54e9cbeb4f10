"""The settings of the energy detector, and the presets they can start from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Preset = Literal["general", "owls", "songbirds", "frogs", "bats"]

PRESETS: Mapping[str, Mapping[str, float | bool]] = {
    "general": {},
    "owls": {"low_hz": 100, "high_hz": 2_500, "window_ms": 46.4, "min_band_hz": 43, "join_gap_ms": 400},
    "songbirds": {"low_hz": 900, "high_hz": 12_000},
    "frogs": {"low_hz": 150, "high_hz": 6_000, "chorus_is_noise": False},
    "bats": {
        "low_hz": 10_000, "high_hz": 200_000, "window_ms": 2.0, "min_band_hz": 1_000, "floor_window_s": 20,
        "join_gap_ms": 10, "min_duration_ms": 3, "min_bandwidth_hz": 1_000, "max_duration_ms": 2_000,
        "single_clicks": True,
    },
}  # fmt: skip
"""What each preset sets differently from the defaults. The bands are those in which most species of the group call."""


class EnergySettings(BaseModel):
    """What counts as an event. `preset` sets several values at once; values that are given themselves go before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset = Field(
        "general", description="Values to start from: general, owls, songbirds, frogs or bats (any sample rate)."
    )
    low_hz: float = Field(40, ge=0, le=150_000, description="Sound below this frequency is ignored.")
    high_hz: float = Field(
        16_000, gt=0, le=500_000, description="Sound above this, or above half the sample rate, is ignored."
    )
    window_ms: float = Field(23.2, ge=1, le=500, description="Length of the FFT window, and the step in time.")
    min_band_hz: float = Field(86, ge=1, le=20_000, description="Least width of a frequency band.")
    bands_per_octave: float = Field(
        24, ge=1, le=48, description="Number of bands to an octave, where these are wide enough."
    )
    floor_window_s: float = Field(60, ge=4, le=600, description="Length of time from which the noise floor is read.")
    chorus_is_noise: bool = Field(
        True, description="What is heard in a band all the time, such as crickets, becomes part of its noise floor."
    )
    lowest_floor_dbfs: float = Field(
        -100,
        ge=-140,
        le=-20,
        description="The noise floor of a band never goes below this: digital silence has no floor.",
    )
    threshold_db: float = Field(
        7, ge=1, le=60, description="At its loudest an event rises at least this far above the noise floor."
    )
    extend_db: float = Field(4, ge=0.5, le=60, description="From there it reaches to this far above the floor.")
    range_db: float = Field(
        18, ge=3, le=100, description="Sound this far below a louder one close by is not looked at: echoes, skirts."
    )
    min_strength: float = Field(
        60, ge=0, le=100_000, description="Least sum of dB above extend_db over the cells of an event."
    )
    join_gap_ms: float = Field(
        300,
        ge=0,
        le=10_000,
        description="Sounds of about one pitch with at most this pause between them are one event.",
    )
    min_duration_ms: float = Field(80, ge=0, le=60_000, description="Shorter events are dropped.")
    max_duration_ms: float = Field(60_000, ge=1_000, le=600_000, description="Longer events are cut into several.")
    single_clicks: bool = Field(
        False, description="One or two clicks alone count too: calls of bats, but also knocks and drops of rain."
    )
    min_bandwidth_hz: float = Field(0, ge=0, le=100_000, description="Events that span less than this are dropped.")

    @model_validator(mode="before")
    @classmethod
    def _start_from_preset(cls, values: Any) -> Any:
        preset = values.get("preset") if isinstance(values, Mapping) else None
        return {**PRESETS[preset], **values} if isinstance(preset, str) and preset in PRESETS else values

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for smaller, larger in (
            ("low_hz", "high_hz"), ("extend_db", "threshold_db"), ("min_duration_ms", "max_duration_ms"),
        ):  # fmt: skip
            if getattr(self, smaller) > getattr(self, larger):
                raise ValueError(f"{smaller} is larger than {larger}")
        return self
