"""What is read from a model's folder before it is loaded, and what is refused there."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from badc_assets.detectors.protocol import DetectorInfo, Label, PipelinedDetector, SizedDetector, WindowDetector
from badc_assets.detectors.transformers.detector import TransformersDetector
from badc_assets.detectors.transformers.settings import TransformersSettings
from badc_assets.errors import BadcError
from badc_assets_tests.detectors.transformers.models import write_description


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def info_of(folder: Path, **settings: object) -> DetectorInfo:
    return TransformersDetector(TransformersSettings.model_validate({"model": str(folder), **settings})).info


def refusal(folder: Path, **settings: object) -> str:
    with pytest.raises(BadcError) as refused:
        info_of(folder, **settings)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_model_describes_itself(tmp_path: Path) -> None:
    folder = write_description(tmp_path / "model", config={"id2label": {"1": "Sora", "0": "Veery"}})
    detector = TransformersDetector(TransformersSettings(model=str(folder)))
    info = detector.info
    assert isinstance(detector, WindowDetector)
    assert isinstance(detector, PipelinedDetector)
    assert isinstance(detector, SizedDetector)
    assert info.labels == (Label("Veery", "Veery"), Label("Sora", "Sora"))
    assert (info.name, info.kind, info.sample_rate_hz, info.uses_gpu) == ("transformers", "window", 16_000, True)
    assert (info.window_ms, info.hop_ms, info.tail) == (5000, 5000, "align")
    assert info.weights_sha256 is not None and info.weights_sha256[:8] in info.model_version
    assert pickle.loads(pickle.dumps(detector)).info == info


def test_the_default_settings_are_valid_but_name_no_model() -> None:
    with pytest.raises(BadcError, match="no model is set"):
        TransformersDetector(TransformersSettings())


def test_windows_and_hop_are_laid_as_set(tmp_path: Path) -> None:
    folder = write_description(tmp_path / "model")
    info = info_of(folder, window_s=3, hop_s=1.5, tail="pad")
    assert (info.window_ms, info.hop_ms, info.tail) == (3000, 1500, "pad")
    with pytest.raises(ValidationError, match="hop_s is larger"):
        TransformersSettings(window_s=3, hop_s=4)
    assert "hop_s is longer" in refusal(folder, hop_s=6)


@pytest.mark.parametrize(("frames", "window_ms"), [(None, 10_240), (128, 1280)])
def test_an_ast_has_windows_as_long_as_its_spectrogram(tmp_path: Path, frames: int | None, window_ms: int) -> None:
    extractor = {"feature_extractor_type": "ASTFeatureExtractor", "max_length": frames}
    folder = write_description(tmp_path / "model", extractor=extractor)
    assert info_of(folder).window_ms == window_ms
    assert "at most" in refusal(folder, window_s=window_ms / 1000 + 1)


def test_a_model_for_clips_takes_no_longer_windows(tmp_path: Path) -> None:
    extractor = {"feature_extractor_type": "WhisperFeatureExtractor", "chunk_length": 30}
    folder = write_description(tmp_path / "model", extractor=extractor)
    assert info_of(folder).window_ms == 5000
    assert "at most 30 s" in refusal(folder, window_s=31)
    assert info_of(write_description(tmp_path / "short", extractor={**extractor, "chunk_length": 3})).window_ms == 3000


def test_an_extractor_within_a_processor_is_found(tmp_path: Path) -> None:
    folder = write_description(tmp_path / "model")
    own = folder / "preprocessor_config.json"
    (folder / "processor_config.json").write_text(
        f'{{"feature_extractor": {own.read_text().replace("16000", "32000")}}}'
    )
    assert info_of(folder).sample_rate_hz == 16_000
    own.unlink()
    assert info_of(folder).sample_rate_hz == 32_000


def test_labels_that_transformers_leaves_out_are_its_own(tmp_path: Path) -> None:
    folder = write_description(tmp_path / "model", config={"id2label": None})
    assert [label.code for label in info_of(folder).labels] == ["LABEL_0", "LABEL_1"]


@given(labels=st.lists(st.text(min_size=1), max_size=6), start=st.integers(0, 2))
def test_labels_come_back_in_order_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, labels: list[str], start: int
) -> None:
    folder = tmp_path_factory.mktemp("model")
    write_description(folder, config={"id2label": {str(start + index): name for index, name in enumerate(labels)}})
    names = [name.strip() for name in labels]
    if start == 0 and names and all(names) and len(set(names)) == len(names):
        assert [label.name for label in info_of(folder).labels] == names
    else:
        assert "config.json" in refusal(folder)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"id2label": {"0": "a", "2": "b"}}, "does not number its labels"),
        ({"id2label": ["a", "b"]}, "does not number its labels"),
        ({"id2label": {"0": "a", "1": "a"}}, "two labels 'a'"),
        ({"id2label": {"0": "a", "1": " "}}, "label 1 in config.json is empty"),
        ({"architectures": ["Wav2Vec2ForCTC"]}, "is no classifier of sound but a Wav2Vec2ForCTC"),
        ({"model_type": None}, "no model_type"),
        ({"problem_type": "regression"}, "regression"),
    ],
)
def test_what_is_no_classifier_is_refused(tmp_path: Path, config: dict[str, object], words: str) -> None:
    assert words in refusal(write_description(tmp_path / "model", config=config))


@pytest.mark.parametrize("rate", [None, 0, -16_000, 16_000.5, "16000", True, 10**9])
def test_a_missing_or_odd_sample_rate_is_refused(tmp_path: Path, rate: object) -> None:
    assert "sampling_rate" in refusal(write_description(tmp_path / "model", extractor={"sampling_rate": rate}))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", [None, b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_damaged_descriptions_are_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    folder = write_description(tmp_path / "model")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    assert name in refusal(folder)


def test_a_missing_folder_is_refused_and_a_name_on_the_hub_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no such folder" in refusal(tmp_path / "nothing")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadcError, match="write hf:owner/model"):
        TransformersDetector(TransformersSettings(model="owner/model"))


def test_weights_are_found_whatever_their_form(tmp_path: Path) -> None:
    folder = write_description(tmp_path / "model")
    digest = info_of(folder).weights_sha256
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert info_of(folder).weights_sha256 == digest
    (folder / "pytorch_model.bin").rename(folder / "a.safetensors")
    (folder / "b.safetensors").write_bytes(b"more")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}')
    both = info_of(folder).weights_sha256
    (folder / "b.safetensors").write_bytes(b"others")
    assert len({digest, both, info_of(folder).weights_sha256}) == 3
    (folder / "b.safetensors").unlink()
    assert "b.safetensors is absent" in refusal(folder)
    (folder / "model.safetensors.index.json").unlink()
    assert "neither model.safetensors nor pytorch_model.bin" in refusal(folder)
    (folder / "model.safetensors").symlink_to(tmp_path / ".git/annex/objects/away")
    assert "its content is absent" in refusal(folder)


def test_the_hash_follows_what_changes_results(tmp_path: Path) -> None:
    folder = write_description(tmp_path / "model")
    base = info_of(folder)
    changes: list[dict[str, object]] = [
        {"window_s": 4}, {"hop_s": 2}, {"tail": "pad"}, {"precision": "bf16"}, {"activation": "sigmoid"},
        {"max_probability_change": 0.1},
    ]  # fmt: skip
    hashes = {info_of(folder, **change).settings_hash for change in changes}
    assert len(hashes - {base.settings_hash}) == len(changes)
    for change in ({"batch": 7}, {"backend": "torch"}, {"offline": True}):
        assert info_of(folder, **change) == base
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    assert info_of(moved) == base
    write_description(moved, extractor={"do_normalize": False})
    assert info_of(moved).settings_hash != base.settings_hash
    write_description(moved, config={"_name_or_path": "x", "transformers_version": "9"})
    assert info_of(moved).settings_hash == base.settings_hash
