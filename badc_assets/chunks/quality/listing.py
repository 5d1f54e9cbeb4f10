"""Which recordings are flagged or quarantined for their sound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from badc_assets.chunks.status import read_status
from badc_assets.layout import Layout


@dataclass(frozen=True)
class QualityCounts:
    """How many recordings are within the limits; the others by id, with the reason. Those not read yet are in none."""

    ok: int
    flagged: dict[str, str]
    quarantined: dict[str, str]


def quality_counts(layout: Layout, recording_ids: Iterable[str]) -> QualityCounts:
    """What the stored verdicts say."""
    ok = 0
    beyond: dict[str, dict[str, str]] = {"flagged": {}, "quarantined": {}}
    for recording_id in recording_ids:
        status = read_status(layout, recording_id)
        if status is None or status.quality is None:
            continue
        if status.quality.status == "ok":
            ok += 1
        else:
            beyond[status.quality.status][recording_id] = status.quality.reason
    return QualityCounts(ok, beyond["flagged"], beyond["quarantined"])
