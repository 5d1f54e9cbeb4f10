"""Report bundles for many recordings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from badc_assets.chunks.status import read_status
from badc_assets.detections.store import ResultStatus, read_result_status
from badc_assets.errors import BadcError
from badc_assets.files import remove, write_json
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts
from badc_assets.reports.bundle import BundleResult, write_bundle
from badc_assets.reports.bundle_record import StoredBundle, bundle_version
from badc_assets.reports.counting import STALE_REASON, is_current
from badc_assets.reports.settings import ReportSettings


@dataclass(frozen=True)
class BundleOutcome:
    """A written bundle, or the reason why there is none. `version` names the results and the settings that made it."""

    recording_id: str
    bundle: BundleResult | None
    version: str = ""
    reason: str = ""


def write_bundles(layout: Layout, recording_ids: Iterable[str], settings: ReportSettings) -> Iterator[BundleOutcome]:
    """Write bundles one after another; yields what became of each. A recording without complete results gets none."""
    for recording_id in recording_ids:
        status = read_result_status(layout, recording_id)
        if problem := _problem(layout, recording_id, status):
            yield BundleOutcome(recording_id, None, reason=problem)
            continue
        assert status is not None
        version = bundle_version(status.key, settings)
        try:
            remove(layout.bundle_record(recording_id))
            bundle = write_bundle(layout, recording_id, settings)
            stored = StoredBundle(recording_id, version, bundle.detections, len(bundle.files))
            write_json(layout.bundle_record(recording_id), asdict(stored))
        except BadcError as error:
            yield BundleOutcome(recording_id, None, reason=error.problem)
        else:
            yield BundleOutcome(recording_id, bundle, version)


def bundles_to_write(
    layout: Layout, recording_ids: Iterable[str], written: Mapping[str, str], settings: ReportSettings
) -> list[str]:
    """The recordings with results that count whose bundle is missing, or is not the `written` version (id -> version)."""
    return [
        recording_id
        for recording_id in recording_ids
        if (status := read_result_status(layout, recording_id)) is not None
        and not _problem(layout, recording_id, status)
        and (
            written.get(recording_id) != bundle_version(status.key, settings)
            or not layout.bundle_database(recording_id).is_file()
        )
    ]


def _problem(layout: Layout, recording_id: str, status: ResultStatus | None) -> str:
    """Why the results of a recording are not to be bundled; empty when they are."""
    if status is None:
        return "it has not been analysed"
    if not status.is_complete:
        return status.error
    facts, chunking = read_facts(layout, recording_id), read_status(layout, recording_id)
    return "" if is_current(facts, chunking, status) else STALE_REASON
