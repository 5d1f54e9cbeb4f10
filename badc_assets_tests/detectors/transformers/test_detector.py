"""Models of each kind through each backend give the scores that transformers itself gives."""

from __future__ import annotations

import logging
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from badc_assets.detectors.protocol import Device, Float32, SelfReporting
from badc_assets.detectors.transformers.detector import TransformersDetector
from badc_assets.detectors.transformers.settings import TransformersSettings
from badc_assets.detectors.weights import cache_folder
from badc_assets.errors import BadcError
from badc_assets_tests.detectors.transformers.models import LABELS, edit_json, save_model

WINDOW_S = 0.5

# Scores a window in a fresh interpreter; prints which libraries that took.
PROBE = """
import sys, numpy as np
from badc_assets.detectors.protocol import Device
from badc_assets.detectors.transformers.detector import TransformersDetector
from badc_assets.detectors.transformers.settings import TransformersSettings
detector = TransformersDetector(TransformersSettings(model=sys.argv[1], window_s=0.5, backend=sys.argv[2]))
detector.load(Device())
detector.score(np.zeros((1, 8000), np.float32))
print([name for name in ("torch", "transformers") if name in sys.modules])
"""


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache for all tests here: an export takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    many = {"problem_type": "multi_label_classification"}
    return {
        "wav2vec2": save_model(folder / "wav2vec2", "wav2vec2"),
        "multi": save_model(folder / "multi", "wav2vec2", **many),
        "sew-d": save_model(folder / "sew-d", "sew-d"),
        "ast": save_model(folder / "ast", "ast"),
        "whisper": save_model(folder / "whisper", "whisper"),
    }


def windows_for(detector: TransformersDetector, count: int = 6) -> Float32:
    """Tones in noise, each window with another tone and loudness."""
    samples = detector.info.window_ms * (detector.info.sample_rate_hz or 0) // 1000
    random = np.random.default_rng(1)
    tones = np.sin(np.arange(samples) * np.linspace(0.05, 1.5, count)[:, None])
    return (
        (0.3 * tones + 0.05 * random.standard_normal((count, samples))) * np.linspace(0.1, 1, count)[:, None]
    ).astype(np.float32)


def loaded(folder: Path, device: Device | None = None, **settings: Any) -> TransformersDetector:
    values = {"model": str(folder), "window_s": None if folder.name == "ast" else WINDOW_S, **settings}
    detector = pickle.loads(pickle.dumps(TransformersDetector(TransformersSettings.model_validate(values))))
    detector.load(device or Device())
    return detector


def pipeline_scores(folder: Path, windows: Float32) -> Float32:
    """What transformers' own pipeline says, window by window."""
    import transformers

    pipe: Any = transformers.pipeline("audio-classification", model=str(folder), device="cpu")
    rows = [{one["label"]: one["score"] for one in pipe(window, top_k=len(LABELS))} for window in windows]
    return np.array([[row[label] for label in LABELS] for row in rows], np.float32)


@pytest.mark.parametrize(
    ("kind", "backend"),
    [
        ("wav2vec2", "torch"),
        ("wav2vec2", "openvino"),
        ("wav2vec2", "onnx"),
        ("multi", "torch"),
        ("multi", "openvino"),
        ("sew-d", "torch"),
        ("sew-d", "auto"),
        ("ast", "torch"),
        ("ast", "onnx"),
        ("whisper", "torch"),
        ("whisper", "auto"),
    ],
)
def test_scores_are_those_of_the_pipeline(models: dict[str, Path], kind: str, backend: str) -> None:
    detector = loaded(models[kind], backend=backend, precision="fp32")
    windows = windows_for(detector)
    expected = pipeline_scores(models[kind], windows)
    scores = detector.score(windows)
    assert np.ptp(expected, axis=0).max() > 1e-3, "the example tells nothing: all windows score alike"
    assert np.abs(scores - expected).max() < 2e-5
    assert detector.runtime["backend"] == backend.replace("auto", "openvino")
    assert [label.name for label in detector.info.labels] == list(LABELS)
    if kind == "multi":
        assert not np.allclose(scores.sum(axis=1), 1, atol=0.05)
    else:
        assert np.allclose(scores.sum(axis=1), 1)


@pytest.mark.parametrize("backend", ["torch", "openvino", "onnx"])
def test_scores_depend_neither_on_the_batch_nor_on_the_place_in_it(models: dict[str, Path], backend: str) -> None:
    detector = loaded(models["wav2vec2"], backend=backend)
    windows = windows_for(detector, 11)
    whole = detector.score(windows)
    single = np.concatenate([detector.score(window[None]) for window in windows])
    backwards = detector.score(windows[::-1])[::-1]
    assert np.abs(single - whole).max() <= 1e-6
    assert np.abs(backwards - whole).max() <= 1e-6
    assert detector.score(windows[:0]).shape == (0, len(LABELS))
    for batch in (1, 3):
        other = loaded(models["wav2vec2"], backend="torch", batch=batch)
        assert other.best_batch == batch
        assert np.abs(other.score(windows) - whole).max() <= 1e-6


def test_openvino_works_on_several_batches_at_once(models: dict[str, Path]) -> None:
    detector = loaded(models["wav2vec2"], Device(threads=2), backend="openvino")
    assert detector.depth == 3
    assert detector.runtime["streams"] == "2"
    windows = windows_for(detector, 40)
    expected = detector.score(windows)
    # More under way than there are requests, and not asked for in order.
    pending = [detector.submit(windows[start : start + 4]) for start in range(0, 40, 4)]
    found = {index: pending[index]() for index in (7, 0, 9, 3, 1, 2, 4, 5, 6, 8)}
    assert np.abs(np.concatenate([found[index] for index in range(10)]) - expected).max() <= 1e-6


def test_the_record_says_what_ran(models: dict[str, Path]) -> None:
    detector = TransformersDetector(TransformersSettings(model=str(models["wav2vec2"]), window_s=WINDOW_S))
    assert isinstance(detector, SelfReporting)
    assert (detector.runtime, detector.depth, detector.best_batch) == ({}, 1, 4)
    record = detector.load(Device())
    assert record == detector.runtime
    assert {
        "backend": "openvino",
        "batch": "4",
        "threads": "1",
        "model": str(models["wav2vec2"]),
    }.items() <= record.items()
    assert record["precision"] in ("fp32", "bf16")
    assert "openvino" in record and "revision" in record
    detector.close()
    detector.close()
    assert detector.runtime == {}
    with pytest.raises(RuntimeError, match="not loaded"):
        detector.score(windows_for(detector))


def test_windows_of_another_length_are_an_error(models: dict[str, Path]) -> None:
    detector = loaded(models["wav2vec2"], backend="torch")
    with pytest.raises(ValueError, match="shape"):
        detector.score(np.zeros((2, 100), np.float32))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_stays_near_fp32(models: dict[str, Path], precision: str) -> None:
    exact = loaded(models["wav2vec2"], backend="torch", precision="fp32")
    windows = windows_for(exact)
    detector = loaded(models["wav2vec2"], backend="torch", precision=precision, max_probability_change=0.3)
    assert detector.runtime["precision_check"] == "not done yet"
    change = np.abs(detector.score(windows) - exact.score(windows)).max()
    assert 1e-7 < change <= 0.3
    assert detector.runtime["precision"] == precision
    assert detector.runtime["precision_check"].startswith("scores of 4 windows within")


def test_a_precision_out_of_bounds_is_given_up(models: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    exact = loaded(models["wav2vec2"], backend="torch", precision="fp32")
    windows = windows_for(exact)
    detector = loaded(models["wav2vec2"], backend="torch", precision="bf16", max_probability_change=1e-7)
    with caplog.at_level(logging.WARNING):
        scores = detector.score(windows)
    assert np.abs(scores - exact.score(windows)).max() <= 1e-6
    assert detector.runtime["precision"] == "fp32"
    assert "not in bf16: scores differ by" in detector.runtime["precision_check"]
    assert "runs in fp32, not in bf16" in caplog.text


def test_a_precision_that_the_cpu_lacks_is_fp32_and_said(models: dict[str, Path]) -> None:
    detector = loaded(models["wav2vec2"], backend="onnx", precision="bf16")
    assert (detector.runtime["precision"], detector.runtime["precision_check"]) == (
        "fp32",
        "ONNX Runtime calculates in fp32",
    )


def test_sound_that_is_no_number_is_refused_without_consequence(models: dict[str, Path]) -> None:
    detector = loaded(models["wav2vec2"], backend="torch", precision="bf16", max_probability_change=0.3)
    windows = windows_for(detector)
    detector.score(windows)
    damaged = windows.copy()
    damaged[2, 5] = np.nan
    with pytest.raises(BadcError, match="no numbers"):
        detector.score(damaged)
    assert detector.runtime["precision"] == "bf16"
    assert np.isfinite(detector.score(windows)).all()


class TestExports:
    def test_a_second_load_needs_no_torch(self, models: dict[str, Path]) -> None:
        loaded(models["wav2vec2"], backend="openvino")
        for backend in ("openvino", "onnx"):
            done = subprocess.run(
                [sys.executable, "-c", PROBE, str(models["wav2vec2"]), backend],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr

    def test_other_weights_have_another_export(self, models: dict[str, Path], tmp_path: Path) -> None:
        import torch
        from transformers import AutoModelForAudioClassification

        first = loaded(models["wav2vec2"], backend="onnx")
        other = tmp_path / "other"
        shutil.copytree(models["wav2vec2"], other)
        network = AutoModelForAudioClassification.from_pretrained(other)
        with torch.no_grad():
            network.classifier.bias.add_(torch.tensor([1.0, 0.0, 0.0]))
        network.save_pretrained(other)
        windows = windows_for(first)
        assert (loaded(other, backend="onnx").score(windows)[:, 0] > first.score(windows)[:, 0]).all()

    def test_an_export_is_checked_and_made_again_when_damaged(
        self, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        detector = loaded(models["wav2vec2"], backend="openvino")
        windows = windows_for(detector)
        expected = detector.score(windows)
        (export,) = (path for path in (cache_folder() / "exports").iterdir() if path.is_dir())
        with np.load(export / "probe.npz") as probe:
            np.savez(export / "probe.npz", windows=probe["windows"], scores=probe["scores"][:, ::-1])
        with pytest.raises(BadcError, match="OpenVINO gives other scores than torch"):
            loaded(models["wav2vec2"], backend="openvino")
        with caplog.at_level(logging.WARNING):
            assert loaded(models["wav2vec2"]).runtime["backend"] == "torch"
        assert "ONNX Runtime gives other scores" in caplog.text
        (export / "model.onnx").write_bytes(b"")
        assert np.array_equal(loaded(models["wav2vec2"], backend="openvino").score(windows), expected)

    def test_what_cannot_be_exported_runs_in_torch(
        self, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        import torch

        def refuse(*_: object, **__: object) -> None:
            raise torch.onnx.OnnxExporterError("no such operator\nat length")

        monkeypatch.setattr(torch.onnx, "export", refuse)
        with caplog.at_level(logging.WARNING):
            detector = loaded(models["wav2vec2"], batch=2)
        assert detector.runtime["backend"] == "torch"
        assert "cannot be exported (no such operator)" in caplog.text
        with pytest.raises(BadcError, match="set `backend` to torch"):
            loaded(models["wav2vec2"], batch=2, backend="onnx")
        leftovers = [path for path in (cache_folder() / "exports").iterdir() if path.name.endswith(".tmp")]
        assert leftovers == []

    def test_without_the_packages_torch_is_used(self, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("badc_assets.detectors.transformers.choice.find_spec", lambda name: None)
        assert loaded(models["wav2vec2"]).runtime["backend"] == "torch"
        with pytest.raises(BadcError, match=r"install badc-assets\[cpu\]"):
            loaded(models["wav2vec2"], backend="openvino")

    def test_a_cache_that_cannot_be_written_is_no_obstacle(
        self, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "cache").write_text("in the way")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        assert loaded(models["wav2vec2"]).runtime["backend"] == "torch"


class TestWhatCannotBeLoaded:
    @pytest.fixture
    def folder(self, models: dict[str, Path], tmp_path: Path) -> Path:
        shutil.copytree(models["wav2vec2"], tmp_path / "model")
        return tmp_path / "model"

    def refusal(self, folder: Path, **settings: Any) -> str:
        messages = []
        for backend in ("torch", "auto"):
            with pytest.raises(BadcError) as refused:
                loaded(folder, backend=backend, **settings)
            messages.append(str(refused.value))
        assert messages[0] == messages[1]
        assert "\n" not in messages[0]
        return messages[0]

    @pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
    @pytest.mark.parametrize("content", [b"", b"no weights", b"\x80" * 5000])
    def test_damaged_weights(self, folder: Path, name: str, content: bytes) -> None:
        (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(content)
        assert "cannot be loaded" in self.refusal(folder)

    def test_weights_that_were_cut_off(self, folder: Path) -> None:
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1000])
        assert "cannot be loaded" in self.refusal(folder)

    def test_weights_of_another_shape(self, folder: Path) -> None:
        edit_json(folder / "config.json", hidden_size=64)
        assert "cannot be loaded" in self.refusal(folder)

    def test_a_model_without_a_trained_head(self, folder: Path) -> None:
        from safetensors.numpy import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        kept = {name: value for name, value in weights.items() if not name.startswith("classifier")}
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
        assert "has no weights for classifier.bias and 1 more" in self.refusal(folder)

    def test_an_unknown_architecture(self, folder: Path) -> None:
        edit_json(folder / "config.json", model_type="cochlea", architectures=None)
        assert "cannot be loaded" in self.refusal(folder)

    def test_a_model_for_something_else(self, folder: Path) -> None:
        edit_json(folder / "config.json", model_type="bert", architectures=["BertForSequenceClassification"])
        assert "cannot be loaded" in self.refusal(folder)

    def test_windows_that_are_too_short(self, folder: Path) -> None:
        edit_json(folder / "preprocessor_config.json", sampling_rate=2000)
        assert "try another window_s" in self.refusal(folder, window_s=0.1)

    def test_a_runtime_for_the_cpu_on_a_gpu(self, folder: Path) -> None:
        with pytest.raises(BadcError, match="runs on a CPU only"):
            loaded(folder, Device("cuda"), backend="openvino")

    def test_a_gpu_that_torch_does_not_see(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
        with pytest.raises(BadcError, match="torch sees no GPU"):
            loaded(folder, Device("cuda"))


def test_pytorch_weights_load_too(models: dict[str, Path], tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    folder = tmp_path / "model"
    shutil.copytree(models["wav2vec2"], folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    first, second = loaded(models["wav2vec2"], backend="torch"), loaded(folder, backend="torch")
    windows = windows_for(first)
    assert np.array_equal(first.score(windows), second.score(windows))
