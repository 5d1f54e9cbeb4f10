"""How many windows a GPU is best given at once: measured, and remembered for the same model on the same kind of GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from badc_assets.detectors.weights import cache_folder
from badc_assets.errors import BadcError
from badc_assets.files import exclusive, write_json

_FIRST, _MOST = 16, 1024
_LEAST_GAIN = 1.05
_MOST_MEMORY = 0.5


@dataclass(frozen=True)
class Trial:
    """What a batch size brought: windows per second, and the share of the device's memory that it took, in 0..1."""

    windows_per_s: float
    memory_share: float


def find_batch(attempt: Callable[[int], Trial | None]) -> int:
    """Double the batch from 16 for as long as that gains 5 % and leaves half of the memory free.

    `attempt` gives None where the memory did not suffice; then smaller batches are tried, down to 1.
    """
    batch = _FIRST
    best = attempt(batch)
    while batch > 1 and (best is None or best.memory_share > _MOST_MEMORY):
        batch //= 2
        best = attempt(batch)
    if best is None or batch < _FIRST:
        return batch
    while batch < _MOST:
        trial = attempt(2 * batch)
        if trial is None or trial.memory_share > _MOST_MEMORY or trial.windows_per_s < _LEAST_GAIN * best.windows_per_s:
            break
        batch, best = 2 * batch, trial
    return batch


def remembered_batch(key: str, find: Callable[[], int]) -> int:
    """The batch for a model on a device, `key`; found now unless it was before. An unwritable cache is no error."""
    store = cache_folder() / "batches.json"
    known = _known(store).get(key)
    if known is not None:
        return known
    batch = find()
    try:
        with exclusive(store.with_suffix(".lock")):
            write_json(store, {**_known(store), key: batch})
    except BadcError:
        return batch
    return batch


def _known(store: Path) -> dict[str, int]:
    try:
        value = json.loads(store.read_bytes())
    except (OSError, ValueError):
        return {}
    table = value if isinstance(value, dict) else {}
    return {key: batch for key, batch in table.items() if isinstance(batch, int) and 1 <= batch <= _MOST}
