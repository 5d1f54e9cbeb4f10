"""Reading spans of a recording: what they are hashed as."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from badc_assets.audio.measures.meter import Meter
from badc_assets.audio.probe import SoundFormat, probe
from badc_assets.audio.samples import SampleReader
from badc_assets.chunks.plan import ChunkSpan

BLOCK_FRAMES = 1 << 19
"""Frames read at a time: large enough that Python costs nothing, small enough to stay in cache (1 MiB of 16-bit mono)."""


@dataclass(frozen=True)
class SpanHashes:
    """sha256 per span, and the sample type that was hashed."""

    digests: tuple[str, ...]
    dtype: str


def hash_spans(
    source: Path,
    sound: SoundFormat,
    spans: Sequence[ChunkSpan],
    also: Callable[[NDArray[Any]], None] | None = None,
) -> SpanHashes:
    """Hash all spans in one pass; spans may overlap, and are in order of their start.

    `also` gets every block, whole seconds each, the last excepted. Raises BadSound where the sound cannot be read.
    """
    hashers = [hashlib.sha256() for _ in spans]
    first_open = 0
    position = 0
    with SampleReader(source, sound) as reader:
        for block in reader.blocks(Meter.block_frames(sound.sample_rate_hz, BLOCK_FRAMES)):
            if also is not None:
                also(block)
            stop = position + len(block)
            index = first_open
            while index < len(spans) and spans[index].start_frame < stop:
                span = spans[index]
                if span.stop_frame > position:
                    part = block[max(span.start_frame - position, 0) : span.stop_frame - position]
                    hashers[index].update(part.data)
                index += 1
            while first_open < len(spans) and spans[first_open].stop_frame <= stop:
                first_open += 1
            position = stop
        return SpanHashes(tuple(hasher.hexdigest() for hasher in hashers), reader.dtype)


def hash_span(source: Path, span: ChunkSpan) -> str:
    """sha256 of one span, read alone: what the manifest must say of it."""
    sound = probe(source)
    if sound.container == "mp3":
        # After a seek an MP3 decoder may differ in the last bit, so the span is reached by reading.
        return hash_spans(source, replace(sound, frames=span.stop_frame), [span]).digests[0]
    hasher = hashlib.sha256()
    with SampleReader(source, sound) as reader:
        for block in reader.blocks(BLOCK_FRAMES, span.start_frame, span.stop_frame):
            hasher.update(block.data)
    return hasher.hexdigest()
