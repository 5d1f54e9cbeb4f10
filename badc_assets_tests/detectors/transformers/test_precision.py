"""Reduced precision is checked on the first batch, watched afterwards, and given up when it is not good enough."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from badc_assets.detectors.protocol import Float32, Pending
from badc_assets.detectors.transformers import openvino as transformers_openvino
from badc_assets.detectors.transformers.backend import Asked, Precision, Ring, Ticket, filled_up, scores_of
from badc_assets.detectors.transformers.precision import GuardedBackend
from badc_assets.errors import BadcError


@dataclass
class FakeBackend:
    """Its scores are the windows' first two samples, and `error` in reduced precision."""

    error: float = 0.0
    batch: int = 4
    depth: int = 2
    is_closed: bool = False
    sizes: list[int] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, str]:
        return {"batch": str(self.batch)}

    def submit(self, windows: Float32) -> Pending:
        assert not self.is_closed
        assert 1 <= len(windows) <= self.batch
        self.sizes.append(len(windows))
        scores = windows[:, :2].copy() + np.float32(self.error)
        return lambda: scores

    def close(self) -> None:
        self.is_closed = True


class Bench:
    """A guard over fakes, and what it made."""

    def __init__(
        self, error: float, *, precision: Precision = "bf16", reference_batch: int = 4, fails: bool = False
    ) -> None:
        self.made: dict[str, FakeBackend] = {}

        def make(wanted: Precision) -> FakeBackend:
            if fails and wanted != "fp32":
                raise BadcError("model", "bf16 does not work", "use fp32")
            self.made[wanted] = FakeBackend(0.0 if wanted == "fp32" else error)
            return self.made[wanted]

        def make_reference() -> FakeBackend:
            self.made["reference"] = FakeBackend(batch=reference_batch)
            return self.made["reference"]

        self.guard = GuardedBackend(make, make_reference, precision, 0.02)

    @property
    def check(self) -> str:
        return self.guard.facts.get("precision_check", "")


WINDOWS = np.linspace(0, 0.9, 24, dtype=np.float32).reshape(4, 6)


def test_a_precision_within_the_bound_stays() -> None:
    bench = Bench(0.0199, reference_batch=3)
    assert bench.check == "not done yet"
    first = bench.guard.submit(WINDOWS)()
    assert np.array_equal(first, WINDOWS[:, :2] + np.float32(0.0199))
    assert (bench.guard.facts["precision"], bench.check) == ("bf16", "scores of 4 windows within 0.02 of fp32")
    assert bench.made["reference"].is_closed and bench.made["reference"].sizes == [3, 1]
    bench.guard.submit(WINDOWS[:2])()
    assert bench.made["bf16"].sizes == [4, 2] and "fp32" not in bench.made


@pytest.mark.parametrize(
    ("error", "words"), [(0.0202, "differ by 0.02"), (np.nan, "no numbers"), (np.inf, "no numbers")]
)
def test_a_precision_beyond_the_bound_is_replaced(error: float, words: str) -> None:
    bench = Bench(error, reference_batch=3)
    assert np.array_equal(bench.guard.submit(WINDOWS)(), WINDOWS[:, :2])
    assert bench.guard.facts["precision"] == "fp32"
    assert words in bench.check
    assert bench.made["bf16"].is_closed and bench.made["reference"].is_closed
    assert np.array_equal(bench.guard.submit(WINDOWS)(), WINDOWS[:, :2])
    assert bench.made["fp32"].sizes == [4]


def test_the_reference_takes_over_where_it_is_large_enough() -> None:
    bench = Bench(1.0)
    bench.guard.submit(WINDOWS)()
    bench.guard.submit(WINDOWS)()
    assert "fp32" not in bench.made and bench.made["reference"].sizes == [4, 4]
    bench.guard.close()
    assert bench.made["reference"].is_closed


def test_numbers_that_get_lost_later_are_worked_out_again() -> None:
    bench = Bench(0.01)
    bench.guard.submit(WINDOWS)()
    early = bench.guard.submit(WINDOWS)
    bench.made["bf16"].error = np.inf
    late = [bench.guard.submit(WINDOWS), bench.guard.submit(WINDOWS[:1])]
    assert np.isfinite(early()).all() and bench.guard.facts["precision"] == "bf16"
    assert [np.array_equal(late[0](), WINDOWS[:, :2]), np.array_equal(late[1](), WINDOWS[:1, :2])] == [True, True]
    assert bench.guard.facts["precision"] == "fp32" and "no numbers" in bench.check


def test_a_precision_that_cannot_be_made_is_fp32() -> None:
    bench = Bench(0.0, fails=True)
    assert bench.guard.facts["precision"] == "fp32"
    assert bench.check == "not in bf16: bf16 does not work"
    assert "reference" not in bench.made


def test_fp32_needs_no_check_but_must_give_numbers() -> None:
    bench = Bench(0.0, precision="fp32")
    assert bench.check == "" and list(bench.made) == ["fp32"]
    bench.made["fp32"].error = np.nan
    with pytest.raises(BadcError, match="no numbers"):
        bench.guard.submit(WINDOWS)()


def test_damaged_sound_decides_nothing() -> None:
    bench = Bench(0.01)
    damaged = WINDOWS.copy()
    damaged[0, 0] = np.nan
    with pytest.raises(BadcError, match="no numbers"):
        bench.guard.submit(damaged)()
    assert bench.check == "not done yet"
    bench.guard.submit(WINDOWS)()
    with pytest.raises(BadcError, match="no numbers"):
        bench.guard.submit(damaged)()
    assert bench.guard.facts["precision"] == "bf16"


LOGITS = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.floats(-1000, 1000, width=32))


@given(LOGITS)
@settings(deadline=None)  # the first one imports torch
def test_scores_are_those_of_torch(logits: Float32) -> None:
    import torch

    tensor = torch.from_numpy(logits.copy())
    for scores, expected in (
        (scores_of(logits, "softmax"), tensor.softmax(-1)),
        (scores_of(logits, "sigmoid"), tensor.sigmoid()),
    ):
        assert scores.dtype == np.float32
        assert np.allclose(scores, expected.numpy(), rtol=1e-5, atol=1e-7)
        assert ((scores >= 0) & (scores <= 1)).all()


def test_outputs_that_are_no_numbers_stay_so() -> None:
    for value in (np.nan, np.inf):
        logits = np.array([[value, value, 0], [1, 2, 3]], np.float32)
        assert not np.isfinite(scores_of(logits, "softmax")[0]).all()
        assert np.isfinite(scores_of(logits, "softmax")[1]).all()
    assert not np.isfinite(scores_of(np.array([[np.nan]], np.float32), "sigmoid")).any()


def test_batches_are_filled_up_with_their_last_row() -> None:
    assert filled_up(WINDOWS, 4) is WINDOWS
    filled = filled_up(WINDOWS[:2], 4)
    assert np.array_equal(filled, WINDOWS[[0, 1, 1, 1]])


class TestRing:
    def test_a_slot_is_used_again_only_when_its_batch_is_done(self) -> None:
        log: list[str] = []
        ring = Ring(["a", "b"])

        def submit(number: int) -> Ticket:
            def start(slot: str) -> Pending:
                log.append(f"start {number} in {slot}")

                def finish() -> Float32:
                    log.append(f"finish {number}")
                    return np.full((1, 1), number, np.float32)

                return finish

            return ring.submit(start)

        tickets = [submit(number) for number in range(4)]
        assert log == ["start 0 in a", "start 1 in b", "finish 0", "start 2 in a", "finish 1", "start 3 in b"]
        assert [ticket().item() for ticket in tickets] == [0, 1, 2, 3]
        assert log.count("finish 0") == 1
        ring.settle()
        assert log[-2:] == ["finish 2", "finish 3"]

    def test_a_batch_that_failed_says_so_to_its_owner_alone(self) -> None:
        ring = Ring(["a"])

        def fail() -> Float32:
            raise ValueError("broken")

        bad = ring.submit(lambda _: fail)
        good = ring.submit(lambda _: lambda: np.ones((1, 1), np.float32))
        assert good() == 1
        for _ in range(2):
            with pytest.raises(ValueError, match="broken"):
                bad()

    def test_a_batch_that_cannot_be_started_leaves_its_slot_free(self) -> None:
        ring = Ring(["a", "b"])

        def refuse(_: str) -> Pending:
            raise MemoryError

        with pytest.raises(MemoryError):
            ring.submit(refuse)
        used: list[str] = []
        for _ in range(2):
            ring.submit(lambda slot: used.append(slot) or (lambda: np.zeros((1, 1), np.float32)))
        assert used == ["a", "b"]


@pytest.mark.parametrize(
    ("has", "own_choice", "asked", "found"),
    [
        ("FP32 BF16", "bf16", "auto", "bf16"),
        ("FP32 BF16", "f32", "auto", "fp32"),  # bf16 is emulated
        ("FP32", "f32", "auto", "fp32"),
        ("FP32 BF16", "f32", "bf16", "bf16"),
        ("FP32 BF16", "bf16", "fp32", "fp32"),
        ("FP32 BF16", "bf16", "fp16", "fp32"),
        ("FP32 FP16", "f32", "fp16", "fp16"),
    ],
)
def test_openvino_uses_what_the_cpu_has(
    monkeypatch: pytest.MonkeyPatch, has: str, own_choice: str, asked: Asked, found: Precision
) -> None:
    import openvino

    class Core:
        def get_property(self, device: str, name: str) -> object:
            assert device == "CPU"
            answers = {"OPTIMIZATION_CAPABILITIES": has.split()}
            return {**answers, "INFERENCE_PRECISION_HINT": getattr(openvino.Type, own_choice)}[name]

    monkeypatch.setattr(openvino, "Core", Core)
    precision, note = transformers_openvino.precision_here(asked)
    assert precision == found
    assert note == ("" if asked in ("auto", found) else f"this CPU has no {asked}")
