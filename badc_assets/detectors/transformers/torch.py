"""Models in torch: loading them, running them, and the backend on the CPU."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from badc_assets.detectors.protocol import Device, Float32, Pending
from badc_assets.detectors.transformers.backend import CPU_BATCH, Backend, Precision, Ticket, scores_of, versions_of
from badc_assets.detectors.transformers.features import Features, brief
from badc_assets.detectors.transformers.model import Activation, Model
from badc_assets.errors import BadcError

if TYPE_CHECKING:
    import torch

_UNUSED_WEIGHTS = "masked_spec_embed"
"""Stands for masked sound in training; many models come without it."""


def load_network(model: Model, *, dtype: torch.dtype | None = None, attention: str | None = None) -> Any:
    """The network, ready for inference, on the CPU. `attention` None: the fastest it has.

    Raises BadcError when the folder does not hold a whole classifier that this version of transformers knows.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForAudioClassification
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        network, report = AutoModelForAudioClassification.from_pretrained(
            model.folder,
            local_files_only=True,
            trust_remote_code=False,
            dtype=dtype or torch.float32,
            attn_implementation=attention,
            output_loading_info=True,
        )
    except torch.OutOfMemoryError:
        raise
    except (
        OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError, EOFError,
        SafetensorError, pickle.UnpicklingError,
    ) as error:  # fmt: skip
        raise BadcError(
            model.folder, f"cannot be loaded ({brief(error)})", "copy it again, or choose another model"
        ) from error
    missing = sorted(name for name in report["missing_keys"] if not name.endswith(_UNUSED_WEIGHTS))
    if missing:
        # transformers fills them with random numbers.
        problem = (
            f"has no weights for {missing[0]} and {len(missing) - 1} more" if missing[1:] else f"has no {missing[0]}"
        )
        raise BadcError(model.folder, problem, "choose a model that was trained for classification")
    return network.eval()


class Program:
    """A network with its softmax or sigmoid: inputs as tensors to scores, float32 (batch, labels), on any device."""

    def __init__(self, model: Model, precision: Precision, device: str = "cpu") -> None:
        import torch

        # bf16 has the range of fp32, so that weights can be bf16; fp16 has not, and needs sums in fp32.
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._autocast = precision == "fp16"
        self._device_type = device.partition(":")[0]
        self._activation: Activation = model.activation
        self._network = load_network(model, dtype=self._dtype).to(device)

    def __call__(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return self.activated(self.logits(inputs))

    def logits(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        import torch

        typed = {name: value.to(self._dtype) if value.is_floating_point() else value for name, value in inputs.items()}
        with torch.inference_mode(), torch.autocast(self._device_type, torch.float16, enabled=self._autocast):
            return self._network(**typed).logits.float()

    def activated(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.sigmoid() if self._activation == "sigmoid" else logits.softmax(-1)


class TorchBackend:
    """Torch on the CPU."""

    depth = 1

    def __init__(
        self, model: Model, features: Features, precision: Precision, device: Device, *, samples: int, batch: int | None
    ) -> None:
        import torch

        torch.set_num_threads(device.threads)
        self.batch = batch or CPU_BATCH
        self._features = features
        self._activation: Activation = model.activation
        self._program = Program(model, precision)
        self.facts = {
            "backend": "torch",
            "device": "cpu",
            "threads": str(device.threads),
            "batch": str(self.batch),
            **versions_of("torch", "transformers"),
        }
        try_out(model, self, samples)

    def submit(self, windows: Float32) -> Pending:
        import torch

        inputs = {name: torch.from_numpy(value) for name, value in self._features(windows).items()}
        scores = scores_of(self._program.logits(inputs).numpy(), self._activation)
        return Ticket(lambda: scores)

    def close(self) -> None:
        """Nothing outlives it."""


def try_out(model: Model, backend: Backend, samples: int) -> None:
    """Let a backend score some noise: what can go wrong does so now. Raises BadcError when the model cannot be run."""
    import torch

    noise = (0.1 * np.random.default_rng(0).standard_normal((backend.batch, samples))).astype(np.float32)
    try:
        scores = backend.submit(noise)()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        problem = f"cannot be run on windows of {samples} samples ({brief(error)})"
        raise BadcError(model.folder, problem, "try another window_s, or choose another model") from error
    require_sound_scores(model, scores)


def require_sound_scores(model: Model, scores: Float32) -> None:
    """Raises BadcError unless these are scores of some windows of noise."""
    if scores.ndim != 2 or scores.shape[1] != len(model.labels):
        problem = f"gives {scores.shape[-1]} scores for {len(model.labels)} labels"
        raise BadcError(model.folder, problem, "correct id2label in config.json")
    if not np.isfinite(scores).all():
        raise BadcError(model.folder, "gives scores that are no numbers, even for noise", "choose another model")
