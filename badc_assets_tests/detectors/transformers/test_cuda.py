"""What happens on a GPU, in which order: with a stand-in whose copies and sums are done only when they have to be.

`LazyGpu` keeps back the work of its streams as a GPU does. What is read or overwritten too early is then wrong here too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from badc_assets.detectors.protocol import Device, Float32
from badc_assets.detectors.transformers.backend import Precision
from badc_assets.detectors.transformers.batch import Trial, find_batch, remembered_batch
from badc_assets.detectors.transformers.cuda import CudaBackend, rows_for
from badc_assets.detectors.transformers.detector import TransformersDetector
from badc_assets.detectors.transformers.features import Features, Normalised
from badc_assets.detectors.transformers.settings import TransformersSettings
from badc_assets.detectors.weights import cache_folder
from badc_assets.errors import BadcError
from badc_assets_tests.detectors.transformers.models import save_model


class Stream:
    """Work in order; each piece is done when an event after it is waited for."""

    def __init__(self) -> None:
        self.todo: list[Callable[[], object]] = []

    def work_off(self, count: int) -> None:
        while count and self.todo:
            self.todo.pop(0)()
            count -= 1


class Mark:
    def __init__(self, stream: Stream, log: list[str]) -> None:
        self.stream, self.log, self.done = stream, log, False
        stream.todo.append(lambda: setattr(self, "done", True))

    def synchronize(self) -> None:
        self.log.append("synchronize")
        while not self.done:
            self.stream.work_off(1)


class LazyGpu:
    """A GPU made of two streams and the host's memory. Copies between the sides are kept back until they are waited for."""

    device = "cpu"
    name = "a GPU that is none"

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, room: int = 10**9) -> None:
        import torch

        self.log: list[str] = []
        self.room = room
        self.copies, self.work = Stream(), Stream()
        self._current: Stream | None = None
        original = torch.Tensor.copy_

        def copy(target: Any, source: Any, non_blocking: bool = False) -> Any:
            stream = self._current
            if stream is None or not non_blocking:
                return original(target, source)

            def later() -> None:
                with torch.inference_mode():
                    original(target, source)

            stream.todo.append(later)
            return target

        monkeypatch.setattr(torch.Tensor, "copy_", copy)

    def precision_here(self, asked: str) -> tuple[Precision, str]:
        return ("bf16" if asked == "auto" else asked), ""  # pyright: ignore[reportReturnType]

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> Any:
        import torch

        return torch.full(shape, -1, dtype=dtype)

    @contextmanager
    def _on(self, stream: Stream) -> Iterator[None]:
        self._current, before = stream, self._current
        yield
        self._current = before

    def copying(self) -> Any:
        return self._on(self.copies)

    def computing(self) -> Any:
        return self._on(self.work)

    def mark(self) -> Mark:
        assert self._current is not None
        return Mark(self._current, self.log)

    def wait_for(self, event: Any) -> None:
        # Sums are done at once here, so that what they wait for has to be done by now; nothing else has.
        self.log.append("wait")
        while not event.done:
            event.stream.work_off(1)

    def finish(self) -> None:
        self.log.append("finish")
        for stream in (self.copies, self.work):
            stream.work_off(len(stream.todo))

    def release_memory(self) -> None:
        self.log.append("release")

    def peak_memory_share(self) -> float:
        return 0.1


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> LazyGpu:
    return LazyGpu(monkeypatch)


class Doubled:
    """Features that only work on the host, under another name."""

    takes_tensors = False

    def __call__(self, windows: Any) -> Any:
        return {"doubled": windows * 2, "lengths": np.full(len(windows), windows.shape[1], np.int32)}


def backend_of(gpu: LazyGpu, features: Features, batch: int = 4) -> tuple[CudaBackend, list[int]]:
    """Scores are the first two samples as they arrived; also the number of rows of each run."""
    rows: list[int] = []

    def program(inputs: Any) -> Any:
        import torch

        name = "doubled" if "doubled" in inputs else "input_values"
        rows.append(len(inputs[name]))
        if len(inputs[name]) > gpu.room:
            raise torch.OutOfMemoryError("no room")
        if name == "doubled":
            assert inputs["lengths"].dtype == torch.int32 and (inputs["lengths"] == 6).all()
        return inputs[name][:, :2].clone()

    return CudaBackend(gpu, program, features, batch=batch, samples=6, labels=2), rows


def batches(*sizes: int) -> list[Float32]:
    random = np.random.default_rng(0)
    return [random.random((size, 6), np.float32) for size in sizes]


@pytest.mark.parametrize("features", [Normalised(False), Doubled()])
def test_batches_in_flight_do_not_disturb_each_other(gpu: LazyGpu, features: Features) -> None:
    backend, rows = backend_of(gpu, features)
    factor = 2 if isinstance(features, Doubled) else 1
    sent = batches(4, 3, 1, 2, 4, 4, 1)
    # More than there are lanes, and the results asked for only at the end.
    pending = [backend.submit(windows) for windows in sent]
    for windows, scores in zip(sent, pending, strict=True):
        assert np.array_equal(scores(), factor * windows[:, :2])
    assert rows == [4, 4, 1, 2, 4, 4, 1]


def test_nothing_waits_until_the_scores_are_asked_for(gpu: LazyGpu) -> None:
    backend, _ = backend_of(gpu, Normalised(False))
    gpu.log.clear()
    pending = [backend.submit(windows) for windows in batches(4, 4, 4)]
    assert backend.depth == 3
    assert gpu.log == ["wait"] * 3
    first = pending[0]()
    assert gpu.log == ["wait"] * 3 + ["synchronize"]
    kept = first.copy()
    backend.submit(batches(4)[0] + 1)()
    assert np.array_equal(first, kept)


def test_features_are_worked_out_on_the_device(gpu: LazyGpu) -> None:
    backend, _ = backend_of(gpu, Normalised(True))
    (windows,) = batches(4)
    expected = Normalised(True)(windows)["input_values"][:, :2]
    assert np.allclose(backend.submit(windows)(), expected, atol=2e-6)


def test_without_room_the_caller_hears_of_it_and_halves_work(gpu: LazyGpu) -> None:
    import torch

    backend, rows = backend_of(gpu, Normalised(False))
    gpu.room = 2
    (windows,) = batches(4)
    before = backend.submit(windows[:2])
    gpu.log.clear()
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        backend.submit(windows)
    assert gpu.log == ["wait", "finish", "release"]
    halves = [before, backend.submit(windows[2:])]
    assert np.array_equal(np.concatenate([half() for half in halves]), windows[:, :2])
    assert rows == [2, 4, 2]


def test_closing_ends_what_is_under_way(gpu: LazyGpu) -> None:
    backend, _ = backend_of(gpu, Normalised(False))
    (windows,) = batches(3)
    pending = backend.submit(windows)
    backend.close()
    assert gpu.log[-2:] == ["finish", "release"]
    assert np.array_equal(pending(), windows[:, :2])


@pytest.mark.parametrize(("windows", "rows"), [(1, 1), (2, 2), (3, 4), (5, 8), (8, 8), (9, 12), (12, 12)])
def test_few_numbers_of_rows_are_used(windows: int, rows: int) -> None:
    assert rows_for(windows, 12) == rows


class TestBatchSize:
    @staticmethod
    def device(speed: Callable[[int], float], room: int) -> tuple[Callable[[int], Trial | None], list[int]]:
        tried: list[int] = []

        def attempt(batch: int) -> Trial | None:
            tried.append(batch)
            return Trial(speed(batch), batch / room) if batch <= room else None

        return attempt, tried

    def test_it_doubles_while_that_helps(self) -> None:
        attempt, tried = self.device(lambda batch: batch / (batch + 30), 10**6)
        assert (find_batch(attempt), tried) == (512, [16, 32, 64, 128, 256, 512, 1024])
        attempt, tried = self.device(lambda _: 1.0, 10**6)
        assert (find_batch(attempt), tried) == (16, [16, 32])
        attempt, _ = self.device(float, 10**6)
        assert find_batch(attempt) == 1024

    @pytest.mark.parametrize(("room", "batch"), [(1000, 256), (100, 32), (20, 8), (3, 1), (1, 1)])
    def test_it_leaves_half_of_the_memory(self, room: int, batch: int) -> None:
        attempt, _ = self.device(float, room)
        assert find_batch(attempt) == batch

    def test_it_is_remembered(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        found: list[int] = []

        def find() -> int:
            found.append(32)
            return 32

        assert [remembered_batch(key, find) for key in ("a", "a", "b", "a")] == [32] * 4
        assert len(found) == 2
        store = cache_folder() / "batches.json"
        for content in ("{", "[]", '{"a": 0, "b": "x"}'):
            store.write_text(content)
            assert remembered_batch("a", find) == 32
        assert json.loads(store.read_text()) == {"a": 32}

    def test_a_cache_that_cannot_be_written_is_no_obstacle(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "cache").write_text("in the way")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        assert remembered_batch("a", lambda: 64) == 64


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "wav2vec2", "wav2vec2")


class TestWholeModel:
    """The whole way to a detector on a GPU, on the stand-in."""

    @pytest.fixture(autouse=True)
    def _setting(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: LazyGpu) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setattr("badc_assets.detectors.transformers.choice.TorchGpu", lambda: gpu)

    @staticmethod
    def loaded(model: Path, device: Device, **settings: Any) -> TransformersDetector:
        values = {"model": str(model), "window_s": 0.2, "max_probability_change": 0.3, **settings}
        detector = TransformersDetector(TransformersSettings.model_validate(values))
        detector.load(device)
        return detector

    def test_scores_are_those_of_the_cpu(self, model: Path) -> None:
        detector = self.loaded(model, Device("cuda"), batch=4, precision="fp32")
        windows = np.random.default_rng(0).standard_normal((10, 3200)).astype(np.float32)
        expected = self.loaded(model, Device(), backend="torch", precision="fp32").score(windows)
        assert np.abs(detector.score(windows) - expected).max() <= 2e-6
        assert {
            "backend": "torch",
            "device": "cpu, a GPU that is none",
            "batch": "4",
        }.items() <= detector.runtime.items()

    def test_the_batch_is_measured_and_the_precision_checked(self, model: Path) -> None:
        detector = self.loaded(model, Device("cuda"))
        assert detector.best_batch >= 16
        assert detector.depth == 3
        assert detector.runtime["precision_check"] == "not done yet"
        windows = np.random.default_rng(0).standard_normal((17, 3200)).astype(np.float32)
        detector.score(windows)
        assert detector.runtime["precision"] == "bf16"
        assert list(json.loads((cache_folder() / "batches.json").read_text()).values()) == [detector.best_batch]

    def test_a_batch_without_room_is_made_smaller(self, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        limit_memory(monkeypatch, 3)
        assert self.loaded(model, Device("cuda"), batch=16, precision="fp32").best_batch == 2
        assert self.loaded(model, Device("cuda"), precision="fp32").best_batch == 2
        limit_memory(monkeypatch, 0)
        with pytest.raises(BadcError, match="has no room"):
            self.loaded(model, Device("cuda"), batch=16)


def limit_memory(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    from badc_assets.detectors.transformers.torch import Program

    original = Program.logits

    def limited(self: Program, inputs: Any) -> Any:
        import torch

        if any(len(value) > rows for value in inputs.values()):
            raise torch.OutOfMemoryError("no room")
        return original(self, inputs)

    monkeypatch.setattr(Program, "logits", limited)
