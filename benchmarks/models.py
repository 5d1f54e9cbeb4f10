"""Models with random weights and the geometry of real ones: what they cost is real, what they say means nothing."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from badc_assets.detectors.protocol import DetectorInfo, Device, Float32, Label

WINDOW_S = 5


def saved_model(folder: Path, kind: str) -> Path:
    """`wav2vec2` (base, 95 M parameters), `sewd` (tiny, 25 M) or `ast` (base, 86 M); a folder that is there is taken as it is."""
    target = folder / kind
    if (target / "config.json").is_file():
        return target
    import torch
    import transformers as t

    torch.manual_seed(1)
    labels = {number: f"species {number}" for number in range(50)}
    shared = {"id2label": labels, "label2id": {name: number for number, name in labels.items()}}
    if kind == "wav2vec2":
        model = t.Wav2Vec2ForSequenceClassification(t.Wav2Vec2Config(**shared))
    elif kind == "sewd":
        config = t.SEWDConfig(hidden_size=384, num_hidden_layers=12, num_attention_heads=6, intermediate_size=1536)
        config.id2label, config.label2id = shared["id2label"], shared["label2id"]
        model = t.SEWDForSequenceClassification(config)
    else:
        model = t.ASTForAudioClassification(t.ASTConfig(**shared))
    extractor = t.ASTFeatureExtractor() if kind == "ast" else t.Wav2Vec2FeatureExtractor(do_normalize=True)
    model.eval().save_pretrained(target.with_name(f"{kind}-unfinished"))
    extractor.save_pretrained(target.with_name(f"{kind}-unfinished"))
    target.with_name(f"{kind}-unfinished").rename(target)
    return target


class MelCnn:
    """A light CNN on a mel spectrogram (192 bands, 3 s at 32 kHz), in torch: about a fifth of the work is the spectrogram."""

    info = DetectorInfo(
        "mel-cnn", "1", "window", tuple(Label(f"s{n}", f"species {n}") for n in range(50)), "s",
        sample_rate_hz=32_000, window_ms=3_000, hop_ms=3_000, uses_gpu=True,
    )  # fmt: skip
    _device = None

    @property
    def best_batch(self) -> int:
        return 64 if self._device is not None and self._device.type == "cuda" else 4

    def load(self, device: Device) -> dict[str, str]:
        import torch
        from torch import nn

        torch.set_num_threads(device.threads)
        self._device = torch.device("cuda:0" if device.kind == "cuda" else "cpu")
        torch.manual_seed(1)
        self._window = torch.hann_window(2048, device=self._device)
        self._mel = (torch.rand(1025, 192) / 1025).to(self._device)
        widths = [1, 32, 64, 128, 256]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.SiLU()]
        self._net = (
            nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 50)).eval().to(self._device)
        )
        return {"backend": "torch", "precision": "fp32"}

    def score(self, windows: Float32) -> Float32:
        import torch

        with torch.inference_mode():
            sound = torch.from_numpy(np.ascontiguousarray(windows)).to(self._device)
            power = torch.stft(sound, 2048, 250, window=self._window, return_complex=True).abs().square()
            image = torch.log(power.transpose(1, 2) @ self._mel + 1e-6)[:, None]
            return torch.sigmoid(self._net(image)).cpu().numpy()
