"""Models in ONNX Runtime, on the CPU."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from badc_assets.detectors.protocol import Device, Float32, Pending
from badc_assets.detectors.transformers.backend import Asked, Precision, Ticket, filled_up, scores_of, versions_of
from badc_assets.detectors.transformers.export import Export, inputs_of, require_same_scores
from badc_assets.detectors.transformers.features import Features, brief
from badc_assets.detectors.transformers.model import Activation, Model
from badc_assets.errors import BadcError


def precision_here(asked: Asked) -> tuple[Precision, str]:
    """Always fp32; the reason when something else was asked for."""
    return "fp32", "" if asked in ("auto", "fp32") else "ONNX Runtime calculates in fp32"


class OnnxBackend:
    """An export in ONNX Runtime."""

    depth = 1

    def __init__(self, model: Model, features: Features, export: Export, device: Device) -> None:
        import onnxruntime

        # Its errors are known to the interpreter alone.
        states: Any = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
        self.batch = export.batch
        self._features = features
        self._activation: Activation = model.activation
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = device.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that wait in a loop take the time of the decoder's.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                export.graph, sess_options=options, providers=["CPUExecutionProvider"]
            )
        except (
            states.Fail,
            states.InvalidGraph,
            states.InvalidProtobuf,
            states.NotImplemented,
            states.RuntimeException,
        ) as error:
            problem = f"ONNX Runtime cannot read it ({brief(error)})"
            raise BadcError(export.graph, problem, "set `backend` to torch") from error
        self.facts = {
            "backend": "onnx",
            "device": "cpu",
            "threads": str(device.threads),
            "batch": str(self.batch),
            **versions_of("onnxruntime"),
        }
        self.submit(export.windows)()
        require_same_scores(export, self.submit(export.windows)(), "ONNX Runtime")

    def submit(self, windows: Float32) -> Pending:
        inputs = inputs_of(self._features, filled_up(windows, self.batch))
        logits = np.asarray(self._session.run(None, dict(inputs))[0])[: len(windows)]
        scores = scores_of(logits, self._activation)
        return Ticket(lambda: scores)

    def close(self) -> None:
        """Nothing outlives it."""
