"""The settings of the HawkEars detector."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

RESULT_FREE = frozenset({"python", "root", "threads", "weights_sha256", "max_models", "low_band"})
"""Settings that decide no result by themselves: what lies at the paths, and what the last two come to, is hashed instead."""

SEGMENT_STEP_S = 0.25
"""HawkEars 2 scores four frames a second. With other segment lengths its labels drift away from the sound."""

ALLOWED_ARGUMENTS = frozenset({"include", "exclude", "max_label_length", "min_label_length"})
"""Arguments of HawkEars' `analyze` that no other setting stands for and that cannot break a run."""

FILE_OPTIONS = ("include", "exclude", "hawkears.include_list", "hawkears.exclude_list", "hawkears.taxonomy_file")
"""Options that name a file."""

SETTING_OF_CONFIG = {
    "infer.min_score": "min_score",
    "infer.segment_len": "segment_s",
    "infer.max_models": "max_models",
    "infer.num_threads": "threads",
    "infer.label_field": "label_style",
    "misc.ckpt_folder": "root",
    "hawkears.low_band_ckpt_folder": "root",
    "hawkears.low_band_classifier": "low_band",
    "hawkears.region": "region",
    "hawkears.latitude": "latitude",
    "hawkears.longitude": "longitude",
    "hawkears.date": "date",
    "hawkears.filelist": "region",
}
"""Names in HawkEars' configuration that are set by one of our settings, and only there."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def _variable(value: Any) -> Any:
    return None if value in ("variable", 0, "0") else value


SegmentLength = Annotated[float | None, BeforeValidator(_variable)]


class HawkEarsSettings(BaseModel):
    """Which HawkEars to run, and how. Scores are kept from a low value on: species and thresholds are chosen later."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    generation: int = Field(2, ge=1, le=2, description="2: the package `hawkears`. 1: a repository with `analyze.py`.")
    python: Path | None = Field(
        None,
        description="HawkEars' own Python interpreter. Default: the one that `badc detectors setup hawkears` makes.",
    )
    root: Path | None = Field(
        None,
        description="Generation 2: the folder with data/ckpt and yaml/; default: the one that setup makes. Generation 1: the "
        "repository, with analyze.py.",
    )
    unit: Literal["recording", "chunk"] = Field(
        "recording",
        description="What HawkEars is given at a time. A score depends on the rest of what it is given.",
    )
    min_score: float = Field(0.1, ge=0, le=1, allow_inf_nan=False, description="Lower scores are not returned.")
    segment_s: SegmentLength = Field(
        3.0,
        ge=SEGMENT_STEP_S,
        le=3600,
        description='Length of all labels. "variable": from where the score rises above min_score to where it falls; such '
        "labels cannot be given another threshold later.",
    )
    max_models: int | None = Field(
        None,
        ge=1,
        le=12,
        description="How many models of the ensemble are used (1-6, 9 or 12). Default: all, also on a CPU, so that results do "
        "not depend on the device; HawkEars itself would take 3 there.",
    )
    low_band: bool | None = Field(
        None, description="Use the models for drumming grouse. Default: where the root has some, also on a CPU."
    )
    threads: int | None = Field(None, ge=1, le=256, description="CPU threads. Default: what the engine gives.")
    region: str | None = Field(
        None,
        pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,4}){0,2}$",
        description="eBird region (CA-AB, CA-ON-OT): HawkEars leaves out species that are rare there. Default: no such filter. "
        "In NT, NU and YT much of its table is empty (NaN), and what has no number is not left out: rather filter later.",
    )
    latitude: float | None = Field(None, ge=-90, le=90, description="Instead of `region`, with `longitude`.")
    longitude: float | None = Field(None, ge=-180, le=180, description="Instead of `region`, with `latitude`.")
    date: str | None = Field(
        None,
        pattern=r"^((\d{4})?\d{4}|recording)$",
        description='With a place: rare in that week (yyyymmdd, mmdd, or "recording" for its own date). Default: in all weeks.',
    )
    weights_sha256: tuple[str, ...] | dict[str, str] = Field(
        (),
        description="Accepted sha256 of the checkpoints: a list, or a table by file name. Others are not loaded, since a "
        "checkpoint can run any code. Default: all are accepted, and recorded.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Generation 2: further arguments of `analyze` (include, exclude, max_label_length, min_label_length) and "
        'entries of its configuration ("audio.choose_channel").',
    )
    extra_args: tuple[str, ...] = Field((), description="Generation 1: further arguments of analyze.py.")
    label_style: Literal["codes", "names", "alt_codes", "alt_names"] = Field(
        "codes",
        description="What stands for a species: 4-letter codes, English names, eBird codes or scientific names. Generation 1 has "
        "the first two.",
    )

    @field_validator("extra_args", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return tuple(shlex.split(value)) if isinstance(value, str) else value

    @field_validator("weights_sha256", mode="before")
    @classmethod
    def _hashes(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("weights_sha256")
    @classmethod
    def _are_hashes(cls, value: tuple[str, ...] | dict[str, str]) -> tuple[str, ...] | dict[str, str]:
        for digest in value.values() if isinstance(value, dict) else value:
            if not _SHA256.fullmatch(digest):
                raise ValueError(f"{digest[:80]!r} is not the sha256 of a file (64 digits 0-9a-f)")
        return value

    @field_validator("options")
    @classmethod
    def _flat_options(cls, value: dict[str, Any]) -> dict[str, Any]:
        flat = dict(_flattened(value, ""))
        for name, given in flat.items():
            if name in SETTING_OF_CONFIG:
                raise ValueError(f"{name!r} is set by detectors.hawkears.{SETTING_OF_CONFIG[name]}")
            if name in FILE_OPTIONS and not isinstance(given, str):
                raise ValueError(f"{name!r} is the name of a file")
            if "." not in name and name not in ALLOWED_ARGUMENTS:
                raise ValueError(f"{name!r} cannot be passed on (there are: {', '.join(sorted(ALLOWED_ARGUMENTS))})")
        return flat

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude belong together")
        if self.region is not None and self.latitude is not None:
            raise ValueError("there is a region, and a latitude: one of the two")
        if self.date is not None and not self.has_place:
            raise ValueError("date is used with a place only: set region, or latitude and longitude")
        return self._of_first_generation() if self.generation == 1 else self._of_second_generation()

    def _of_first_generation(self) -> Self:
        for name in ("max_models", "low_band", "options"):
            if getattr(self, name):
                raise ValueError(f"{name} is for generation 2; generation 1 has extra_args")
        if self.root is None or self.python is None:
            raise ValueError("generation 1 needs root (its repository) and python (the interpreter it runs with)")
        if self.segment_s not in (3.0, None):
            raise ValueError('segment_s of generation 1 is 3 or "variable"')
        if self.label_style.startswith("alt_"):
            raise ValueError(f"generation 1 has no {self.label_style}")
        return self

    def _of_second_generation(self) -> Self:
        if self.extra_args:
            raise ValueError("extra_args is for generation 1; generation 2 has options")
        if self.max_models is not None and self.max_models not in MODEL_COUNTS:
            raise ValueError(f"HawkEars cannot combine {self.max_models} models (1-6, 9 or 12)")
        if self.segment_s is not None and not (self.segment_s / SEGMENT_STEP_S).is_integer():
            raise ValueError(f"segment_s must be a multiple of {SEGMENT_STEP_S}")
        if self.segment_s is not None and {"max_label_length", "min_label_length"} & set(self.options):
            raise ValueError('max_label_length and min_label_length need segment_s = "variable"')
        return self

    @property
    def has_place(self) -> bool:
        """Whether HawkEars' filter of rare species is on."""
        return self.region is not None or self.latitude is not None


MODEL_COUNTS = (1, 2, 3, 4, 5, 6, 9, 12)
"""Sizes of ensemble that HawkEars 2 can arrange in time."""


def _flattened(table: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    """The entries of nested tables under names with dots."""
    return [
        pair
        for name, value in table.items()
        for pair in (_flattened(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)])
    ]
