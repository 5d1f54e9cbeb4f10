"""What a scan has read so far, so that one that is interrupted does not begin anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO

from badc_assets.errors import BadcError
from badc_assets.files import detach, remove

_FLUSH_EVERY = 500


class ScanJournal:
    """Content keys of the files that were opened, one JSON line each, appended while the scan runs.

    It is worth nothing once the catalogue is written, and is removed then. A line that a killed scan left unfinished is skipped.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._known = _read(path)
        self._since_flush = 0

    def key(self, audio_path: str, size_bytes: int, mtime_ns: int) -> str | None:
        """The content key that an interrupted scan found for the file in this state."""
        return self._known.get((audio_path, size_bytes, mtime_ns))

    def add(self, audio_path: str, size_bytes: int, mtime_ns: int, key: str) -> None:
        """Raises BadcError when it cannot be written."""
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                detach(self._path)
                self._file = self._path.open("a", encoding="ascii")
                self._file.write("\n")  # ends a line that a killed scan left unfinished
            self._file.write(json.dumps([audio_path, size_bytes, mtime_ns, key]) + "\n")
            self._since_flush += 1
            if self._since_flush >= _FLUSH_EVERY:
                self._file.flush()
                self._since_flush = 0
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> BadcError:
        return BadcError(self._path, f"cannot be written ({error.strerror})", "free space or make the folder writable")

    def close(self, *, is_done: bool) -> None:
        """Keep what was read for the next scan, or remove it when the catalogue has it."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                raise self._unwritable(error) from error
        if is_done:
            remove(self._path)


def _read(path: Path) -> dict[tuple[str, int, int], str]:
    if not path.is_file():
        return {}
    known: dict[tuple[str, int, int], str] = {}
    for line in path.read_bytes().split(b"\n"):
        try:
            audio_path, size_bytes, mtime_ns, key = json.loads(line)
            known[str(audio_path), int(size_bytes), int(mtime_ns)] = str(key)
        except (ValueError, TypeError):
            continue
    return known
