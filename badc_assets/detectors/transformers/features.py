"""From samples to what a model takes in: the same numbers as transformers' extractors, a batch at a time.

The two that nearly all models use are worked out here, in numpy on a CPU and in torch on a GPU by the same lines.
All others go through transformers itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from badc_assets.detectors.protocol import Float32
from badc_assets.detectors.transformers.model import FBANK_HOP, Model
from badc_assets.errors import BadcError

Inputs = Mapping[str, Any]
"""The model's inputs by name: numpy arrays or tensors, one row per window."""

_FRAME, _FFT = 400, 512
_PREEMPHASIS = 0.97
_LOWEST_HZ = 20
_POWER_FLOOR = float(np.finfo(np.float32).eps)
_WINDOWS_AT_ONCE = 16
"""On a GPU: frames overlap and are in double precision, about 20 MB for 10 s."""


class Features(Protocol):
    @property
    def takes_tensors(self) -> bool:
        """It also works on a tensor, on the tensor's device."""
        ...

    def __call__(self, windows: Any) -> Inputs:
        """Inputs for windows of shape (batch, samples), float32: a numpy array, or a tensor."""
        ...


def make_features(model: Model) -> Features:
    """The extractor of a model. Raises BadcError when transformers cannot make it."""
    extractor = model.extractor
    if model.extractor_type == "Wav2Vec2FeatureExtractor" and extractor.get("feature_size", 1) == 1:
        return Normalised(bool(extractor.get("do_normalize", True)))
    if model.extractor_type == "ASTFeatureExtractor":
        return FilterBank(extractor, model.sample_rate_hz)
    return Extracted(model)


class Normalised:
    """Wav2Vec2FeatureExtractor: each window with mean 0 and variance 1."""

    takes_tensors = True

    def __init__(self, is_active: bool) -> None:
        self._is_active = is_active

    def __call__(self, windows: Any) -> Inputs:
        if not self._is_active:
            return {"input_values": windows}
        centred = windows - windows.mean(-1, keepdims=True)
        variance = (centred * centred).mean(-1, keepdims=True)
        return {"input_values": centred / (variance + 1e-7) ** 0.5}


class FilterBank:
    """ASTFeatureExtractor: logarithms of mel bands, one frame per 10 ms at 16 kHz, in double precision like the original."""

    takes_tensors = True

    def __init__(self, extractor: Mapping[str, Any], sample_rate_hz: int) -> None:
        self._frames = int(extractor.get("max_length", 1024))
        self._mel = kaldi_mel_filters(int(extractor.get("num_mel_bins", 128)), sample_rate_hz)
        self._taper = np.hanning(_FRAME)
        self._on_device: dict[Any, Any] = {}
        is_scaled = bool(extractor.get("do_normalize", True))
        self._mean = float(extractor.get("mean", -4.2677393)) if is_scaled else 0.0
        self._scale = 2 * float(extractor.get("std", 4.5689974)) if is_scaled else 1.0

    def __call__(self, windows: Any) -> Inputs:
        if isinstance(windows, np.ndarray):
            # One window at a time stays in the processor's cache.
            rows = [self._scaled(self._log_mel(row, np, self._taper, self._mel), np) for row in windows]
            return {"input_values": np.stack(rows).astype(np.float32)}
        import torch

        if windows.device not in self._on_device:
            # Once: each copy from the host would wait for all that the device has to do.
            self._on_device[windows.device] = tuple(
                torch.as_tensor(table, device=windows.device) for table in (self._taper, self._mel)
            )
        taper, mel = self._on_device[windows.device]
        parts = [
            self._scaled(self._log_mel(part, torch, taper, mel), torch) for part in windows.split(_WINDOWS_AT_ONCE)
        ]
        return {"input_values": torch.concatenate(parts).float()}

    def _log_mel(self, sound: Any, xp: ModuleType, taper: Any, mel: Any) -> Any:
        """Sound of shape (..., samples) to levels of shape (..., frames, bands)."""
        # The original takes the mean from each frame, then the pre-emphasis, then tapers it. The taper is 0 at the first
        # sample of a frame, so the emphasis may as well be worked out once for all frames, and be rid of the mean later.
        exact = xp.zeros_like(sound, dtype=xp.float64)
        exact += sound
        bright = xp.zeros_like(exact)
        bright[..., 1:] = exact[..., 1:] - _PREEMPHASIS * exact[..., :-1]
        mean = _framed(exact).mean(-1, keepdims=True)
        spectrum = xp.fft.rfft((_framed(bright) - (1 - _PREEMPHASIS) * mean) * taper, _FFT)
        power = spectrum.real**2 + spectrum.imag**2
        return xp.log(xp.clip(power @ mel, _POWER_FLOOR, None))

    def _scaled(self, levels: Any, xp: ModuleType) -> Any:
        """Exactly as many frames as the model takes; missing ones are 0 before scaling."""
        levels = levels[..., : self._frames, :]
        missing = self._frames - levels.shape[-2]
        if missing:
            shape = (*levels.shape[:-2], missing, levels.shape[-1])
            silence = np.zeros(shape) if xp is np else levels.new_zeros(shape)
            levels = xp.concatenate([levels, silence], -2)
        return (levels - self._mean) / self._scale


class Extracted:
    """Any other extractor, by transformers."""

    takes_tensors = False

    def __init__(self, model: Model) -> None:
        self._rate_hz = model.sample_rate_hz
        try:
            from transformers import AutoFeatureExtractor

            self._extractor: Any = AutoFeatureExtractor.from_pretrained(model.folder, local_files_only=True)
        except (ImportError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            name = model.extractor_type or "feature extractor"
            is_missing = isinstance(error, ImportError)
            remedy = "install what is missing into the environment" if is_missing else "choose another model"
            raise BadcError(model.folder, f"its {name} cannot be made ({brief(error)})", remedy) from error

    def __call__(self, windows: Any) -> Inputs:
        rows: Sequence[Float32] = list(windows)
        found = self._extractor(rows, sampling_rate=self._rate_hz, return_tensors="np")
        return {name: np.ascontiguousarray(value) for name, value in found.items()}


def _framed(sound: Any) -> Any:
    """A view of overlapping frames, shape (..., frames, samples)."""
    if isinstance(sound, np.ndarray):
        return np.lib.stride_tricks.sliding_window_view(sound, _FRAME, axis=-1)[..., ::FBANK_HOP, :]
    return sound.unfold(-1, _FRAME, FBANK_HOP)


def kaldi_mel_filters(bands: int, sample_rate_hz: int) -> NDArray[np.float64]:
    """Triangles of equal width in mel from 20 Hz to half the rate, shape (257, bands)."""

    def mel(hz: Any) -> Any:
        return 1127 * np.log(1 + hz / 700)

    edges = np.linspace(mel(_LOWEST_HZ), mel(sample_rate_hz // 2), bands + 2)
    bins = mel(np.arange(_FFT // 2 + 1) * (sample_rate_hz / _FFT))[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def brief(error: BaseException) -> str:
    """The first line that an error says, at most 160 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:160]
