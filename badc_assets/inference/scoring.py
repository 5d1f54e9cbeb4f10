"""Scores of a batch of windows, whatever it takes: halves when memory is short, again when something went wrong.

A batch that fails is scored again chunk by chunk, so that the chunk that is to blame is found and the others get their scores.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from badc_assets.detectors.protocol import Float32, Pending, PipelinedDetector, WindowDetector
from badc_assets.errors import BadcError, printable
from badc_assets.inference.settings import InferenceSettings

LONGEST_DELAY_S = 30.0

Owner = tuple[int, str]
"""Whose windows they are: number of the task and id of the chunk."""


@dataclass(frozen=True)
class Settled:
    """The scores of a batch, shape (batch, labels). `errors` names the chunks that have none (their rows are zero).

    `attempts` is how often the chunks were tried that did not succeed at once.
    """

    scores: Float32
    errors: Mapping[Owner, str] = field(default_factory=dict)
    attempts: Mapping[Owner, int] = field(default_factory=dict)


def retry_delay_s(settings: InferenceSettings, attempt: int) -> float:
    """How long to wait after the failure of this attempt (from 1): doubling, and less a random part, so that workers that
    failed together do not come back together."""
    full = min(settings.retry_delay_s * 2 ** (attempt - 1), LONGEST_DELAY_S)
    return full * random.uniform(0.5, 1.0)


def described(error: BaseException) -> str:
    """An exception of a detector in one line."""
    if isinstance(error, BadcError):
        return error.problem
    return printable(f"the detector failed: {type(error).__name__}: {error}")


def is_out_of_memory(error: BaseException) -> bool:
    # By name: torch is not to be imported for this.
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


class Scorer:
    """Scores batches with one detector. `told_of_retry` is called with (owner, attempt, error, delay in s)."""

    def __init__(
        self,
        detector: WindowDetector,
        settings: InferenceSettings,
        told_of_retry: Callable[[Owner, int, str, float], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._detector = detector
        self._settings = settings
        self._told_of_retry = told_of_retry
        self._sleep = sleep
        self._most = 1 << 30

    def submit(self, windows: Float32) -> Pending:
        """Begin with a batch; the result waits and then returns scores of shape (batch, labels), or raises."""
        if len(windows) > self._most:
            return lambda: self._in_parts(windows)
        if isinstance(self._detector, PipelinedDetector):
            try:
                pending = self._detector.submit(windows)
            except Exception as error:
                return _raising(error)
            return lambda: self._checked(pending(), len(windows))
        return lambda: self._score(windows)

    def settle(self, pending: Pending, windows: Float32, owners: Sequence[Owner]) -> Settled:
        """What came of a batch that was submitted. `owners` names the chunk of each window."""
        try:
            return Settled(pending())
        except Exception as error:
            if is_out_of_memory(error) and min(self._most, len(windows)) > 1:
                self._most = max(min(self._most, len(windows)) // 2, 1)
                return self.settle(lambda: self._in_parts(windows), windows, owners)
            return self._by_owner(windows, owners, error)

    def _by_owner(self, windows: Float32, owners: Sequence[Owner], first: Exception) -> Settled:
        scores = np.zeros((len(windows), len(self._detector.info.labels)), np.float32)
        errors: dict[Owner, str] = {}
        attempts: dict[Owner, int] = {}
        is_to_blame = len(set(owners)) == 1
        for owner in dict.fromkeys(owners):
            rows = [row for row, of in enumerate(owners) if of == owner]
            made, attempts[owner] = self._tried(windows[rows], owner, first if is_to_blame else None)
            if isinstance(made, str):
                errors[owner] = made
            else:
                scores[rows] = made
        return Settled(scores, errors, attempts)

    def _tried(self, windows: Float32, owner: Owner, error: Exception | None) -> tuple[Float32 | str, int]:
        """Scores or, when no attempt is left, what is wrong; and the number of attempts. `error` is that of the first."""
        for attempt in range(1, self._settings.max_retries + 2):
            if attempt > 1 or error is None:
                try:
                    return self._in_parts(windows), attempt
                except Exception as trouble:
                    error = trouble
            if isinstance(error, BadcError) or attempt > self._settings.max_retries:
                return described(error), attempt
            delay_s = retry_delay_s(self._settings, attempt)
            self._told_of_retry(owner, attempt, described(error), delay_s)
            self._sleep(delay_s)
        raise AssertionError("the last attempt returns")

    def _in_parts(self, windows: Float32) -> Float32:
        """Scores, never more windows at once than memory was found to hold."""
        parts: list[Float32] = []
        position = 0
        while position < len(windows):
            part = windows[position : position + self._most]
            try:
                parts.append(self._score(part))
            except Exception as error:
                if not is_out_of_memory(error) or len(part) == 1:
                    raise
                self._most = len(part) // 2
                continue
            position += len(part)
        return np.concatenate(parts)

    def _score(self, windows: Float32) -> Float32:
        return self._checked(self._detector.score(windows), len(windows))

    def _checked(self, scores: Float32, count: int) -> Float32:
        """A NaN would pass every threshold unseen, as silence."""
        expected = (count, len(self._detector.info.labels))
        if scores.shape != expected:
            raise ValueError(f"scores have the shape {scores.shape} and should have {expected}")
        if not bool(((scores >= 0) & (scores <= 1)).all()):
            raise ValueError("scores are not all numbers in 0..1")
        return scores


def _raising(error: Exception) -> Pending:
    def fail() -> Float32:
        raise error

    return fail
