"""Models on a GPU: sound is copied there while the batch before it is worked on, and scores come back by themselves.

A batch goes into the pinned memory of a free lane, from there over the copy stream, and through the compute stream, which
also sends the scores back. Nothing waits until somebody asks for the scores. torch's streams, events and memory are behind
`Gpu`, so that the order of all this can be tested without a GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badc_assets.detectors.protocol import Float32, Pending
from badc_assets.detectors.transformers.backend import Precision, Ring, versions_of
from badc_assets.detectors.transformers.batch import Trial, find_batch, remembered_batch
from badc_assets.detectors.transformers.features import Features, Inputs
from badc_assets.detectors.transformers.gpu import Gpu
from badc_assets.detectors.transformers.model import Model
from badc_assets.files import stable_hash

if TYPE_CHECKING:
    import torch

_LANES = 3
_WINDOWS = "windows"
_TRIALS = 3


@dataclass
class _Lane:
    """Memory for one batch on its way: inputs by name on both sides, and scores."""

    host: dict[str, torch.Tensor]
    device: dict[str, torch.Tensor]
    scores: torch.Tensor


class CudaBackend:
    """A program on a GPU. `program` takes inputs there and gives scores there, float32 of shape (batch, labels)."""

    depth = _LANES

    def __init__(
        self,
        gpu: Gpu,
        program: Callable[[Inputs], torch.Tensor],
        features: Features,
        *,
        batch: int,
        samples: int,
        labels: int,
    ) -> None:
        self.batch = batch
        self._gpu = gpu
        self._program = program
        self._features = features
        example = self._inputs(np.zeros((1, samples), np.float32))
        self._ring = Ring([_lane(gpu, example, batch, labels) for _ in range(_LANES)])
        gpu.finish()
        self.facts = {
            "backend": "torch",
            "device": f"{gpu.device}, {gpu.name}",
            "batch": str(batch),
            **versions_of("torch", "transformers"),
        }

    def submit(self, windows: Float32) -> Pending:
        """Raises torch.OutOfMemoryError when there is no room; halves of the batch may still be tried then."""
        import torch

        try:
            return self._ring.submit(lambda lane: self._start(lane, windows))
        except torch.OutOfMemoryError as error:
            message = str(error)
        # Only here, where the error no longer holds what was made for the batch, can its memory be released. A copy from the
        # lane may still be under way, and the lane will be used again.
        self._gpu.finish()
        self._gpu.release_memory()
        raise torch.OutOfMemoryError(message)

    def close(self) -> None:
        self._ring.settle()
        self._gpu.finish()
        self._ring = Ring([])
        self._gpu.release_memory()

    def _inputs(self, windows: Float32) -> Mapping[str, Float32]:
        """What is sent to the device: the sound itself if the features can be worked out there."""
        return {_WINDOWS: windows} if self._features.takes_tensors else self._features(windows)

    def _start(self, lane: _Lane, windows: Float32) -> Callable[[], Float32]:
        import torch

        count, rows = len(windows), rows_for(len(windows), self.batch)
        for name, values in self._inputs(windows).items():
            host = lane.host[name].numpy()
            np.copyto(host[:count], values)
            host[count:rows] = values[-1]
        with torch.inference_mode():
            with self._gpu.copying():
                inputs = {
                    name: lane.device[name][:rows].copy_(host[:rows], non_blocking=True)
                    for name, host in lane.host.items()
                }
                arrived = self._gpu.mark()
            with self._gpu.computing():
                self._gpu.wait_for(arrived)
                scores = self._program(self._features(inputs[_WINDOWS]) if self._features.takes_tensors else inputs)
                lane.scores[:rows].copy_(scores, non_blocking=True)
                done = self._gpu.mark()

        def finish() -> Float32:
            done.synchronize()
            return lane.scores[:count].numpy().copy()

        return finish


def rows_for(windows: int, batch: int) -> int:
    """The number of rows to run for `windows` of them: few shapes, and half a batch needs half the memory."""
    return min(batch, 1 << (windows - 1).bit_length())


def measured_batch(
    gpu: Gpu, model: Model, precision: Precision, samples: int, make: Callable[[int], CudaBackend]
) -> int:
    """The best batch for a model on this kind of GPU, measured with noise unless it was before. `make` takes a batch."""

    def attempt(batch: int) -> Trial | None:
        import torch

        windows = (0.1 * np.random.default_rng(0).standard_normal((batch, samples))).astype(np.float32)
        gpu.release_memory()
        gpu.peak_memory_share()
        try:
            backend = make(batch)
            backend.submit(windows)()
            started = time.perf_counter()
            for pending in [backend.submit(windows) for _ in range(_TRIALS)]:
                pending()
            seconds = time.perf_counter() - started
            backend.close()
        except torch.OutOfMemoryError:
            return None
        return Trial(_TRIALS * batch / max(seconds, 1e-9), gpu.peak_memory_share())

    versions = versions_of("torch", "transformers")
    key = stable_hash([model.weights_sha256, model.config_hash, samples, gpu.name, precision, versions])
    return remembered_batch(key, lambda: find_batch(attempt))


def _lane(gpu: Gpu, example: Mapping[str, Float32], batch: int, labels: int) -> _Lane:
    import torch

    host = {
        name: gpu.pinned((batch, *values.shape[1:]), torch.from_numpy(values).dtype) for name, values in example.items()
    }
    device = {name: torch.empty_like(tensor, device=gpu.device) for name, tensor in host.items()}
    return _Lane(host, device, gpu.pinned((batch, labels), torch.float32))
