"""Where the chunks of a recording begin and end."""

from __future__ import annotations

from dataclasses import dataclass

from badc_assets.chunks.settings import ChunkSettings


@dataclass(frozen=True)
class ChunkSpan:
    """Half-open span of a recording, in frames (exact) and in ms from its start (whole numbers)."""

    start_ms: int
    end_ms: int
    start_frame: int
    stop_frame: int


def chunk_plan(frames: int, sample_rate_hz: int, settings: ChunkSettings) -> tuple[ChunkSpan, ...]:
    """The chunks of a recording of `frames` frames: together they hold every frame, in order.

    The last chunk ends with the recording and is shorter when it must be. There is no chunk that lies wholly inside the one
    before it, and a remainder of less than 1 ms belongs to the chunk before.
    """
    duration_ms = frames * 1000 // sample_rate_hz
    spans: list[ChunkSpan] = []
    start_ms = 0
    while frames and (not spans or spans[-1].stop_frame < frames):
        end_ms = min(start_ms + settings.length_ms, duration_ms)
        stop_frame = frames if end_ms == duration_ms else end_ms * sample_rate_hz // 1000
        spans.append(ChunkSpan(start_ms, end_ms, start_ms * sample_rate_hz // 1000, stop_frame))
        start_ms += settings.step_ms
    return tuple(spans)
