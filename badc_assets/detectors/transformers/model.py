"""What a model's folder says about it: labels, sample rate, window. Reads its JSON files alone, so it is quick."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from badc_assets.detectors.transformers.source import ModelFolder
from badc_assets.detectors.weights import weights_sha256
from badc_assets.errors import BadcError
from badc_assets.files import stable_hash

Activation = Literal["softmax", "sigmoid"]

DEFAULT_WINDOW_MS = 5_000
FBANK_HOP = 160
"""Samples from one frame of ASTFeatureExtractor to the next."""

_CLASSIFIER = re.compile(r"For(Sequence|Audio)Classification$")
_RATES_HZ = range(1_000, 1_000_001)
_NO_MEANING = ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "label2id")
"""Keys of config.json that change no result."""


@dataclass(frozen=True)
class Model:
    """A model that was found, and all that is known of it without loading it.

    `extractor` is its preprocessor_config.json. `window_ms` is the length it was made for, `longest_ms` what it can take at
    most (None: no limit). `config_hash` changes with its configuration and that of its extractor.
    """

    folder: Path
    reference: str
    revision: str
    labels: tuple[str, ...]
    activation: Activation
    sample_rate_hz: int
    extractor: Mapping[str, Any]
    window_ms: int
    longest_ms: int | None
    weights_sha256: str
    config_hash: str

    @property
    def extractor_type(self) -> str:
        return str(self.extractor.get("feature_extractor_type", ""))


def read_model(source: ModelFolder, activation: Literal["auto", "softmax", "sigmoid"]) -> Model:
    """Read the description of the model in a folder. Raises BadcError for what is no audio classifier or is incomplete."""
    config = _read_json(source.path / "config.json", source.remedy)
    _require_classifier(source.path, config)
    extractor = _read_extractor(source)
    rate_hz = _sample_rate_hz(source.path, extractor)
    window_ms, longest_ms = _window_ms(source.path, extractor, rate_hz)
    meaning = {key: value for key, value in config.items() if key not in _NO_MEANING}
    return Model(
        folder=source.path,
        reference=source.reference,
        revision=source.revision,
        labels=_labels(source.path, config),
        activation=_activation(source.path, config, activation),
        sample_rate_hz=rate_hz,
        extractor=extractor,
        window_ms=window_ms,
        longest_ms=longest_ms,
        weights_sha256=weights_sha256(_weight_files(source)),
        config_hash=stable_hash([meaning, extractor]),
    )


def _read_json(file: Path, remedy: str) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise BadcError(file, "there is no such file", remedy) from error
    except OSError as error:
        raise BadcError(file, f"cannot be read ({error.strerror or error})", "make it readable") from error
    except (ValueError, RecursionError) as error:
        raise BadcError(file, "is no JSON", remedy) from error
    if not isinstance(value, dict):
        raise BadcError(file, "is no JSON object", remedy)
    return value


def _read_extractor(source: ModelFolder) -> dict[str, Any]:
    """The settings of the feature extractor, which a model with a processor keeps in that one's file."""
    own, shared = source.path / "preprocessor_config.json", source.path / "processor_config.json"
    if not own.exists() and shared.exists():
        nested = _read_json(shared, source.remedy).get("feature_extractor")
        if isinstance(nested, dict):
            return nested
    return _read_json(own, source.remedy)


def _require_classifier(folder: Path, config: Mapping[str, Any]) -> None:
    names = config.get("architectures")
    named = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    if not isinstance(config.get("model_type"), str):
        raise BadcError(
            folder, "config.json names no model_type: it is no model of transformers", "choose another model"
        )
    if named and not any(_CLASSIFIER.search(name) for name in named):
        raise BadcError(
            folder, f"is no classifier of sound but a {named[0]}", "choose a model trained for classification"
        )


def _labels(folder: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The labels in the order of the model's outputs."""
    table = config.get("id2label")
    if table is None:
        # transformers leaves out what it would assume anyway: two labels, or so many, without names.
        count = config.get("num_labels", 2)
        table = {str(index): f"LABEL_{index}" for index in range(count if isinstance(count, int) else 0)}
    if not isinstance(table, dict) or sorted(table) != sorted(map(str, range(len(table)))) or not table:
        raise BadcError(
            folder, "id2label in config.json does not number its labels 0, 1, 2, ...", "correct config.json"
        )
    labels = tuple(str(table[str(index)]).strip() for index in range(len(table)))
    if not all(labels):
        raise BadcError(folder, f"label {labels.index('')} in config.json is empty", "name it in id2label")
    twice = (
        next((label for label in labels if labels.count(label) > 1), None) if len(set(labels)) < len(labels) else None
    )
    if twice is not None:
        raise BadcError(folder, f"there are two labels {twice!r} in config.json", "give each its own name in id2label")
    return labels


def _activation(folder: Path, config: Mapping[str, Any], asked: Literal["auto", "softmax", "sigmoid"]) -> Activation:
    if asked != "auto":
        return asked
    problem = config.get("problem_type")
    if problem == "regression":
        raise BadcError(folder, "was trained for regression: its outputs are no scores", "choose a classifier")
    return "sigmoid" if problem == "multi_label_classification" else "softmax"


def _sample_rate_hz(folder: Path, extractor: Mapping[str, Any]) -> int:
    rate = extractor.get("sampling_rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or rate not in _RATES_HZ:
        problem = "names no sampling_rate" if rate is None else f"has the sampling_rate {rate!r}"
        raise BadcError(
            folder, f"preprocessor_config.json {problem}", "write the rate the model was trained with, in Hz"
        )
    return int(rate)


def _window_ms(folder: Path, extractor: Mapping[str, Any], rate_hz: int) -> tuple[int, int | None]:
    """The length of window that the extractor was made for, and the longest it does not cut short."""
    frames, seconds = extractor.get("max_length"), extractor.get("chunk_length")
    if extractor.get("feature_extractor_type") == "ASTFeatureExtractor":
        frames = 1024 if frames is None else frames
        if isinstance(frames, bool) or not isinstance(frames, int) or not 0 < frames <= 1_000_000:
            raise BadcError(folder, f"preprocessor_config.json has the max_length {frames!r}", "correct it")
        longest_ms = frames * FBANK_HOP * 1000 // rate_hz
        return longest_ms, longest_ms
    if isinstance(seconds, int) and 0 < seconds <= 600:
        return min(DEFAULT_WINDOW_MS, seconds * 1000), seconds * 1000
    return DEFAULT_WINDOW_MS, None


def _weight_files(source: ModelFolder) -> list[Path]:
    """The files with the weights, in the order in which transformers looks for them."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        file, index = source.path / name, source.path / f"{name}.index.json"
        if file.is_file():
            return [file]
        if index.is_file():
            table = _read_json(index, source.remedy).get("weight_map")
            names = sorted({str(shard) for shard in table.values()}) if isinstance(table, dict) else []
            missing = [shard for shard in names if not (source.path / shard).is_file()]
            if not names or missing:
                raise BadcError(
                    index, f"the part {missing[0]} is absent" if missing else "names no parts", source.remedy
                )
            return [source.path / shard for shard in names]
        if file.is_symlink():
            raise BadcError(file, "its content is absent", "fetch it (datalad get) or copy the model's folder again")
    raise BadcError(source.path, "has neither model.safetensors nor pytorch_model.bin", source.remedy)
