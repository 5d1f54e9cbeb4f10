"""The results of one recording on disk: two Parquet files, and a status file that says what they are about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from badc_assets.detections.schema import detection_schema, effort_schema
from badc_assets.detections.tables import Row
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path, remove, write_json
from badc_assets.layout import Layout

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ResultStatus:
    """What the two Parquet files of a recording hold. Written last, so its presence proves that they are whole.

    `key` is the hash of everything that decides the result (manifest rows, detector, its settings and weights): equal key, equal
    result. `status` `failed` has its reason in `error`; its effort rows are marked failed and there are no detections.
    `*_bytes` are the sizes of the two files: one that was cut off later does not count as a result.
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
    detections_bytes: int | None = None
    effort_bytes: int | None = None

    @property
    def is_complete(self) -> bool:
        return self.status == "completed"


def status_path(layout: Layout, recording_id: str) -> Path:
    return layout.infer_dir(recording_id) / ".infer_status.json"


def write_results(layout: Layout, status: ResultStatus, detections: Sequence[Row], effort: Sequence[Row]) -> None:
    """Replace the results of a recording; the old status goes first, so a crash in between leaves none that lies."""
    detections_file, effort_file = layout.detections(status.recording_id), layout.effort(status.recording_id)
    remove(status_path(layout, status.recording_id))
    _write_table(detections_file, detections, detection_schema())
    _write_table(effort_file, effort, effort_schema())
    sizes = {"detections_bytes": detections_file.stat().st_size, "effort_bytes": effort_file.stat().st_size}
    write_json(status_path(layout, status.recording_id), asdict(replace(status, **sizes)))


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
    are_whole = _is_whole(layout.detections(recording_id), status.detections_bytes) and _is_whole(
        layout.effort(recording_id), status.effort_bytes
    )
    return status if are_whole else None


def _is_whole(path: Path, size_bytes: int | None) -> bool:
    return path.is_file() and size_bytes in (None, path.stat().st_size)


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
