"""Chunkings whose writer died in the middle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from badc_assets.chunks.status import Clock, is_interrupted, lock_file, read_status, write_status
from badc_assets.files import exclusive
from badc_assets.layout import Layout

REASON = "the process that chunked it was killed"


def interrupted_chunkings(layout: Layout, recording_ids: Iterable[str]) -> list[str]:
    """Recordings whose status says `in_progress` and whose writer is dead."""
    return [recording_id for recording_id in recording_ids if is_interrupted(layout, recording_id)]


def reset_interrupted(layout: Layout, recording_id: str, clock: Clock) -> bool:
    """Turn the status of such a recording into `failed` with the reason; False when somebody writes it at this moment."""
    with exclusive(lock_file(layout, recording_id), wait=False) as is_free:
        status = read_status(layout, recording_id)
        if not is_free or status is None or status.status != "in_progress":
            return False
        now = clock().isoformat()
        write_status(layout, replace(status, status="failed", error=REASON, updated_at=now, completed_at=now))
        return True
