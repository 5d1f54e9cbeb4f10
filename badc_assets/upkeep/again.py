"""Make results anew that are there already."""

from __future__ import annotations

from collections.abc import Iterable

from badc_assets.detections.store import status_path
from badc_assets.files import remove
from badc_assets.inference.journal import remove_journal
from badc_assets.layout import Layout


def forget_results(layout: Layout, recording_ids: Iterable[str]) -> None:
    """Let the chunks and results of these recordings count as not made. Their tables stay until they are replaced."""
    for recording_id in recording_ids:
        remove(status_path(layout, recording_id))
        remove(layout.chunk_status(recording_id))
        remove_journal(layout.journal_dir(recording_id))
