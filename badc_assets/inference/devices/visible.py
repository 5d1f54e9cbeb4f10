"""Which cards this process is meant to use: CUDA_VISIBLE_DEVICES, read as CUDA reads it.

SLURM, container runtimes and people set that variable. Here it becomes UUIDs, which mean the same card in every process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from badc_assets.inference.devices.gpus import FoundGpus, Gpu

VARIABLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"
PREFIXES = ("GPU-", "MIG-")
HIDES_ALL = frozenset({"", "-1", "NoDevFiles"})
"""Values that mean on purpose that there is no GPU. SLURM sets NoDevFiles for jobs that asked for none."""


def visible_gpus(found: FoundGpus, environment: Mapping[str, str]) -> FoundGpus:
    """The cards that CUDA would show a process with this environment, in its order, each as it would see it.

    Numbers count the cards that can be used, in the order of the PCI bus, as nvidia-smi shows them. A UUID may be cut
    short as long as it fits one card. An entry that means nothing ends the list; one that is named twice empties it. A
    card that is divided (MIG) counts as its first slice, which is all that CUDA gives a process of it; a slice that is
    named by its UUID is taken as such. `problem` grows by what is wrong with the variable.
    """
    value = environment.get(VARIABLE)
    if value is None:
        return replace(found, gpus=tuple(_as_cuda_shows(gpu) for gpu in found.gpus))
    entries = [entry.strip() for entry in value.split(",")]
    prefix = next((prefix for prefix in PREFIXES if entries[0].startswith(prefix)), "")
    chosen: list[Gpu] = []
    problems = [found.problem] if found.problem else []
    for entry in entries:
        gpu = _by_uuid(found, prefix, entry) if prefix else _by_number(found, entry)
        if gpu is None:
            if value.strip() not in HIDES_ALL and not entry.startswith("-"):
                problems.append(f"{VARIABLE}={value}: {entry!r} is no GPU here, so what follows it does not count")
            break
        if gpu in chosen:
            problems.append(f"{VARIABLE}={value}: {entry!r} is named twice, so CUDA shows no GPU at all")
            chosen.clear()
            break
        chosen.append(gpu)
    if chosen and not prefix and _order_matters(found, environment):
        problems.append(
            f"{VARIABLE}={value} counts the GPUs as nvidia-smi does; set {ORDER}=PCI_BUS_ID, since CUDA may count "
            "different models otherwise"
        )
    return FoundGpus(tuple(chosen), "; ".join(problems))


def _by_number(found: FoundGpus, entry: str) -> Gpu | None:
    # Like C's strtol: what stands behind the digits is ignored.
    digits = re.match(r"[+-]?[0-9]{1,9}", entry)
    position = int(digits.group()) if digits else -1
    return _as_cuda_shows(found.gpus[position]) if 0 <= position < len(found.gpus) else None


def _by_uuid(found: FoundGpus, prefix: str, entry: str) -> Gpu | None:
    """The only card, or slice, whose UUID begins like this."""
    if not entry.startswith(prefix):
        return None
    slices = [part for gpu in found.gpus for part in gpu.slices]
    candidates = slices if prefix == "MIG-" else list(found.gpus)
    fitting = [gpu for gpu in candidates if gpu.uuid.startswith(entry)]
    return _as_cuda_shows(fitting[0]) if len(fitting) == 1 else None


def _as_cuda_shows(gpu: Gpu) -> Gpu:
    return gpu.slices[0] if gpu.slices else gpu


def _order_matters(found: FoundGpus, environment: Mapping[str, str]) -> bool:
    """True where CUDA, left to itself, puts the fastest card first, and that could be another one."""
    return environment.get(ORDER) != "PCI_BUS_ID" and len({gpu.name for gpu in found.gpus}) > 1
