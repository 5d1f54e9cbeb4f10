"""The transformers detector keeps the contract, with a small model that is made here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from badc_assets.detectors.transformers.detector import TransformersDetector
from badc_assets.detectors.transformers.settings import TransformersSettings
from badc_assets_tests.detector_contract import WindowDetectorContract


def _small_model(folder: Path, seed: int) -> Path:
    """A wav2vec2 with random weights whose scores tell one sound from another."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

    torch.manual_seed(seed)
    config = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8, 8),
        conv_kernel=(10, 8), conv_stride=(8, 8), num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
        classifier_proj_size=8, initializer_range=0.5, id2label={0: "RUGR", 1: "STGR", 2: "NOISE"},
        label2id={"RUGR": 0, "STGR": 1, "NOISE": 2},
    )  # fmt: skip
    Wav2Vec2ForSequenceClassification(config).eval().save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    return _small_model(folder / "one", 0), _small_model(folder / "two", 1)


@pytest.fixture(autouse=True)
def _one_cache(models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """An exported model serves all tests of this file, and no others."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(models[0].parent / "cache"))


class _Transformers(WindowDetectorContract):
    make = TransformersDetector
    backend = "torch"

    @pytest.fixture
    def settings(self, models: tuple[Path, Path]) -> TransformersSettings:
        pytest.importorskip(self.backend)
        return TransformersSettings.model_validate(
            {"model": str(models[0]), "window_s": 1, "precision": "fp32", "backend": self.backend, "offline": True}
        )

    @pytest.fixture
    def changes(self) -> Mapping[str, object]:
        return {
            "window_s": 0.5,
            "hop_s": 0.5,
            "tail": "pad",
            "activation": "sigmoid",
            "precision": "bf16",
            "max_probability_change": 0.5,
        }

    @pytest.fixture
    def neutral(self, models: tuple[Path, Path]) -> Mapping[str, object]:
        # Which model it is, is told by the hash of its weights.
        return {"model": str(models[1]), "backend": "auto", "batch": 3, "offline": False}


class TestOnTorch(_Transformers):
    pass


class TestOnOpenvino(_Transformers):
    backend = "openvino"
    tolerance = 1e-4


def test_another_model_is_told_by_its_weights(models: tuple[Path, Path]) -> None:
    infos = [TransformersDetector(TransformersSettings.model_validate({"model": str(model)})).info for model in models]
    assert infos[0].weights_sha256 != infos[1].weights_sha256
