"""How acoustic indices are calculated. The defaults are those of the papers that introduced them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from badc_assets.files import stable_hash

NDSI_STEP_HZ = 1000
"""The NDSI adds up power in bands of this width."""


def _rising(band: tuple[int, int]) -> tuple[int, int]:
    if band[0] >= band[1]:
        raise ValueError(f"must rise, {band[0]} to {band[1]} does not")
    return band


def _whole_steps(band: tuple[int, int]) -> tuple[int, int]:
    if band[0] < NDSI_STEP_HZ or any(limit % NDSI_STEP_HZ for limit in band):
        raise ValueError(f"must begin and end at multiples of {NDSI_STEP_HZ} Hz, from {NDSI_STEP_HZ} on")
    return band


Band = Annotated[tuple[int, int], AfterValidator(_rising)]
StepBand = Annotated[Band, AfterValidator(_whole_steps)]


class IndexSettings(BaseModel):
    """Bands are [low, high] in Hz. An index whose band reaches above half the sample rate is left empty, not made from less.

    ACI: Pieretti, Farina and Morri 2011, doi:10.1016/j.ecolind.2010.11.005.
    NDSI: Kasten, Gage, Fox and Joo 2012, doi:10.1016/j.ecoinf.2012.08.001.
    ADI, AEI: Villanueva-Rivera, Pijanowski, Doucette and Pekin 2011, doi:10.1007/s10980-011-9636-9.
    BI: Boelman, Asner, Hart and Martin 2007, doi:10.1890/07-0004.1.
    H: Sueur, Pavoine, Hamerlynck and Duvail 2008, doi:10.1371/journal.pone.0004065.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: Literal[128, 256, 512, 1024, 2048, 4096, 8192] = Field(
        default=512, description="Samples per spectrum, under a Hann window. 512 as for ACI and H."
    )
    overlap_share: float = Field(
        default=0.0, ge=0, le=0.9, description="How much of a spectrum's samples the next one uses again."
    )
    anthrophony_hz: StepBand = Field(default=(1000, 2000), description="NDSI: the band of machines.")
    biophony_hz: StepBand = Field(default=(2000, 8000), description="NDSI: the band of animals.")
    diversity_max_hz: int = Field(default=10_000, gt=0, description="ADI and AEI: bands from 0 Hz up to here.")
    diversity_step_hz: int = Field(default=1000, gt=0, description="ADI and AEI: the width of a band.")
    diversity_threshold_db: float = Field(
        default=-50.0, lt=0, description="ADI and AEI: what counts as sound, in dB of the chunk's loudest."
    )
    bioacoustic_hz: Band = Field(default=(2000, 8000), description="BI: the band of animals.")
    envelope: Literal["fast", "hilbert"] = Field(
        default="fast",
        description="H: the envelope as the largest sample of each window, or by the Hilbert transform as in the paper, "
        "which takes four times as long as all the rest.",
    )

    @model_validator(mode="after")
    def _steps_fit(self) -> IndexSettings:
        if self.diversity_max_hz < 2 * self.diversity_step_hz or self.diversity_max_hz % self.diversity_step_hz:
            raise ValueError(
                f"diversity_max_hz ({self.diversity_max_hz}) must be two or more whole steps of "
                f"diversity_step_hz ({self.diversity_step_hz})"
            )
        return self

    @property
    def hop(self) -> int:
        """Samples from one spectrum to the next."""
        return self.window - int(self.window * self.overlap_share)

    @property
    def digest(self) -> str:
        """Changes when any index may."""
        return stable_hash(self.model_dump(mode="json"))
