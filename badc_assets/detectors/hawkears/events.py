"""What HawkEars reports -> events, checked: nothing that it cannot mean is taken for a detection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from badc_assets.detectors.hawkears.sound import HeardClip
from badc_assets.detectors.protocol import Clip, Event, Label
from badc_assets.errors import BadcError

WINDOW_MS = 3000
"""What HawkEars looks at at a time."""

_REMEDY = "report it to the authors of HawkEars"


@dataclass(frozen=True)
class Found:
    """One detection as HawkEars reports it, in seconds from the start of the clip."""

    label: Label
    start_s: float
    end_s: float
    score: float


def to_events(found: Iterable[Found], clip: Clip, heard: HeardClip, *, overhang_ms: int = WINDOW_MS) -> list[Event]:
    """Events in order of time; of equal ones (same label, same times) the one with the highest score.

    What reaches past the end of the clip by up to `overhang_ms` is cut, since a last window or label is filled up. What lies
    wholly in digital silence is left out. Raises BadcError for times outside the clip and scores outside 0..1.
    """
    best: dict[tuple[int, int, Label], float] = {}
    for one in found:
        start_ms, end_ms = _times(one, clip, overhang_ms)
        if not 0 <= one.score <= 1:
            raise _wrong(clip, one, f"its score is {one.score:g}, not in 0..1")
        if heard.is_flat_between(start_ms, end_ms):
            continue
        key = (start_ms, end_ms, one.label)
        best[key] = max(best.get(key, 0.0), one.score)
    ordered = sorted(best.items(), key=lambda item: (item[0][0], item[0][1], item[0][2].code))
    return [Event(start_ms, end_ms, label, score) for (start_ms, end_ms, label), score in ordered]


def _times(one: Found, clip: Clip, overhang_ms: int) -> tuple[int, int]:
    # The comparison is written so that NaN fails.
    if not 0 <= one.start_s < one.end_s <= 1e7:
        raise _wrong(clip, one, "its times are no span of time")
    start_ms, end_ms = round(one.start_s * 1000), round(one.end_s * 1000)
    if start_ms >= clip.duration_ms or end_ms > clip.duration_ms + overhang_ms:
        raise _wrong(clip, one, f"it lies outside the clip, which lasts {clip.duration_ms} ms")
    return start_ms, min(end_ms, clip.duration_ms)


def _wrong(clip: Clip, one: Found, problem: str) -> BadcError:
    what = f"HawkEars reports {one.label.code!r} from {one.start_s:g} to {one.end_s:g} s"
    return BadcError(clip.path, f"{what}: {problem}", _REMEDY)
