"""From which results, and with which settings, a report bundle was made."""

from __future__ import annotations

import json
from dataclasses import dataclass

from badc_assets.files import stable_hash
from badc_assets.layout import Layout
from badc_assets.reports.settings import ReportSettings


@dataclass(frozen=True)
class StoredBundle:
    """A bundle that is there, as its record says."""

    recording_id: str
    version: str
    detections: int
    files: int


def read_bundle(layout: Layout, recording_id: str) -> StoredBundle | None:
    """The record of a bundle; None where there is none, as for one of BADC's."""
    path = layout.bundle_record(recording_id)
    if not path.is_file():
        return None
    try:
        return StoredBundle(**json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        return None


def bundle_version(result_key: str, settings: ReportSettings) -> str:
    """Changes when a bundle of these results would."""
    return stable_hash([result_key, settings.bundle_digest])
