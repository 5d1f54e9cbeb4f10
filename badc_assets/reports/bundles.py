"""Report bundles for many recordings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from badc_assets.detections.store import read_result_status
from badc_assets.errors import BadcError
from badc_assets.files import stable_hash
from badc_assets.layout import Layout
from badc_assets.reports.bundle import BundleResult, write_bundle
from badc_assets.reports.settings import ReportSettings


@dataclass(frozen=True)
class BundleOutcome:
    """A written bundle, or the reason why there is none. `version` names the results and the settings that made it."""

    recording_id: str
    bundle: BundleResult | None
    version: str = ""
    reason: str = ""


def bundle_version(result_key: str, settings: ReportSettings) -> str:
    """Changes when a bundle of these results would."""
    return stable_hash([result_key, settings.bundle_digest])


def write_bundles(layout: Layout, recording_ids: Iterable[str], settings: ReportSettings) -> Iterator[BundleOutcome]:
    """Write bundles one after another; yields what became of each. A recording without complete results gets none."""
    for recording_id in recording_ids:
        status = read_result_status(layout, recording_id)
        if status is None or not status.is_complete:
            yield BundleOutcome(recording_id, None, reason=status.error if status else "it has not been analysed")
            continue
        try:
            bundle = write_bundle(layout, recording_id, settings)
        except BadcError as error:
            yield BundleOutcome(recording_id, None, reason=error.problem)
        else:
            yield BundleOutcome(recording_id, bundle, bundle_version(status.key, settings))
