"""A small picture of how busy the GPUs of a run were."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping

from badc_assets.inference.usage import GpuUsage


def usage_picture(usage: Mapping[str, GpuUsage]) -> str:
    """Utilisation, memory and power of each worker's GPU over the run, as a PNG in base64 of less than 30 kB."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), dpi=70, layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    names = (("utilisation", "busy (%)"), ("memory_mb", "MiB"), ("power_w", "W"))
    for axis, (field, label) in zip(axes, names, strict=True):
        for worker, use in usage.items():
            points = [(point.at_s, getattr(point, field)) for point in use.series]
            known = [(at, value) for at, value in points if value is not None]
            axis.plot([at for at, _ in known], [value for _, value in known], linewidth=1, label=worker)
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
    axes[0].legend(loc="upper right", fontsize="x-small")
    axes[-1].set_xlabel("seconds")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()
