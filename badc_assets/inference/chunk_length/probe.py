"""How long chunks may be: measured with a detector on a device and remembered, or estimated as BADC did."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from badc_assets.audio.probe import SoundFormat, probe
from badc_assets.detectors.protocol import Detector
from badc_assets.detectors.weights import cache_folder
from badc_assets.errors import BadcError
from badc_assets.files import exclusive, stable_hash, write_json
from badc_assets.inference.chunk_length.estimate import SHARE_OF_GPU, STRATEGY, estimated_mb, memory_limit_mb
from badc_assets.inference.chunk_length.memory import available_mb
from badc_assets.inference.chunk_length.search import Lengths, longest_that_fits
from badc_assets.inference.chunk_length.trials import Bench, Trial
from badc_assets.inference.devices.allotment import LeasedDevice
from badc_assets.inference.devices.gpus import GpuGateway, NvmlGateway
from badc_assets.inference.devices.places import Places, with_index
from badc_assets.inference.devices.visible import visible_gpus
from badc_assets.inference.settings import InferenceSettings

MEASURED = "measured"
HOUR_S = 3600


@dataclass(frozen=True)
class ChunkLength:
    """The longest chunk that fits, in seconds (None: none does), and how that is known: `strategy` is `measured` or BADC's
    `memory_estimator_v1`. `seconds_per_hour` is what an hour of sound takes in such chunks, None for an estimate. `trials` are
    the lengths that were tried. `is_remembered`: it was measured before, with the same detector, device and kind of sound."""

    audio: str
    strategy: str
    duration_s: float | None
    memory_limit_mb: float | None
    detector: str = ""
    model_version: str = ""
    device: str = ""
    gpu_index: int | None = None
    precision: str = ""
    seconds_per_hour: float | None = None
    note: str = ""
    trials: tuple[Trial, ...] = ()
    is_remembered: bool = False


Told = Callable[[Trial, float | None, LeasedDevice | None], None]
"""Is told of each trial, with the limit in MiB and where it ran."""


@dataclass(frozen=True)
class Asked:
    """A recording, and the lengths to try; `longest_s` None means up to its end."""

    source: Path
    initial_s: float = 60.0
    longest_s: float | None = None
    tolerance_s: float = 5.0

    def lengths(self, sound: SoundFormat) -> Lengths:
        whole_s = sound.frames / sound.sample_rate_hz
        return Lengths(self.initial_s, min(self.longest_s or whole_s, whole_s), self.tolerance_s)


def estimate(
    asked: Asked, gpu_index: int | None, note: str, told: Told, gateway: GpuGateway | None = None
) -> ChunkLength:
    """By BADC's rule of thumb, against the memory of a GPU (the first, unless one is named), else against 4 GiB."""
    sound = probe(asked.source)
    with NvmlGateway() as nvml:
        visible = visible_gpus((gateway or nvml).find(), os.environ)
    gpu = next((gpu for gpu in with_index(visible, gpu_index).gpus), None)
    limit_mb = memory_limit_mb(gpu.memory_mb if gpu else None)
    trials: list[Trial] = []

    def fits(duration_s: float) -> bool:
        needed = estimated_mb(sound, duration_s)
        reason = "" if needed <= limit_mb else f"would take {needed:.0f} MiB, more than {limit_mb:.0f} MiB"
        trials.append(Trial(duration_s, not reason, reason))
        told(trials[-1], limit_mb, None)
        return not reason

    duration_s = longest_that_fits(asked.lengths(sound), fits)
    return ChunkLength(
        str(asked.source), STRATEGY, duration_s, limit_mb, device=gpu.name if gpu else "", gpu_index=gpu and gpu.index,
        note=note, trials=tuple(trials),
    )  # fmt: skip


def measure(
    asked: Asked, detector: Detector, settings: InferenceSettings, places: Places, told: Told, *, again: bool = False
) -> ChunkLength:
    """Run the detector on longer and longer chunks of the recording, on one device.

    A length fits when it is analysed without an error in at most 80 % of the memory: of the GPU, or of what is free where the
    CPU is used. Found before it is not measured again, unless `again`. Raises BadcError when the sound cannot be read, or the
    detector cannot be used.
    """
    sound = probe(asked.source)
    lengths = asked.lengths(sound)
    with places.taken(detector.info, settings, "chunk-probe", lambda _: None) as taken:
        place = taken[0]
        key = _key(detector, place, sound, lengths)
        known = None if again else _remembered(key)
        if known is not None:
            return replace(known, audio=str(asked.source), is_remembered=True)
        found = _measured(asked.source, sound, lengths, (detector, settings, place), told)
    _remember(key, found)
    return found


def _measured(
    source: Path,
    sound: SoundFormat,
    lengths: Lengths,
    run: tuple[Detector, InferenceSettings, LeasedDevice],
    told: Told,
) -> ChunkLength:
    detector, settings, place = run
    limit_mb = _limit_mb(place)
    trials: list[Trial] = []
    with Bench(detector, settings, place, limit_mb) as bench:

        def fits(duration_s: float) -> bool:
            trials.append(bench.attempt(source, sound, duration_s))
            told(trials[-1], limit_mb, place)
            return trials[-1].fits

        duration_s = longest_that_fits(lengths, fits)
        if duration_s is not None and _best(trials) is trials[0]:
            # The first chunk of a worker pays for what is made ready only once.
            fits(trials[0].duration_s)
    best = _best(trials)
    return ChunkLength(
        str(source),
        MEASURED,
        duration_s,
        limit_mb,
        detector.info.name,
        detector.info.model_version,
        place.device.name or place.device.kind,
        place.device.index,
        best.precision if best else "",
        round(best.seconds / best.duration_s * HOUR_S, 2) if best else None,
        "" if best else trials[-1].reason,
        tuple(trials),
    )


def _best(trials: Sequence[Trial]) -> Trial | None:
    """The last trial of the longest chunk that fitted."""
    fitting = [trial for trial in trials if trial.fits]
    return max(reversed(fitting), key=lambda trial: trial.duration_s, default=None)


def _limit_mb(place: LeasedDevice) -> float | None:
    if place.device.kind == "cuda":
        return memory_limit_mb(place.device.memory_mb) if place.device.memory_mb else None
    free_mb = available_mb()
    return None if free_mb is None else SHARE_OF_GPU * free_mb


def _key(detector: Detector, place: LeasedDevice, sound: SoundFormat, lengths: Lengths) -> str:
    """What decides a measurement. The precision is among the detector's settings; `auto` follows from the device."""
    info, device = detector.info, place.device
    where = [device.kind, device.name, device.memory_mb, device.threads]
    kind = [sound.container, sound.sample_format, sound.sample_rate_hz, sound.channels]
    return stable_hash([where, info.name, info.version, info.settings_hash, info.weights_sha256, kind, asdict(lengths)])


def _store() -> Path:
    return cache_folder() / "chunk_lengths.json"


def _known() -> dict[str, Any]:
    try:
        value = json.loads(_store().read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _remembered(key: str) -> ChunkLength | None:
    try:
        values = dict(_known()[key])
        values["trials"] = tuple(Trial(**trial) for trial in values["trials"])
        return ChunkLength(**values)
    except (KeyError, TypeError, ValueError):
        return None


def _remember(key: str, found: ChunkLength) -> None:
    """What did not fit at all may be a fault that is mended meanwhile. A cache that cannot be written is no error."""
    if found.duration_s is None:
        return
    try:
        with exclusive(_store().with_suffix(".lock")):
            write_json(_store(), {**_known(), key: asdict(found)})
    except BadcError:
        return
