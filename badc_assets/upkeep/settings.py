"""What runs by itself, when, and who is told when something fails."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator

_CRON = re.compile(r"(?:[0-9A-Za-z*/,-]+\s+){4}[0-9A-Za-z*/,-]+")


class AutomationSettings(BaseModel):
    """Everything that runs by itself is off until `enabled` is set. Times are cron expressions in `zone`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(
        default=False,
        description="Whether schedules, the automation of what follows new recordings, and the failure log run by themselves. "
        "What was switched in the web page stays as it was switched there.",
    )
    zone: str = Field(default="UTC", description="Time zone of the schedules, such as America/Edmonton.")
    aggregates: str = Field(default="0 * * * *", description="When the dataset-wide tables follow changed detections.")
    report: str = Field(default="0 3 * * *", description="When tables and report are rebuilt, changed or not.")
    fsck: str = Field(default="0 4 * * 0", description="When everything that is stored is compared.")
    fsck_full: bool = Field(default=False, description="Whether that also reads all sound that is here.")
    fresh_within_h: float = Field(
        default=26, gt=0, description="Tables and report that are older count as overdue while automation is enabled."
    )
    failure_webhook: str = Field(default="", description="Address that gets each failure as JSON, by POST.")
    failure_command: str = Field(
        default="",
        description="Command that gets each failure as text on its standard input, such as `mail -s badc me@x.ca`.",
    )
    least_free_gb: float = Field(default=2, ge=0, description="Below this much free space the doctor warns.")

    @field_validator("aggregates", "report", "fsck")
    @classmethod
    def _is_cron(cls, text: str) -> str:
        if not _CRON.fullmatch(text.strip()):
            raise ValueError(f"{text!r} is no cron expression of five fields, such as '0 3 * * *'")
        return text

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        from zoneinfo import available_timezones

        if name not in available_timezones():
            raise ValueError(f"there is no time zone {name!r}; write one such as America/Edmonton")
        return name

    @field_validator("failure_webhook")
    @classmethod
    def _is_web_address(cls, address: str) -> str:
        if address and not address.startswith(("http://", "https://")):
            raise ValueError(f"{address!r} is no web address; it begins with https:// or http://")
        return address
