"""What must hold for acoustic indices, whatever was recorded."""

from __future__ import annotations

import math
from collections.abc import Iterable

from badc_assets.chunks.indices.file import read_indices
from badc_assets.errors import BadcError
from badc_assets.layout import Layout

BOUNDS = {
    "aci": (0.0, math.inf),
    "ndsi": (-1.0, 1.0),
    "adi": (0.0, math.inf),
    "aei": (0.0, 1.0),
    "bi": (0.0, math.inf),
    "h": (0.0, 1.0),
}
"""Index -> least and greatest value that its formula can give; infinity itself is not one."""

_ROUNDING = 1e-5
"""Indices are calculated in single precision."""


def indices_out_of_bounds(layout: Layout, recording_ids: Iterable[str]) -> dict[str, str]:
    """The recordings with an index that its formula cannot give, or that is empty without a reason; the first of each.

    Recordings without indices are left out.
    """
    present = (recording_id for recording_id in recording_ids if layout.indices(recording_id).is_file())
    found = {recording_id: _problem(layout, recording_id) for recording_id in present}
    return {recording_id: problem for recording_id, problem in found.items() if problem}


def _problem(layout: Layout, recording_id: str) -> str:
    try:
        rows = read_indices(layout.indices(recording_id)).to_pylist()
    except BadcError as error:
        return error.problem
    for row in rows:
        for name, (least, greatest) in BOUNDS.items():
            value = row[name]
            if value is None and not row["note"]:
                return f"{row['chunk_id']}: {name} is empty without a reason"
            if value is not None and not (math.isfinite(value) and least - _ROUNDING <= value <= greatest + _ROUNDING):
                return f"{row['chunk_id']}: {name} is {value}, not within {least:g} to {greatest:g}"
    return ""
