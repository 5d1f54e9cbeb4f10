"""Any audio classifier of Hugging Face's transformers: wav2vec2, HuBERT, WavLM, SEW-D, AST, Whisper, ...

The model is a folder as `save_pretrained` writes it, or comes from the Hub (`source`). What the folder says of
itself is read without torch (`model`), so that the detector is quick to make. Loaded, it runs in OpenVINO,
ONNX Runtime or torch on a CPU and in torch on a GPU (`choice`), in fp32 or in a precision that was checked
against it (`precision`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from badc_assets.detectors.protocol import DetectorInfo, Device, Float32, Label, Pending
from badc_assets.detectors.transformers.backend import CPU_BATCH, Ticket
from badc_assets.detectors.transformers.choice import open_backend
from badc_assets.detectors.transformers.features import make_features
from badc_assets.detectors.transformers.model import Model, read_model
from badc_assets.detectors.transformers.precision import GuardedBackend, split
from badc_assets.detectors.transformers.settings import TransformersSettings
from badc_assets.detectors.transformers.source import resolve
from badc_assets.errors import BadcError
from badc_assets.files import stable_hash


class TransformersDetector:
    """A window detector with the labels of its model. One label's `code` and `name` are both what the model calls it."""

    def __init__(self, settings: TransformersSettings) -> None:
        """Finds the model and reads its description. Raises BadcError when it is not there or no audio classifier."""
        self._settings = settings
        self._model = read_model(resolve(settings), settings.activation)
        self._info = _describe(settings, self._model)
        self._backend: GuardedBackend | None = None

    @property
    def info(self) -> DetectorInfo:
        return self._info

    @property
    def best_batch(self) -> int:
        return self._backend.batch if self._backend else self._settings.batch or CPU_BATCH

    @property
    def depth(self) -> int:
        return self._backend.depth if self._backend else 1

    @property
    def runtime(self) -> Mapping[str, str]:
        """What the model runs on by now: a precision that fails its check is replaced while it works. Empty before `load`."""
        if self._backend is None:
            return {}
        return {**self._backend.facts, "model": self._model.reference, "revision": self._model.revision}

    def load(self, device: Device) -> Mapping[str, str]:
        """Load the model; returns `runtime`. Raises BadcError when it cannot be loaded or run."""
        self.close()
        self._backend = open_backend(self._model, make_features(self._model), self._settings, device, self._samples)
        return self.runtime

    def score(self, windows: Float32) -> Float32:
        """Scores in 0..1, float32 of shape (batch, labels), for float32 windows of shape (batch, samples)."""
        return self.submit(windows)()

    def submit(self, windows: Float32) -> Pending:
        """Start on a batch of any size; see `score`. Raises RuntimeError before `load`, ValueError for other shapes."""
        if self._backend is None:
            raise RuntimeError("the detector was not loaded")
        if windows.ndim != 2 or windows.shape[1] != self._samples:
            raise ValueError(f"windows have the shape {windows.shape}, not (batch, {self._samples})")
        windows = np.ascontiguousarray(windows, np.float32)
        parts = [self._backend.submit(part) for part in split(windows, self._backend.batch)]
        if len(parts) == 1:
            return parts[0]
        nothing = np.zeros((0, len(self._model.labels)), np.float32)
        return Ticket(lambda: np.concatenate([nothing, *(part() for part in parts)]))

    def close(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    @property
    def _samples(self) -> int:
        return self._info.window_ms * self._model.sample_rate_hz // 1000


def _describe(settings: TransformersSettings, model: Model) -> DetectorInfo:
    window_ms = model.window_ms if settings.window_s is None else round(settings.window_s * 1000)
    hop_ms = window_ms if settings.hop_s is None else round(settings.hop_s * 1000)
    if model.longest_ms is not None and window_ms > model.longest_ms:
        limit = f"it takes windows of at most {model.longest_ms / 1000:g} s, not {window_ms / 1000:g} s"
        raise BadcError(model.reference, limit, "lower window_s")
    if hop_ms > window_ms:
        raise BadcError(model.reference, f"hop_s is longer than its windows of {window_ms / 1000:g} s", "lower hop_s")
    # Batch and backend change nothing beyond what `precision` and `max_probability_change` allow.
    meaning = [
        model.config_hash, model.activation, settings.precision, settings.max_probability_change,
        window_ms, hop_ms, settings.tail,
    ]  # fmt: skip
    return DetectorInfo(
        name="transformers",
        # Detections carry the version: it tells models apart whose settings are the same.
        version=f"1.{model.weights_sha256[:8]}",
        kind="window",
        labels=tuple(Label(label, label) for label in model.labels),
        settings_hash=stable_hash(meaning),
        sample_rate_hz=model.sample_rate_hz,
        window_ms=window_ms,
        hop_ms=hop_ms,
        tail=settings.tail,
        weights_sha256=model.weights_sha256,
        uses_gpu=True,
    )
