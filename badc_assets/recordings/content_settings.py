"""What the user decides about new recordings and about content that is not here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ContentSettings(BaseModel):
    """How new recordings are noticed, and what is done about annexed recordings whose content is not here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Literal["wait", "fetch", "skip"] = Field(
        default="wait",
        description="Recordings whose content is not here: `wait` until it arrives, `fetch` it before they are processed, or "
        "`skip` them.",
    )
    drop: bool = Field(
        default=False,
        description="Drop the content of recordings when they are analysed, where git-annex finds enough copies elsewhere. "
        "Reports have no pictures and clips of sound that is not here.",
    )
    jobs: int = Field(default=4, ge=1, le=64, description="How many files are fetched or dropped at the same time.")
    disk_budget_gb: float | None = Field(
        default=None,
        gt=0,
        description="How much annexed content the dataset may hold here; nothing is fetched beyond it.",
    )
    keep_free_gb: float = Field(
        default=2, ge=0, description="How much room fetching leaves on the disk for everything else."
    )
    watch: Literal["auto", "commits", "files"] = Field(
        default="auto",
        description="New recordings are noticed by `commits` of the dataset, or by the names, sizes and times of its `files`. "
        "`auto`: by commits in a DataLad or git-annex dataset.",
    )
    quiet_s: float = Field(
        default=60, ge=0, description="A file that changed in the last so many seconds may still be growing and waits."
    )
    interval_s: int = Field(
        default=30, ge=1, le=86_400, description="How often new recordings are looked for by the sensor, at most."
    )
    page: int = Field(default=500, ge=1, le=5000, description="How many recordings are requested in one run.")

    @property
    def budget_bytes(self) -> int | None:
        return None if self.disk_budget_gb is None else int(self.disk_budget_gb * 1e9)

    @property
    def keep_free_bytes(self) -> int:
        return int(self.keep_free_gb * 1e9)
