"""Where the workers of a run are put: on GPUs that nobody else uses, or on the CPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from badc_assets.detectors.protocol import DetectorInfo
from badc_assets.errors import BadcError
from badc_assets.inference.devices.allotment import DeviceRequest, LeasedDevice, acquire
from badc_assets.inference.devices.gpus import FoundGpus, NvmlGateway
from badc_assets.inference.devices.leases import lease_folder, this_process
from badc_assets.inference.devices.visible import visible_gpus
from badc_assets.inference.settings import InferenceSettings


class Places(Protocol):
    """Finds places for workers and holds them while a run lasts."""

    def taken(
        self, info: DetectorInfo, settings: InferenceSettings, run_id: str, say: Callable[[str], None]
    ) -> AbstractContextManager[Sequence[LeasedDevice]]: ...


@dataclass(frozen=True)
class WorkPlaces:
    """The places of this machine, or of GPU `index` alone. A GPU is leased, so that two runs never share one."""

    index: int | None = None

    @contextmanager
    def taken(
        self, info: DetectorInfo, settings: InferenceSettings, run_id: str, say: Callable[[str], None]
    ) -> Iterator[Sequence[LeasedDevice]]:
        """At least one place. May wait for a GPU, and tells `say` for whom."""
        uses_gpu = info.uses_gpu and settings.device == "auto"
        request = DeviceRequest(uses_gpu, settings.max_gpus, settings.cpu_workers)
        visible = FoundGpus()
        if uses_gpu:
            with NvmlGateway() as gateway:
                visible = with_index(visible_gpus(gateway.find(), os.environ), self.index)
        with acquire(request, visible, lease_folder(), this_process(run_id), say=say) as workers:
            if workers.note:
                say(workers.note)
            yield workers.devices


def with_index(visible: FoundGpus, index: int | None) -> FoundGpus:
    """The one GPU of this index, by nvidia-smi; all of them for None. Raises BadcError when it cannot be used."""
    if index is None:
        return visible
    gpus = tuple(gpu for gpu in visible.gpus if gpu.index == index)
    if not gpus:
        raise BadcError("--gpu-index", f"there is no GPU {index} that can be used", "`badc gpus` lists them")
    return replace(visible, gpus=gpus)
