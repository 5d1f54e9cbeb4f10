"""A small picture of a run: how much sound was analysed by when, and how busy the GPUs were."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from badc_assets.inference.devices.usage import GpuUsage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CURVES = (("utilisation", "GPU busy (%)"), ("memory_mb", "GPU MiB"), ("power_w", "GPU W"))


def run_picture(analysed: Sequence[tuple[float, float]], usage: Mapping[str, GpuUsage]) -> str:
    """A PNG in base64, of less than 30 kB.

    `analysed` holds, for each finished recording, the seconds since the start of the run and the hours of sound analysed by then;
    `usage` the GPUs by worker.
    """
    from matplotlib.figure import Figure

    curves = _CURVES if usage else ()
    figure = Figure(figsize=(6, 1.6 + 0.9 * len(curves)), dpi=70, layout="constrained")
    axes: list[Axes] = list(figure.subplots(1 + len(curves), 1, sharex=True, squeeze=False)[:, 0])
    axes[0].plot([0, *(at for at, _ in analysed)], [0, *(hours for _, hours in analysed)], linewidth=1)
    axes[0].set_ylabel("hours done")
    for axis, (field, label) in zip(axes[1:], curves, strict=True):
        for worker, use in usage.items():
            points = [(point.at_s, getattr(point, field)) for point in use.series]
            known = [(at, value) for at, value in points if value is not None]
            axis.plot([at for at, _ in known], [value for _, value in known], linewidth=1, label=worker)
        axis.set_ylabel(label)
        axis.legend(loc="upper right", fontsize="x-small")
    for axis in axes:
        axis.set_ylim(bottom=0)
    axes[-1].set_xlabel("seconds since the start")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()
