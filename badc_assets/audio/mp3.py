"""Whether an MP3 file says how long it is."""

from __future__ import annotations

from pathlib import Path

_ID3_HEADER_BYTES = 10
_FIRST_FRAME_BYTES = 512
_LENGTH_TAGS = (b"Xing", b"Info", b"VBRI")


def states_length(path: Path) -> bool:
    """True when the first MPEG frame is a Xing, Info or VBRI header; without one a length is an estimate."""
    with path.open("rb") as handle:
        head = handle.read(_ID3_HEADER_BYTES)
        handle.seek(_id3_bytes(head))
        first_frame = handle.read(_FIRST_FRAME_BYTES)
    return any(tag in first_frame for tag in _LENGTH_TAGS)


def _id3_bytes(head: bytes) -> int:
    """The size of an ID3v2 tag, which stands before the sound: 7 bits in each of 4 bytes (id3.org, 3.1)."""
    if not head.startswith(b"ID3") or len(head) < _ID3_HEADER_BYTES:
        return 0
    return _ID3_HEADER_BYTES + sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
