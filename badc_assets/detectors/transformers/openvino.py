"""Models in OpenVINO, on the CPU: several batches at once, each on its own threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from badc_assets.detectors.protocol import Device, Float32, Pending
from badc_assets.detectors.transformers.backend import Asked, Precision, Ring, filled_up, scores_of, versions_of
from badc_assets.detectors.transformers.export import Export, inputs_of, require_same_scores
from badc_assets.detectors.transformers.features import Features, Inputs, brief
from badc_assets.detectors.transformers.model import Activation, Model
from badc_assets.errors import BadcError

_MOST_STREAMS = 16
"""Each has its own memory for what lies between the layers; beyond this, streams get more threads instead."""

_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


def precision_here(asked: Asked) -> tuple[Precision, str]:
    """The precision to use on this CPU, and why when it is not what was asked for."""
    import openvino

    core = openvino.Core()
    has = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if asked == "auto":
        # The list also names bf16 where it is emulated, slowly; OpenVINO's own choice is bf16 only where it is native.
        own_choice = core.get_property("CPU", "INFERENCE_PRECISION_HINT")
        return ("bf16" if "BF16" in has and own_choice == openvino.Type.bf16 else "fp32"), ""
    if asked == "fp32" or asked.upper() in has:
        return asked, ""
    return "fp32", f"this CPU has no {asked}"


@dataclass
class _Lane:
    """A request, and the arrays that it reads where they lie: they must outlive its run."""

    request: Any
    inputs: Inputs | None = None


class OpenVinoBackend:
    """An export in OpenVINO. Its first answers were seen to be wrong elsewhere, so it is checked before it is used."""

    def __init__(self, model: Model, features: Features, export: Export, precision: Precision, device: Device) -> None:
        import openvino

        streams = min(device.threads, _MOST_STREAMS)
        self.batch = export.batch
        self.depth = streams + 1
        self._features = features
        self._activation: Activation = model.activation
        core = openvino.Core()
        try:
            compiled = core.compile_model(
                core.read_model(export.graph),
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": _HINTS[precision],
                    "NUM_STREAMS": str(streams),
                    "INFERENCE_NUM_THREADS": str(device.threads),
                    "ENABLE_CPU_PINNING": "NO",
                },
            )
            lanes = [_Lane(compiled.create_infer_request()) for _ in range(self.depth)]
        except RuntimeError as error:
            problem = f"OpenVINO cannot read it ({brief(error)})"
            raise BadcError(export.graph, problem, "set `backend` to torch or onnx") from error
        self._ring = Ring(lanes)
        self.facts = {
            "backend": "openvino",
            "device": f"cpu, {core.get_property('CPU', 'FULL_DEVICE_NAME')}",
            "threads": str(device.threads),
            "streams": str(streams),
            "batch": str(self.batch),
            **versions_of("openvino"),
        }
        self._warm_up(export, is_exact=precision == "fp32")

    def submit(self, windows: Float32) -> Pending:
        inputs = inputs_of(self._features, filled_up(windows, self.batch))

        def start(lane: _Lane) -> Callable[[], Float32]:
            lane.inputs = inputs
            lane.request.start_async(inputs, share_inputs=True)

            def finish() -> Float32:
                lane.request.wait()
                # The output belongs to the request, which will be used again; scores are a copy.
                logits = np.asarray(lane.request.get_output_tensor(0).data[: len(windows)], np.float32)
                return scores_of(logits, self._activation)

            return finish

        return self._ring.submit(start)

    def close(self) -> None:
        self._ring.settle()
        self._ring = Ring([])

    def _warm_up(self, export: Export, *, is_exact: bool) -> None:
        """Use each request once, and then see whether they give the scores that they should."""
        for pending in [self.submit(export.windows) for _ in range(self.depth)]:
            pending()
        if is_exact:
            require_same_scores(export, self.submit(export.windows)(), "OpenVINO")
