"""Small models with random weights, saved as transformers saves them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LABELS = ("Ruffed Grouse", "Olive-sided Flycatcher", "noise")
RATE_HZ = 16_000

_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
_SPEECH = {
    **_SMALL, "conv_dim": (24,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 16,
}  # fmt: skip


def save_model(folder: Path, kind: str, **config: Any) -> Path:
    """Make the model `kind` (wav2vec2, sew-d, ast, whisper) with its feature extractor in `folder`."""
    import torch
    import transformers as hf

    transformers_quiet()
    names = {"id2label": dict(enumerate(LABELS)), "label2id": {name: index for index, name in enumerate(LABELS)}}
    given = {**names, **config}
    extractor: Any = hf.Wav2Vec2FeatureExtractor(sampling_rate=RATE_HZ)
    if kind == "wav2vec2":
        settings: Any = hf.Wav2Vec2Config(**{**_SPEECH, **given})
    elif kind == "sew-d":
        speech = {**_SPEECH, "conv_dim": (24,) * 13, "max_position_embeddings": 64, "position_buckets": 32}
        settings = hf.SEWDConfig(**{**speech, **given})
    elif kind == "ast":
        settings = hf.ASTConfig(**{**_SMALL, "max_length": 128, "num_mel_bins": 64, **given})
        extractor = hf.ASTFeatureExtractor(max_length=128, num_mel_bins=64)
    else:
        small = dict.fromkeys(
            ("encoder_layers", "decoder_layers", "encoder_attention_heads", "decoder_attention_heads"), 2
        )
        tokens = {
            "vocab_size": 100,
            "pad_token_id": 1,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
        }
        sizes = {"d_model": 32, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_source_positions": 100}
        settings = hf.WhisperConfig(**{**small, **tokens, **sizes, **given})
        extractor = hf.WhisperFeatureExtractor(chunk_length=2)
    torch.manual_seed(0)
    network = hf.AutoModelForAudioClassification.from_config(settings)
    with torch.no_grad():
        # As they are made, all outputs are nearly the same.
        for module in network.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.mul_(8)
    network.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


def transformers_quiet() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def write_description(
    folder: Path, *, config: Mapping[str, Any] | None = None, extractor: Mapping[str, Any] | None = None
) -> Path:
    """A folder that looks like a wav2vec2 model, without weights that could be loaded. None leaves a key out."""
    folder.mkdir(parents=True, exist_ok=True)
    described = {
        "model_type": "wav2vec2",
        "architectures": ["Wav2Vec2ForSequenceClassification"],
        "id2label": {"0": "a", "1": "b"},
        **(config or {}),
    }
    extracted = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": RATE_HZ, **(extractor or {})}
    _write(folder / "config.json", described)
    _write(folder / "preprocessor_config.json", extracted)
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def edit_json(file: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None takes a key away."""
    _write(file, {**json.loads(file.read_text()), **changes})


def _write(file: Path, values: Mapping[str, Any]) -> None:
    file.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
