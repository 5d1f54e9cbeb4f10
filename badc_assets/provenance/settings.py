"""Whether results are saved into the dataset that they lie in."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

SWITCH = "BADC_DISABLE_DATALAD"


class ProvenanceSettings(BaseModel):
    """What becomes of results in a DataLad dataset. Plain folders and other git repositories are left alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    save: bool = Field(
        default=True,
        description="Save the results of each batch into the DataLad dataset that the output folder lies in, as one commit "
        f"that `datalad rerun` can do again. {SWITCH}=1 turns it off too.",
    )


def is_disabled(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the environment turns DataLad off."""
    value = (os.environ if environment is None else environment).get(SWITCH, "")
    return value.strip().lower() not in ("", "0", "false", "no", "off")
