"""Features are those of transformers' own extractors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from badc_assets.detectors.protocol import Float32
from badc_assets.detectors.transformers.features import Features, FilterBank, Normalised, make_features
from badc_assets.detectors.transformers.model import read_model
from badc_assets.detectors.transformers.source import ModelFolder
from badc_assets.errors import BadcError
from badc_assets_tests.detectors.transformers.models import write_description

pytestmark = pytest.mark.filterwarnings("ignore:At least one mel filter")


@pytest.fixture(scope="module")
def sounds() -> dict[str, Float32]:
    """Three windows of each kind, 2.5 s at 16 kHz."""
    random = np.random.default_rng(0)
    noise = random.standard_normal((3, 40_000))
    tones = np.sin(np.arange(40_000) * np.array([[0.1], [0.5], [1.3]]))
    kinds = {
        "loud": 0.3 * noise,
        "faint": 1e-5 * noise,
        "tones": 0.9 * tones,
        "offset": 0.1 * noise + 0.5,
        "silence": 0 * noise,
    }
    return {kind: values.astype(np.float32) for kind, values in kinds.items()}


def assert_same_on_both(features: Features, windows: Float32, expected: Float32, tolerance: float) -> None:
    import torch

    before = windows.copy()
    for found in (features(windows), {k: v.numpy() for k, v in features(torch.from_numpy(windows)).items()}):
        assert list(found) == ["input_values"]
        assert found["input_values"].dtype == np.float32
        assert np.abs(found["input_values"] - expected).max() <= tolerance
    assert np.array_equal(windows, before)


@pytest.mark.parametrize("kind", ["loud", "faint", "tones", "offset", "silence"])
@pytest.mark.parametrize("do_normalize", [True, False])
def test_normalised_sound_is_that_of_wav2vec2(sounds: dict[str, Float32], kind: str, do_normalize: bool) -> None:
    from transformers import Wav2Vec2FeatureExtractor

    original = Wav2Vec2FeatureExtractor(do_normalize=do_normalize)
    expected = original(list(sounds[kind]), sampling_rate=16_000, return_tensors="np")["input_values"]
    assert_same_on_both(Normalised(do_normalize), sounds[kind], expected, 2e-6)


@pytest.mark.parametrize("kind", ["loud", "faint", "tones", "offset", "silence"])
@pytest.mark.parametrize(
    "settings",
    [
        {"max_length": 300, "num_mel_bins": 64},  # frames are missing
        {"max_length": 100, "num_mel_bins": 128, "mean": -3.0, "std": 2.0},  # frames are left over
        {"max_length": 248, "num_mel_bins": 40, "do_normalize": False, "sampling_rate": 22_050},
    ],
)
def test_filter_bank_is_that_of_ast(sounds: dict[str, Float32], kind: str, settings: dict[str, Any]) -> None:
    from transformers import ASTFeatureExtractor

    original = ASTFeatureExtractor(**settings)
    rate_hz = original.sampling_rate
    expected = original(list(sounds[kind]), sampling_rate=rate_hz, return_tensors="np")["input_values"]
    assert_same_on_both(FilterBank(settings, rate_hz), sounds[kind], expected, 2e-5)


def read(folder: Path) -> Features:
    return make_features(read_model(ModelFolder(folder, str(folder), "", "mend it"), "auto"))


def test_other_extractors_are_those_of_transformers(tmp_path: Path, sounds: dict[str, Float32]) -> None:
    from transformers import SeamlessM4TFeatureExtractor

    folder = write_description(tmp_path / "model", config={"model_type": "wav2vec2-bert"})
    original = SeamlessM4TFeatureExtractor(num_mel_bins=40)
    original.save_pretrained(folder)
    features = read(folder)
    expected = original(list(sounds["loud"]), sampling_rate=16_000, return_tensors="np")
    found = features(sounds["loud"])
    assert not features.takes_tensors
    assert set(found) == {"input_features", "attention_mask"} == set(expected)
    assert all(np.array_equal(found[name], expected[name]) for name in found)


def test_the_settings_of_the_model_are_used(tmp_path: Path, sounds: dict[str, Float32]) -> None:
    features = read(write_description(tmp_path / "model", extractor={"do_normalize": False}))
    assert np.array_equal(features(sounds["loud"])["input_values"], sounds["loud"])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Pop2PianoFeatureExtractor", "install what is missing"),
        ("NoSuchFeatureExtractor", "cannot be made"),
        ("LayoutLMv2FeatureExtractor", "cannot be made"),
    ],
)
def test_an_extractor_that_cannot_be_made_is_one_line(tmp_path: Path, kind: str, words: str) -> None:
    extractor = {"feature_extractor_type": kind}
    folder = write_description(tmp_path / "model", config={"model_type": "unheard"}, extractor=extractor)
    with pytest.raises(BadcError, match=words) as refused:
        read(folder)
    assert kind in str(refused.value)
    assert "\n" not in str(refused.value)
