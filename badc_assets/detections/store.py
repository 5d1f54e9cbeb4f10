"""The results of one recording on disk: two Parquet files, and a status file that says what they are about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from badc_assets.detections.schema import detection_schema, effort_schema, raw_schema
from badc_assets.detections.tables import Columns, Row
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path, remove, remove_dead_temporaries, sync
from badc_assets.layout import Layout

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ResultStatus:
    """What the Parquet files of a recording hold. Written last, so its presence proves that they are whole.

    `key` is the hash of everything that decides the result (manifest rows, detector, its settings and weights): equal key, equal
    result. `manifest_digest` names the chunks that were analysed. `status` `failed` has its reason in `error`; its effort
    rows are marked failed and there are no detections.
    `is_partial`: the chunking had not completed, and the project allowed it; `content_key` names the audio.
    `*_bytes` are the sizes of the two files: one that was cut off later does not count as a result.
    `failed_chunks` of a failed recording have no results, the others do. `raw_key` is the hash of what decided what the detector
    found, `rules_digest` that of the rules that left some of it out (empty: everything is a detection); `key` is of both.
    `seconds` is the time that the detector took, `waited_s` what it waited for sound beside that; `gpu_seconds` the part on GPUs.
    """

    recording_id: str
    status: Literal["completed", "failed"]
    key: str
    manifest_digest: str
    detections: int
    audio_ms: int
    detector: str
    model_version: str
    run_id: str
    finished_at: str
    seconds: float
    error: str = ""
    best_confidence: float | None = None
    content_key: str = ""
    is_partial: bool = False
    detections_bytes: int | None = None
    effort_bytes: int | None = None
    failed_chunks: int = 0
    raw_key: str = ""
    rules_digest: str = ""
    device: str = ""
    precision: str = ""
    waited_s: float = 0.0
    gpu_seconds: float = 0.0
    gpu_energy_wh: float | None = None
    gpu_peak_memory_mb: float | None = None

    @property
    def is_complete(self) -> bool:
        return self.status == "completed"


def status_path(layout: Layout, recording_id: str) -> Path:
    return layout.result_status(recording_id)


def write_results(
    layout: Layout,
    status: ResultStatus,
    detections: Iterable[Columns],
    effort: Sequence[Row],
    raw: Iterable[pa.Table] | None = None,
) -> ResultStatus:
    """Replace the results of a recording, in one step for a reader: a crash in between leaves no status that lies.

    All files are complete on disk before the first old one goes, so a full disk costs nothing that was there. What killed
    processes began for this recording is removed.
    `detections` come in parts of any size. `raw` is what the detector found where that is more than the detections.
    Returns the status with the sizes of the files, as it was stored.
    """
    import pyarrow as pa

    old_status = status_path(layout, status.recording_id)
    remove_dead_temporaries(old_status.parent)
    with atomic_path(old_status) as new_status:
        with (
            atomic_path(layout.detections(status.recording_id)) as detections_file,
            atomic_path(layout.effort(status.recording_id)) as effort_file,
            ExitStack() as stack,
        ):
            if raw is not None:
                raw_file = stack.enter_context(atomic_path(layout.raw_events(status.recording_id)))
                _write_table(raw_file, raw, raw_schema())
            schema = detection_schema()
            _write_table(detections_file, (pa.Table.from_pydict(part, schema) for part in detections), schema)
            _write_table(effort_file, [pa.Table.from_pylist(list(effort), effort_schema())], effort_schema())
            stored = replace(
                status, detections_bytes=detections_file.stat().st_size, effort_bytes=effort_file.stat().st_size
            )
            new_status.write_text(json.dumps(asdict(stored), indent=2))
            for file in (detections_file, effort_file, new_status):
                sync(file)
            remove(old_status)
            if raw is None:
                remove(layout.raw_events(status.recording_id))
        return stored


def _write_table(path: Path, parts: Iterable[pa.Table], schema: pa.Schema) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(part)


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


def read_table(path: Path, columns: Sequence[str] | None = None, *, schema: pa.Schema | None = None) -> pa.Table:
    """One of the Parquet files, or some of its columns, or exactly the columns and types of `schema`.

    Raises BadcError when it is missing or damaged, or lacks one of the columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise BadcError(path, "there are no results", "materialize detections for this recording")
    again = "materialize detections for this recording again"
    wanted = schema.names if schema is not None else columns
    try:
        # Not pq.read_table: it would take `recording=...` folder names for columns.
        with pq.ParquetFile(path) as file:
            present = set(file.schema_arrow.names)
            missing = [name for name in wanted or () if name not in present]
            if missing:
                raise BadcError(path, f"has no column {', '.join(missing)}", again)
            table = file.read(wanted, use_threads=False)  # threads cost more than such a file
        return table if schema is None else table.select(schema.names).cast(schema)
    except (pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or ["unknown error"])[0]
        raise BadcError(path, f"cannot be read as Parquet ({reason})", again) from error
