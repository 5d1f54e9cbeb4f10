"""What the answers of HawkEars' process mean: when an empty one is no silence, and whose fault an error is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from badc_assets.detectors.hawkears.process import HawkEarsFailed
from badc_assets.detectors.protocol import Clip
from badc_assets.errors import BadcError, printable

LEAST_MS = 1000
"""HawkEars gives no scores for sound much shorter than this. Used where its process cannot tell whether it gave some."""


def require_analysed(clip: Clip, answer: Mapping[str, Any]) -> None:
    """Raises BadcError where an empty answer does not mean that nothing calls."""
    if answer["recordings"] != 1:
        problem = f"HawkEars analysed {answer['recordings']} recordings instead of this one"
        raise BadcError(clip.path, problem, "see whether the file is there")
    if not answer.get("scored", clip.duration_ms >= LEAST_MS):
        problem = f"HawkEars gives no scores for so short a sound ({clip.duration_ms} ms)"
        raise BadcError(clip.path, problem, 'leave it out, or set detectors.hawkears.unit = "recording"')
    heard_ms = 1000 * answer.get("heard_s", clip.duration_ms / 1000)
    if heard_ms + max(clip.duration_ms // 100, 500) < clip.duration_ms:
        problem = f"HawkEars read {heard_ms:.0f} ms of its {clip.duration_ms} ms"
        raise BadcError(clip.path, problem, "see whether the file is damaged; convert it to WAV")


def failure(clip: Clip, error: Mapping[str, str]) -> Exception:
    """The exception for an answer that is an error."""
    message = printable(error["message"])
    if error["kind"] == "memory":
        return MemoryError(message)
    if error["kind"] == "sound":
        return BadcError(clip.path, f"HawkEars cannot use it ({message})", "see whether it is a whole sound file")
    return HawkEarsFailed(f"HawkEars failed on {clip.path}: {message}")


def recorded_on(clip: Clip) -> str:
    """The date of a clip's recording as yyyymmdd. Raises BadcError where it is unknown: every species would count as rare."""
    if clip.start_local is None:
        problem = "its date is unknown, and HawkEars would take every species for a rare one"
        raise BadcError(clip.path, problem, "name the file after its time, or set another detectors.hawkears.date")
    return clip.start_local[:10].replace("-", "")
