"""The longest chunk that fits, found by trying."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from badc_assets.errors import BadcError


@dataclass(frozen=True)
class Lengths:
    """Where the search begins, how far it goes and how exact it is, in seconds."""

    initial_s: float
    longest_s: float
    tolerance_s: float

    def __post_init__(self) -> None:
        named = {
            "--initial-duration": self.initial_s,
            "--max-duration": self.longest_s,
            "--tolerance": self.tolerance_s,
        }
        for name, seconds in named.items():
            if not (math.isfinite(seconds) and seconds >= 0.1):
                raise BadcError(name, f"must be at least 0.1 s, not {seconds:g}", "give other seconds")


def longest_that_fits(lengths: Lengths, fits: Callable[[float], bool]) -> float | None:
    """The longest chunk that fits, in seconds, rounded down to 0.01; None when even the tolerance is too long.

    Halves from the first length until one fits, doubles until one does not, then halves what lies between until that is no
    more than the tolerance.
    """
    good, bad = _first_that_fits(lengths, fits)
    if good is None:
        return None
    while bad is None and good < lengths.longest_s:
        longer = min(2 * good, lengths.longest_s)
        good, bad = (longer, None) if fits(longer) else (good, longer)
    while bad is not None and bad - good > lengths.tolerance_s:
        middle = (good + bad) / 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return math.floor(good * 100 + 1e-6) / 100


def _first_that_fits(lengths: Lengths, fits: Callable[[float], bool]) -> tuple[float | None, float | None]:
    """A length that fits, and one that does not; None for what was not met."""
    length, bad = min(lengths.initial_s, lengths.longest_s), None
    while not fits(length):
        if length <= lengths.tolerance_s:
            return None, length
        length, bad = max(length / 2, lengths.tolerance_s), length
    return length, bad
