"""What a backend of the transformers detector does, and what all of them need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Generic, Literal, Protocol, TypeVar

import numpy as np

from badc_assets.detectors.protocol import Float32, Pending
from badc_assets.detectors.transformers.model import Activation

Precision = Literal["fp32", "bf16", "fp16"]
Asked = Literal["auto", "fp32", "bf16", "fp16"]
CPU_BATCH = 4
"""Windows at once on a CPU: more gain nothing there, and cost memory."""


class Backend(Protocol):
    """A loaded model in one precision."""

    @property
    def batch(self) -> int:
        """The most windows that `submit` takes."""
        ...

    @property
    def depth(self) -> int:
        """How many batches it works on at once."""
        ...

    @property
    def facts(self) -> Mapping[str, str]:
        """What it is, for the record."""
        ...

    def submit(self, windows: Float32) -> Pending:
        """Start on 1 to `batch` windows, shape (windows, samples); gives scores of shape (windows, labels)."""
        ...

    def close(self) -> None: ...


def scores_of(logits: Float32, activation: Activation) -> Float32:
    """A model's outputs, shape (batch, labels), as scores in 0..1. What is no number stays none."""
    with np.errstate(invalid="ignore"):
        if activation == "sigmoid":
            return np.exp(-np.logaddexp(np.float32(0), -logits)).astype(np.float32)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def filled_up(rows: Float32, count: int) -> Float32:
    """`rows` and repetitions of the last one, `count` in all: programs are made for a fixed number of windows."""
    if len(rows) == count:
        return rows
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])


def versions_of(*packages: str) -> dict[str, str]:
    """The versions of those packages that are installed."""
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


class Ticket:
    """The scores of a batch, waited for once and kept; what went wrong is raised each time they are asked for."""

    def __init__(self, finish: Callable[[], Float32]) -> None:
        self._finish = finish
        self._scores: Float32 | None = None
        self._error: Exception | None = None

    def settle(self) -> None:
        """Wait until the batch is done, well or not."""
        if self._scores is not None or self._error is not None:
            return
        try:
            self._scores = self._finish()
        except Exception as error:  # noqa: BLE001 - kept, and raised when the scores are asked for
            self._error = error

    def __call__(self) -> Float32:
        self.settle()
        if self._scores is None:
            raise self._error or RuntimeError("the batch was not finished")
        return self._scores


Slot = TypeVar("Slot")


class Ring(Generic[Slot]):
    """Slots that are used in turn. One whose batch was not asked for yet is waited for before it is used again."""

    def __init__(self, slots: list[Slot]) -> None:
        self._slots = slots
        self._tickets: list[Ticket | None] = [None] * len(slots)
        self._next = 0

    def submit(self, start: Callable[[Slot], Callable[[], Float32]]) -> Ticket:
        """`start` a batch in the next slot; what it returns waits for the scores."""
        place = self._next
        before = self._tickets[place]
        if before is not None:
            before.settle()
        self._tickets[place] = None
        ticket = Ticket(start(self._slots[place]))
        self._tickets[place] = ticket
        self._next = (place + 1) % len(self._slots)
        return ticket

    def settle(self) -> None:
        """Wait for all batches that are under way."""
        for ticket in self._tickets:
            if ticket is not None:
                ticket.settle()
