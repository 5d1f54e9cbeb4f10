"""Which backend runs a model on a device, and how it is made."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from badc_assets.detectors.protocol import Device
from badc_assets.detectors.transformers import onnx as transformers_onnx
from badc_assets.detectors.transformers import openvino as transformers_openvino
from badc_assets.detectors.transformers.backend import CPU_BATCH, Backend, Precision
from badc_assets.detectors.transformers.cuda import CudaBackend, measured_batch
from badc_assets.detectors.transformers.export import Export, exported
from badc_assets.detectors.transformers.features import Features
from badc_assets.detectors.transformers.gpu import Gpu, TorchGpu
from badc_assets.detectors.transformers.model import Model
from badc_assets.detectors.transformers.precision import GuardedBackend
from badc_assets.detectors.transformers.settings import TransformersSettings
from badc_assets.detectors.transformers.torch import Program, TorchBackend, try_out
from badc_assets.errors import BadcError

logger = logging.getLogger(__name__)

_CHECKED_AT_ONCE = 16
"""Windows at once for the check of a GPU's precision: fp32 takes twice the memory."""

_MODULES = {"openvino": "openvino", "onnx": "onnxruntime"}
"""The runtimes for exported models, best first."""


def open_backend(
    model: Model, features: Features, settings: TransformersSettings, device: Device, samples: int
) -> GuardedBackend:
    """Load the model for windows of `samples` on the device. Raises BadcError when nothing that may be used can run it."""
    opener = _Opener(model, features, settings, device, samples)
    asked = settings.backend
    if device.kind == "cuda":
        if asked not in ("auto", "torch"):
            raise BadcError("transformers", f"backend {asked} runs on a CPU only", "set `backend` to auto")
        return opener.cuda(TorchGpu())
    if asked in _MODULES:
        if find_spec(_MODULES[asked]) is None:
            raise BadcError("transformers", f"backend {asked} is not installed", "install badc-assets[cpu]")
        return opener.runtime(asked, opener.export())
    return opener.best() if asked == "auto" else opener.torch()


@dataclass(frozen=True)
class _Opener:
    """All that it takes to make a backend."""

    model: Model
    features: Features
    settings: TransformersSettings
    device: Device
    samples: int

    def best(self) -> GuardedBackend:
        """The first of the installed runtimes that can run the model, or torch."""
        usable = [name for name, module in _MODULES.items() if find_spec(module) is not None]
        # Whatever is wrong with the model itself will be wrong in torch too, and is said there.
        try:
            if usable:
                export = self.export()
                for name in usable:
                    try:
                        return self.runtime(name, export)
                    except BadcError as error:
                        logger.warning("the model does not run in %s, since %s", name, error)
        except BadcError as error:
            logger.warning("the model runs in torch, since %s", error)
        return self.torch()

    def export(self) -> Export:
        return exported(self.model, self.features, self.settings.batch or CPU_BATCH, self.samples)

    def runtime(self, name: str, export: Export) -> GuardedBackend:
        def make(precision: Precision) -> Backend:
            if name == "onnx":
                return transformers_onnx.OnnxBackend(self.model, self.features, export, self.device)
            return transformers_openvino.OpenVinoBackend(self.model, self.features, export, precision, self.device)

        module = transformers_onnx if name == "onnx" else transformers_openvino
        precision, note = module.precision_here(self.settings.precision)
        return self._guarded(make, lambda: make("fp32"), precision, note)

    def torch(self) -> GuardedBackend:
        def make(precision: Precision) -> Backend:
            return TorchBackend(
                self.model, self.features, precision, self.device, samples=self.samples, batch=self.settings.batch
            )

        precision = "fp32" if self.settings.precision == "auto" else self.settings.precision
        return self._guarded(make, lambda: make("fp32"), precision, "")

    def cuda(self, gpu: Gpu) -> GuardedBackend:
        def make(precision: Precision, most: int | None = None) -> Backend:
            program = Program(self.model, precision, gpu.device)

            def sized(batch: int) -> CudaBackend:
                return CudaBackend(
                    gpu, program, self.features, batch=batch, samples=self.samples, labels=len(self.model.labels)
                )

            batch = self.settings.batch
            if batch is None and most is None:
                self._fitting(sized, 1)
                batch = measured_batch(gpu, self.model, precision, self.samples, sized)
            return self._fitting(sized, min(size for size in (batch, most) if size is not None))

        precision, note = gpu.precision_here(self.settings.precision)
        return self._guarded(make, lambda: make("fp32", _CHECKED_AT_ONCE), precision, note)

    def _fitting(self, sized: Callable[[int], CudaBackend], batch: int) -> CudaBackend:
        """A backend for `batch` windows, tried out, or for fewer where there is no room for them."""
        while batch:
            backend = self._tried(sized, batch)
            if backend is not None:
                return backend
            batch //= 2
        raise BadcError(self.model.folder, "the GPU has no room for it", "free the GPU, or run on the CPU")

    def _tried(self, sized: Callable[[int], CudaBackend], batch: int) -> CudaBackend | None:
        """A backend that was tried out, None where there is no room for it. Returning frees what was made of it."""
        import torch

        try:
            backend = sized(batch)
            try_out(self.model, backend, self.samples)
        except torch.OutOfMemoryError:
            return None
        return backend

    def _guarded(
        self,
        make: Callable[[Precision], Backend],
        make_reference: Callable[[], Backend],
        precision: Precision,
        note: str,
    ) -> GuardedBackend:
        return GuardedBackend(make, make_reference, precision, self.settings.max_probability_change, note)
