"""BADC's estimate of the memory that a chunk needs: a rule of thumb from the size of its samples, for no detector."""

from __future__ import annotations

from badc_assets.audio.probe import SoundFormat

STRATEGY = "memory_estimator_v1"
SHARE_OF_GPU = 0.8
WITHOUT_GPU_MB = 4096.0
"""The limit where no GPU is seen."""

_SAMPLE_BYTES = {"PCM_U8": 1, "PCM_S8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2, "PCM_24": 3, "DOUBLE": 8}
_COPIES, _OVERHEAD = 4, 1.35


def estimated_mb(sound: SoundFormat, duration_s: float) -> float:
    """MiB for a chunk of this length: four times its samples as they are in the file, and 35 % more."""
    sample_bytes = _SAMPLE_BYTES.get(sound.sample_format, 4)
    return sound.sample_rate_hz * sound.channels * sample_bytes * _COPIES * _OVERHEAD * duration_s / (1 << 20)


def memory_limit_mb(gpu_memory_mb: int | None) -> float:
    """What a chunk may take: 80 % of the GPU's memory, 4 GiB where there is no GPU or it does not tell."""
    return SHARE_OF_GPU * gpu_memory_mb if gpu_memory_mb else WITHOUT_GPU_MB
