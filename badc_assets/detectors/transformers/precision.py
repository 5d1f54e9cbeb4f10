"""Reduced precision on probation: it must give nearly the scores of fp32 on the first real batch, and always numbers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from badc_assets.detectors.protocol import Float32, Pending
from badc_assets.detectors.transformers.backend import Backend, Precision, Ticket
from badc_assets.errors import BadcError

logger = logging.getLogger(__name__)


class GuardedBackend:
    """A backend in reduced precision that is replaced by one in fp32 if it does not prove good enough.

    `make` gives a backend of a precision for good; `make_reference` one in fp32 for the check, whose batch may be smaller.
    `bound` is how much a score may differ, and `note` says why `precision` is not the one that was asked for, if it is not.
    """

    def __init__(
        self,
        make: Callable[[Precision], Backend],
        make_reference: Callable[[], Backend],
        precision: Precision,
        bound: float,
        note: str = "",
    ) -> None:
        self._make = make
        self._bound = bound
        self._precision: Precision = precision
        self._reference: Backend | None = None
        self._check = note
        if precision != "fp32":
            try:
                self._backend = make(precision)
            except BadcError as error:
                self._fall_back(error.problem, make("fp32"))
                return
            self._reference = make_reference()
            self._check = "not done yet"
        else:
            self._backend = make("fp32")

    @property
    def batch(self) -> int:
        return self._backend.batch

    @property
    def depth(self) -> int:
        return self._backend.depth

    @property
    def facts(self) -> Mapping[str, str]:
        check = {"precision_check": self._check} if self._check else {}
        return {**self._backend.facts, "precision": self._precision, **check}

    def submit(self, windows: Float32) -> Pending:
        """Like any backend. Raises BadcError, here or later, when even fp32 gives what is no number."""
        if self._reference is not None:
            scores = self._compared(windows, self._reference)
            return Ticket(lambda: scores)
        precision, pending = self._precision, self._backend.submit(windows)
        return Ticket(lambda: self._numbers(pending(), windows, precision))

    def close(self) -> None:
        if self._reference is not None:
            self._reference.close()
        self._backend.close()

    def _compared(self, windows: Float32, reference: Backend) -> Float32:
        """The scores of the first batch, after which it is decided which precision stays."""
        exact = self._exact(windows, reference)
        scores = self._backend.submit(windows)()
        change = float(np.abs(scores - exact).max()) if np.isfinite(scores).all() else np.inf
        self._reference = None
        if change <= self._bound:
            reference.close()
            self._check = f"scores of {len(windows)} windows within {change:.2g} of fp32"
            return scores
        is_enough = reference.batch >= self._backend.batch
        self._backend.close()
        if not is_enough:
            reference.close()
        self._fall_back(
            f"scores differ by {change:.2g} from fp32, more than {self._bound:g}"
            if np.isfinite(change)
            else "scores are no numbers",
            reference if is_enough else self._make("fp32"),
        )
        return exact

    def _numbers(self, scores: Float32, windows: Float32, precision: Precision) -> Float32:
        """`scores`, or those of fp32 where they are no numbers."""
        if np.isfinite(scores).all():
            return scores
        if precision == "fp32" or not np.isfinite(windows).all():
            raise BadcError("transformers", "the scores are no numbers", "look for damage in the sound or in the model")
        if self._precision != "fp32":
            # What the old backend still works on will be asked for: it ends by itself when nothing refers to it any more.
            self._fall_back("scores are no numbers", self._make("fp32"))
        return self._exact(windows, self._backend)

    def _exact(self, windows: Float32, backend: Backend) -> Float32:
        parts = [backend.submit(part)() for part in split(windows, backend.batch)]
        scores = np.concatenate(parts)
        return self._numbers(scores, windows, "fp32")

    def _fall_back(self, reason: str, backend: Backend) -> None:
        logger.warning("the model runs in fp32, not in %s: %s", self._precision, reason)
        self._check = f"not in {self._precision}: {reason}"
        self._precision = "fp32"
        self._backend = backend


def split(windows: Float32, count: int) -> Iterator[Float32]:
    """At most `count` windows at a time."""
    for start in range(0, len(windows), count):
        yield windows[start : start + count]
