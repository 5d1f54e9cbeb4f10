"""The results of one recording on disk: two Parquet files, and a status file that says what they are about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from badc_assets.detections.schema import detection_schema, effort_schema
from badc_assets.detections.tables import Row
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path, write_json
from badc_assets.layout import Layout

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ResultStatus:
    """What the two Parquet files of a recording hold. Written last, so its presence proves that they are whole.

    `key` is the hash of everything that decides the result (manifest rows, detector, its settings and weights): equal key, equal
    result. `status` `failed` has its reason in `error`; its effort rows are marked failed and there are no detections.
    """

    recording_id: str
    status: Literal["completed", "failed"]
    key: str
    detections: int
    audio_ms: int
    detector: str
    model_version: str
    run_id: str
    finished_at: str
    seconds: float
    error: str = ""
    best_confidence: float | None = None

    @property
    def is_complete(self) -> bool:
        return self.status == "completed"


def status_path(layout: Layout, recording_id: str) -> Path:
    return layout.infer_dir(recording_id) / ".infer_status.json"


def write_results(layout: Layout, status: ResultStatus, detections: Sequence[Row], effort: Sequence[Row]) -> None:
    """Replace the results of a recording; the old status goes first, so a crash in between leaves none that lies."""
    status_path(layout, status.recording_id).unlink(missing_ok=True)
    _write_table(layout.detections(status.recording_id), detections, detection_schema())
    _write_table(layout.effort(status.recording_id), effort, effort_schema())
    write_json(status_path(layout, status.recording_id), asdict(status))


def _write_table(path: Path, rows: Sequence[Row], schema: pa.Schema) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(list(rows), schema=schema)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_result_status(layout: Layout, recording_id: str) -> ResultStatus | None:
    """The status, or None when there are no whole results."""
    path = status_path(layout, recording_id)
    if not path.is_file():
        return None
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        status = ResultStatus(**value)
    except (ValueError, TypeError):
        return None
    are_present = layout.detections(recording_id).is_file() and layout.effort(recording_id).is_file()
    return status if are_present else None


def read_table(path: Path) -> pa.Table:
    """One of the Parquet files. Raises BadcError when it is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise BadcError(path, "there are no results", "materialize detections for this recording")
    try:
        # Not read_table: it would take `recording=...` folder names for columns.
        return pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise BadcError(path, f"damaged ({error})", "materialize detections for this recording again") from error
