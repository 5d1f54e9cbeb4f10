"""torch's streams, events and memory of one GPU, behind a gateway."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from badc_assets.detectors.transformers.backend import Asked, Precision
from badc_assets.errors import BadcError

if TYPE_CHECKING:
    import torch


class Event(Protocol):
    """A point in the work of a stream."""

    def synchronize(self) -> None: ...


class Gpu(Protocol):
    """What is needed of a GPU."""

    @property
    def device(self) -> str: ...

    @property
    def name(self) -> str: ...

    def precision_here(self, asked: Asked) -> tuple[Precision, str]:
        """The precision to use, and why when it is not what was asked for."""
        ...

    def pinned(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """Host memory that a copy can read and write while the processor goes on."""
        ...

    def copying(self) -> AbstractContextManager[Any]: ...

    def computing(self) -> AbstractContextManager[Any]: ...

    def mark(self) -> Event:
        """The present end of the current stream's work."""
        ...

    def wait_for(self, event: Event) -> None:
        """What the current stream does next comes after `event`."""
        ...

    def finish(self) -> None:
        """Return when all work is done."""
        ...

    def release_memory(self) -> None: ...

    def peak_memory_share(self) -> float:
        """The most memory taken since the last call, as a share of the device's."""
        ...


class TorchGpu:
    """The GPU of this process."""

    device = "cuda:0"

    def __init__(self) -> None:
        import torch

        if not torch.cuda.is_available():
            raise BadcError("transformers", "torch sees no GPU", "install torch for CUDA, or run on the CPU")
        # fp32 is what the other precisions are checked against: no rounding to TF32.
        torch.backends.cuda.matmul.fp32_precision = "ieee"
        torch.backends.cudnn.conv.fp32_precision = "ieee"  # pyright: ignore[reportAttributeAccessIssue]
        self.name = torch.cuda.get_device_name(0)
        self._copies, self._work = torch.cuda.Stream(0), torch.cuda.Stream(0)

    def precision_here(self, asked: Asked) -> tuple[Precision, str]:
        import torch

        has_bf16 = torch.cuda.get_device_capability(0)[0] >= 8
        if asked == "auto":
            return ("bf16" if has_bf16 else "fp16"), ""
        if asked == "bf16" and not has_bf16:
            return "fp32", f"{self.name} has no bf16"
        return asked, ""

    def pinned(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        import torch

        return torch.empty(shape, dtype=dtype, pin_memory=True)

    def copying(self) -> AbstractContextManager[Any]:
        import torch

        return torch.cuda.stream(self._copies)

    def computing(self) -> AbstractContextManager[Any]:
        import torch

        return torch.cuda.stream(self._work)

    def mark(self) -> Event:
        import torch

        # Blocking: to wait in a loop would take the time of the threads that decode.
        event = torch.cuda.Event(blocking=True)
        event.record(torch.cuda.current_stream())
        return event

    def wait_for(self, event: Any) -> None:
        import torch

        torch.cuda.current_stream().wait_event(event)

    def finish(self) -> None:
        import torch

        torch.cuda.synchronize()

    def release_memory(self) -> None:
        import torch

        torch.cuda.empty_cache()

    def peak_memory_share(self) -> float:
        import torch

        share = torch.cuda.max_memory_reserved(0) / torch.cuda.get_device_properties(0).total_memory
        torch.cuda.reset_peak_memory_stats(0)
        return share
