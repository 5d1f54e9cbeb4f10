"""Models as ONNX files, which OpenVINO and ONNX Runtime read. Made once, and kept for later runs, which then need no torch."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from badc_assets.detectors.protocol import Float32
from badc_assets.detectors.transformers.backend import scores_of, versions_of
from badc_assets.detectors.transformers.features import Features, Inputs, brief
from badc_assets.detectors.transformers.model import Model
from badc_assets.detectors.weights import cache_folder
from badc_assets.errors import BadcError
from badc_assets.files import exclusive, stable_hash, sync, write_json

_LAYOUT = 1
"""Part of the key: raise it when exports are written differently."""

_GRAPH, _PROBE, _CONTENTS = "model.onnx", "probe.npz", "contents.json"
_WORST_DIFFERENCE = 1e-3
"""Between scores of torch and of another runtime, both in fp32; they are near 1e-6 when all is well."""


@dataclass(frozen=True)
class Export:
    """An exported model for a fixed number of windows, with the scores that torch gives for some noise.

    `graph` is the ONNX file, `windows` the noise, shape (batch, samples), and `scores` torch's answer, shape (batch, labels).
    """

    graph: Path
    windows: Float32
    scores: Float32

    @property
    def batch(self) -> int:
        return len(self.windows)


def exported(model: Model, features: Features, batch: int, samples: int) -> Export:
    """The model for `batch` windows of `samples`, exported now unless it was before.

    Raises BadcError when it cannot be exported or loaded, when onnx or onnxscript are missing, or when there is no room.
    """
    versions = versions_of("torch", "transformers", "onnx", "onnxscript")
    key = stable_hash([_LAYOUT, model.weights_sha256, model.config_hash, batch, samples, model.activation, versions])
    folder = cache_folder() / "exports" / key
    if not _is_whole(folder):
        with exclusive(folder.with_suffix(".lock")):
            if not _is_whole(folder):
                with _appearing(folder) as temporary:
                    _write(model, features, _noise(batch, samples), temporary)
    with np.load(folder / _PROBE) as probe:
        return Export(folder / _GRAPH, probe["windows"], probe["scores"])


def require_same_scores(export: Export, scores: Float32, runtime: str) -> None:
    """Raises BadcError unless `scores` for the export's noise are those of torch."""
    difference = float(np.abs(scores - export.scores).max()) if scores.shape == export.scores.shape else np.inf
    if not difference <= _WORST_DIFFERENCE:
        problem = f"{runtime} gives other scores than torch (difference {difference:.2g})"
        raise BadcError(export.graph, problem, "set `backend` to torch")


def _noise(batch: int, samples: int) -> Float32:
    return (0.1 * np.random.default_rng(0).standard_normal((batch, samples))).astype(np.float32)


def _is_whole(folder: Path) -> bool:
    """Everything is there in its full length."""
    try:
        sizes: dict[str, int] = json.loads((folder / _CONTENTS).read_bytes())
        return bool(sizes) and all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


@contextlib.contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A folder that becomes `folder` when the block ends well, and vanishes otherwise."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        write_json(temporary / _CONTENTS, {file.name: file.stat().st_size for file in sorted(temporary.iterdir())})
        for file in temporary.iterdir():
            sync(file)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except OSError as error:
        problem = f"the exported model cannot be written ({error.strerror or error})"
        raise BadcError(folder, problem, "free space, or set `backend` to torch") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(model: Model, features: Features, windows: Float32, folder: Path) -> None:
    from badc_assets.detectors.transformers.torch import load_network, require_sound_scores

    inputs = features(windows)
    # Attention that is fused into one operator does not export everywhere; the runtimes fuse it again.
    network = load_network(model, attention="eager")
    logits = _export(model, network, inputs, folder / _GRAPH)
    scores = scores_of(logits, model.activation)
    require_sound_scores(model, scores)
    np.savez(folder / _PROBE, windows=windows, scores=scores)


def _export(model: Model, network: Any, inputs: Inputs, graph: Path) -> Float32:
    """Write the network as ONNX; returns its outputs for `inputs`."""
    import torch

    names = list(inputs)

    class Logits(torch.nn.Module):
        """The network with inputs by position and one output."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *values: torch.Tensor) -> torch.Tensor:
            return self.network(**dict(zip(names, values, strict=True))).logits

    tensors = tuple(torch.from_numpy(inputs[name]) for name in names)
    program = Logits().eval()
    try:
        with torch.no_grad(), _quiet():
            logits = program(*tensors).float().numpy()
            torch.onnx.export(
                program, tensors, graph, dynamo=True, verbose=False, input_names=names, output_names=["logits"]
            )
    except ImportError as error:
        raise BadcError(
            "transformers", f"the export needs more packages ({brief(error)})", "install badc-assets[cpu]"
        ) from error
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise BadcError(model.folder, f"cannot be exported ({brief(error)})", "set `backend` to torch") from error
    return logits


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch.onnx talks to its developers."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def inputs_of(features: Features, windows: Float32) -> Mapping[str, Any]:
    """Inputs that a runtime can read where they lie."""
    return {name: np.ascontiguousarray(value) for name, value in features(windows).items()}
