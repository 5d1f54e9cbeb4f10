"""The journal of an unfinished recording: one line per analysed chunk, appended as soon as it is known.

What is in the journal survives kill -9 and is not done again. A line is one `write`; a torn last line (the power failed)
is recognised and its chunk done again. Lines are about one key, which stands in the file name: results of other audio, another
detector or other settings never mix. Two writers may append the same chunk after a crash; the results are the same, and
the first line counts.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from badc_assets.detectors.protocol import Event, Label
from badc_assets.errors import BadcError
from badc_assets.files import detach
from badc_assets.inference.sound import MixPower


@dataclass(frozen=True)
class ChunkRecord:
    """What came out of one chunk. `error` is empty when it was analysed; `events` count from the start of the recording."""

    chunk_id: str
    events: Sequence[Event] = ()
    error: str = ""
    attempts: int = 1
    seconds: float = 0.0
    worker: str = ""
    device: str = ""
    precision: str = ""
    power: MixPower | None = None


class JournalWriter:
    """Appends to one journal file; use it in a `with` statement. Raises BadcError when the disk is full."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> JournalWriter:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            detach(self._path)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def append(self, records: Iterable[ChunkRecord]) -> None:
        """Write the records, in one piece; they start on a new line even where a torn one was left."""
        text = "\n" + "".join(json.dumps(_to_json(record), separators=(",", ":")) + "\n" for record in records)
        data = memoryview(text.encode())
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> BadcError:
        return BadcError(
            self._path, f"cannot be written ({error.strerror or error})", "free space or make the folder writable"
        )


def journal_file(folder: Path, key: str, first_chunk: int) -> Path:
    """The file for the work that begins with this chunk."""
    return folder / f"{key}.{first_chunk:06d}.jsonl"


def read_journal(folder: Path, key: str) -> dict[str, ChunkRecord]:
    """Chunk id -> record, of all files for this key. Of two records of a chunk, one that was analysed wins, then the first."""
    records: dict[str, ChunkRecord] = {}
    for file in sorted(folder.glob(f"{key}.*.jsonl")):
        for line in file.read_bytes().split(b"\n"):
            record = _from_line(line)
            if record is not None and (record.chunk_id not in records or records[record.chunk_id].error):
                records[record.chunk_id] = record
    return records


def remove_journal(folder: Path) -> None:
    """Forget the journal of a recording, of all keys."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_other_journals(folder: Path, key: str) -> None:
    """Forget what was journalled for other audio or settings."""
    for file in folder.glob("*.jsonl"):
        if not file.name.startswith(f"{key}."):
            file.unlink(missing_ok=True)


def _to_json(record: ChunkRecord) -> dict[str, Any]:
    labels = list(dict.fromkeys(event.label for event in record.events))
    number = {label: position for position, label in enumerate(labels)}
    value: dict[str, Any] = {"chunk": record.chunk_id, "attempts": record.attempts, "seconds": round(record.seconds, 4)}
    value |= {"worker": record.worker, "device": record.device, "precision": record.precision}
    if record.error:
        return value | {"error": record.error}
    if record.power is not None:
        value["power"] = [record.power.mix, record.power.channels]
    value["labels"] = [[label.code, label.name] for label in labels]
    value["events"] = [
        [e.start_ms, e.end_ms, number[e.label], e.confidence, e.low_hz, e.high_hz, e.peak_hz, e.snr_db, e.note]
        for e in record.events
    ]
    return value


def _from_line(line: bytes) -> ChunkRecord | None:
    if not line.endswith(b"}"):
        return None
    try:
        value = json.loads(line)
        labels = [Label(code, name) for code, name in value.get("labels", ())]
        return ChunkRecord(
            chunk_id=value["chunk"],
            events=[Event(start, end, labels[label], *rest) for start, end, label, *rest in value.get("events", ())],
            error=value.get("error", ""),
            attempts=value["attempts"],
            seconds=value["seconds"],
            worker=value["worker"],
            device=value["device"],
            precision=value["precision"],
            power=MixPower(*value["power"]) if "power" in value else None,
        )
    except (ValueError, KeyError, TypeError, IndexError):
        return None
