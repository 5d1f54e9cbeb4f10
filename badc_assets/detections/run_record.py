"""What a run of a detector was asked to do: which recordings, with which settings, from which state of the dataset.

The tables name their run and hold hashes of the settings; the settings themselves stand here, once for each run.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from badc_assets.errors import BadcError
from badc_assets.files import remove, write_json
from badc_assets.layout import Layout

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class RunRecord:
    """One run. `settings` is the project as JSON without its places; `dataset` and `audio` are those places, the first from the
    output folder (absolute where it lies elsewhere), the second from the dataset.

    `dataset_commit` is empty for a plain folder. The three hashes are those of results made in this run.
    """

    run_id: str
    started_at: str
    host: str
    versions: dict[str, str]
    dataset: str
    audio: str
    dataset_commit: str
    recording_ids: tuple[str, ...]
    settings: dict[str, Any]
    settings_hash: str
    weights_sha256: str
    rules_digest: str


def run_record_path(layout: Layout, run_id: str) -> Path:
    """Where the record of a run is. Raises BadcError for what is no id of a run."""
    if not _PLAIN_NAME.fullmatch(run_id):
        raise BadcError(run_id, "is no id of a run", "use the id as it stands in the tables")
    return layout.runs_dir / f"{run_id}.json"


def write_run_record(layout: Layout, record: RunRecord) -> None:
    """Store it. Raises BadcError when the disk is full."""
    write_json(run_record_path(layout, record.run_id), asdict(record))


def remove_run_record(layout: Layout, run_id: str) -> None:
    """Forget a run that made nothing."""
    remove(run_record_path(layout, run_id))


def read_run_record(path: Path) -> RunRecord | None:
    """The record in a file; None when there is none, or it is damaged."""
    if not path.is_file():
        return None
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        value["recording_ids"] = tuple(value["recording_ids"])
        return RunRecord(**value)
    except (ValueError, TypeError, KeyError):
        return None
