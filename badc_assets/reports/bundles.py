"""Report bundles for many recordings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from badc_assets.chunks.status import read_status
from badc_assets.detections.store import ResultStatus, read_result_status
from badc_assets.errors import BadcError
from badc_assets.files import remove, stable_hash, write_json
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts
from badc_assets.reports.bundle import BundleResult, write_bundle
from badc_assets.reports.counting import STALE_REASON, is_current
from badc_assets.reports.settings import ReportSettings


@dataclass(frozen=True)
class BundleOutcome:
    """A written bundle, or the reason why there is none. `version` names the results and the settings that made it."""

    recording_id: str
    bundle: BundleResult | None
    version: str = ""
    reason: str = ""


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
