"""The chunk headers of a WAV file, for what libsndfile hides: how much sound the header promised."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_UNKNOWN_32 = 0xFFFFFFFF
_MAX_CHUNKS = 1000
_FORM_IDS = (b"RIFF", b"RIFX", b"RF64", b"BW64")


@dataclass(frozen=True)
class WavData:
    """Where the samples lie. `declared_bytes` is None when the writer never came to fill it in.

    `available_bytes` counts from `offset` to the end of the file, `block_bytes` is one frame, 0 when not stated.
    """

    offset: int
    declared_bytes: int | None
    available_bytes: int
    block_bytes: int
    is_big_endian: bool


def read_wav_data(path: Path) -> WavData | None:
    """The `data` chunk of a RIFF, RIFX or RF64 file; None when `path` is none of these or has no such chunk.

    Reads chunk headers only. https://www.rfc-editor.org/rfc/rfc2361 and EBU Tech 3306 (RF64) give the layout.
    """
    with path.open("rb") as handle:
        head = handle.read(12)
        if len(head) < 12 or head[:4] not in _FORM_IDS or head[8:] != b"WAVE":
            return None
        return _walk(handle, is_big_endian=head[:4] == b"RIFX")


def _walk(handle: IO[bytes], *, is_big_endian: bool) -> WavData | None:
    order = "big" if is_big_endian else "little"
    file_bytes = os.fstat(handle.fileno()).st_size
    position, block_bytes, wide_size = 12, 0, None
    for _ in range(_MAX_CHUNKS):
        handle.seek(position)
        header = handle.read(8)
        if len(header) < 8:
            return None
        name, size = header[:4], int.from_bytes(header[4:], order)
        if name == b"data":
            declared = _declared_size(handle, position + 8, size, wide_size, order)
            available = file_bytes - position - 8
            return WavData(position + 8, declared, available, block_bytes, is_big_endian)
        if name == b"ds64":
            wide_size = int.from_bytes(handle.read(16)[8:], "little")
        if name == b"fmt ":
            block_bytes = int.from_bytes(handle.read(14)[12:], order)
        position += 8 + size + size % 2
    return None


def _is_chunk_name(name: bytes) -> bool:
    return len(name) == 4 and all(32 <= byte < 127 for byte in name)


def _declared_size(handle: IO[bytes], start: int, size: int, wide_size: int | None, order: str) -> int | None:
    if wide_size is not None and size == _UNKNOWN_32:
        return wide_size or None
    if size == _UNKNOWN_32:
        return None
    if size == 0 and not _is_chunk_chain(handle, start, order):
        return None
    return size


def _is_chunk_chain(handle: IO[bytes], start: int, order: str) -> bool:
    """True when whole chunks fill the rest of the file: then `data` is truly empty, not left unfinished."""
    file_bytes = os.fstat(handle.fileno()).st_size
    position = start
    while position < file_bytes:
        handle.seek(position)
        header = handle.read(8)
        if len(header) < 8 or not _is_chunk_name(header[:4]):
            return False
        size = int.from_bytes(header[4:], "big" if order == "big" else "little")
        position += 8 + size + size % 2
    return position <= file_bytes + 1
