"""What recorders write into the headers of their files beside the format: GUANO, RIFF INFO, bext, FLAC comments.

Nothing is interpreted here; `recordings.headers` does that. The chunks of a WAV file are walked from header to header, so a
file of any length costs a few reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_MAX_CHUNKS = 200
_MAX_TEXT_BYTES = 1 << 20
_UNKNOWN_32 = 0xFFFFFFFF
_RIFF_IDS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
_FLAC_COMMENTS = 4
_BEXT_FIELDS = {
    "Description": (0, 256),
    "Originator": (256, 32),
    "OriginatorReference": (288, 32),
    "OriginationDate": (320, 10),
    "OriginationTime": (330, 8),
}
"""Offset and length in bytes, https://tech.ebu.ch/docs/tech/tech3285.pdf"""


@dataclass(frozen=True)
class SoundTags:
    """The texts of one file. `guano` is the chunk as it stands; keys of `info` are the four letters of RIFF (ICMT, IART, ...),
    those of `comments` (FLAC) in lower case. Empty where the file has none."""

    guano: bytes = b""
    info: Mapping[str, str] = field(default_factory=dict)
    bext: Mapping[str, str] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)


def read_tags(path: Path) -> SoundTags:
    """The tags of a WAV or FLAC file; none for any other bytes, and those before the damage for a damaged file.

    Raises OSError when reading fails.
    """
    with path.open("rb") as handle:
        head = handle.read(12)
        if head[:4] in _RIFF_IDS and head[8:] == b"WAVE":
            return _wav_tags(handle, "big" if head[:4] == b"RIFX" else "little")
        if head[:4] == b"fLaC":
            return SoundTags(comments=_flac_comments(handle))
    return SoundTags()


def _wav_tags(handle: IO[bytes], order: str) -> SoundTags:
    guano, info, bext = b"", {}, {}
    for name, start, size in _chunks(handle, order):
        if name not in (b"guan", b"LIST", b"bext"):
            continue
        handle.seek(start)
        body = handle.read(min(size, _MAX_TEXT_BYTES))
        if name == b"guan":
            guano = guano or body
        elif name == b"bext":
            bext = bext or _bext(body)
        elif body[:4] == b"INFO":
            info = _info(body[4:], order) | info
    return SoundTags(guano, info, bext)


def _chunks(handle: IO[bytes], order: str) -> Iterator[tuple[bytes, int, int]]:
    """(name, offset of the body, bytes) of each chunk that the file really holds."""
    file_bytes = os.fstat(handle.fileno()).st_size
    position, wide_size = 12, None
    for _ in range(_MAX_CHUNKS):
        handle.seek(position)
        header = handle.read(8)
        if len(header) < 8:
            return
        name, size = header[:4], int.from_bytes(header[4:], "big" if order == "big" else "little")
        if name == b"ds64":
            wide_size = int.from_bytes(handle.read(16)[8:], "little")
        if name == b"data" and size == _UNKNOWN_32:
            if wide_size is None:
                return
            size = wide_size
        yield name, position + 8, size
        position += 8 + size + size % 2
        if position >= file_bytes:
            return


def _info(body: bytes, order: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    while position + 8 <= len(body):
        size = int.from_bytes(body[position + 4 : position + 8], "big" if order == "big" else "little")
        text = _text(body[position + 8 : position + 8 + size])
        if text:
            found.setdefault(body[position : position + 4].decode("latin-1"), text)
        position += 8 + size + size % 2
    return found


def _bext(body: bytes) -> dict[str, str]:
    texts = {name: _text(body[start : start + length]) for name, (start, length) in _BEXT_FIELDS.items()}
    return {name: text for name, text in texts.items() if text}


def _flac_comments(handle: IO[bytes]) -> dict[str, str]:
    """The Vorbis comments among the metadata blocks, https://www.rfc-editor.org/rfc/rfc9639#section-8"""
    handle.seek(4)
    for _ in range(_MAX_CHUNKS):
        header = handle.read(4)
        if len(header) < 4:
            break
        size = int.from_bytes(header[1:], "big")
        if header[0] & 0x7F == _FLAC_COMMENTS:
            return _vorbis_comments(handle.read(size))
        if header[0] & 0x80:
            break
        handle.seek(size, os.SEEK_CUR)
    return {}


def _vorbis_comments(body: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 4 + int.from_bytes(body[:4], "little") + 4
    while position + 4 <= len(body):
        size = int.from_bytes(body[position : position + 4], "little")
        name, separator, value = _text(body[position + 4 : position + 4 + size]).partition("=")
        if separator:
            found.setdefault(name.strip().lower(), value.strip())
        position += 4 + size
    return found


def _text(raw: bytes) -> str:
    """Up to the first NUL, as UTF-8 or, where it is none, as Latin-1."""
    raw = raw.split(b"\0", 1)[0]
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip()
