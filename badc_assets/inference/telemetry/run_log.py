"""Who listens while the engine works: telemetry, and how busy the GPUs were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from badc_assets.inference.closing import GpuUse
from badc_assets.inference.devices.allotment import LeasedDevice
from badc_assets.inference.devices.gpus import GpuGateway, GpuSample, NvmlGateway
from badc_assets.inference.devices.usage import GpuUsage, UsageSampler
from badc_assets.inference.telemetry.log import TelemetryLog
from badc_assets.inference.telemetry.run_summary import RunSummary, read_summary, summary_path
from badc_assets.inference.work import ChunkDone, Died, Message, Retrying, Working
from badc_assets.layout import Layout


class RunLog(Protocol):
    """Is told what the workers say."""

    def opened(self, places: Sequence[LeasedDevice]) -> AbstractContextManager[None]:
        """From the first worker to the last."""
        ...

    def heard(self, place: LeasedDevice, message: Message, recording_id: str) -> None: ...

    def gpu_use(self, worker: str) -> GpuUse | None:
        """What the GPU of a worker did so far; None for a worker on the CPU."""
        ...

    def usage(self) -> dict[str, GpuUsage]:
        """Worker -> what its GPU did in the whole run."""
        ...


class NoLog:
    """Writes nothing."""

    @contextmanager
    def opened(self, places: Sequence[LeasedDevice]) -> Iterator[None]:
        yield

    def heard(self, place: LeasedDevice, message: Message, recording_id: str) -> None:
        """Nothing is done with it."""

    def gpu_use(self, worker: str) -> GpuUse | None:
        return None

    def usage(self) -> dict[str, GpuUsage]:
        return {}


OutputOf = Callable[[str, str], str]


@dataclass(frozen=True)
class Failure:
    """A failed attempt at a chunk. `backoff_s` None: there is no further attempt."""

    chunk_id: str
    attempt: int
    error: str
    backoff_s: float | None = None
    runtime_s: float = 0.0


class TelemetryRunLog:
    """Writes BADC's telemetry: a line per event, the summary and the table of workers, also of a run that fails.

    What an earlier attempt with the same log did is taken over into the summary. Nothing is written while there is nothing to
    analyse.
    """

    def __init__(
        self,
        path: Path,
        detector: str,
        layout: Layout,
        gateway: GpuGateway | None = None,
        *,
        output_of: OutputOf | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """`output_of` (recording id, chunk id) is the file with the results of a chunk; by default the recording's table. `say`
        is told where the log is, once there is one."""
        self._path = path
        self._detector = detector
        self._layout = layout
        self._output_of = output_of or (
            lambda recording_id, _: layout.detections(recording_id).relative_to(layout.output).as_posix()
        )
        self._gateway = gateway
        self._say = say
        self._log: TelemetryLog | None = None
        self._summary = RunSummary(self._name)
        self._sampler: UsageSampler | None = None
        self._uuids: dict[str, str] = {}
        self._before: dict[tuple[str, str], GpuSample | None] = {}
        self._sampled_at = 0.0

    @contextmanager
    def opened(self, places: Sequence[LeasedDevice]) -> Iterator[None]:
        """Raises BadcError when the log cannot be written, or when what is there already is no log's summary."""
        self._uuids = {place.worker: place.device.uuid for place in places if place.device.uuid}
        self._summary = RunSummary(self._name, [place.worker for place in places])
        if summary_path(self._path).is_file():
            self._summary.merge(read_summary(summary_path(self._path)))
        with ExitStack() as stack:
            self._log = stack.enter_context(TelemetryLog(self._path, self._detector))
            if self._say is not None:
                self._say(f"telemetry: {self._path}")
            if self._uuids:
                gateway = self._gateway or stack.enter_context(NvmlGateway())
                self._sampler = stack.enter_context(UsageSampler(gateway, list(self._uuids.values())))
            stack.callback(lambda: self._summary.write(self._path))
            yield

    def heard(self, place: LeasedDevice, message: Message, recording_id: str) -> None:
        """Write down what this message means."""
        if self._log is None:
            return
        if isinstance(message, Working):
            for chunk_id in message.chunk_ids:
                self._started(self._log, place, recording_id, chunk_id)
        elif isinstance(message, Retrying):
            failure = Failure(message.chunk_id, message.attempt, message.error, message.delay_s)
            self._failed(self._log, place, recording_id, failure)
        elif isinstance(message, ChunkDone):
            self._done(self._log, place, recording_id, message)
        elif isinstance(message, Died):
            by_number = {task.number: task.recording_id for task in message.tasks}
            for task, chunk_id in message.working_on:
                self._failed(self._log, place, by_number.get(task, ""), Failure(chunk_id, 1, message.reason))
        self._sample(self._log, place)
        self._summary.write_if_due(self._path)

    def gpu_use(self, worker: str) -> GpuUse | None:
        """What the GPU of a worker did so far; None for a worker on the CPU."""
        if self._sampler is None or worker not in self._uuids:
            return None
        usage = self._sampler.usage()[self._uuids[worker]]
        return GpuUse(usage.mean_power_w, usage.peak_memory_mb)

    def usage(self) -> dict[str, GpuUsage]:
        """Worker -> what its GPU did in the whole run."""
        usages = self._sampler.usage() if self._sampler else {}
        return {worker: usages[uuid] for worker, uuid in self._uuids.items() if uuid in usages}

    @property
    def _name(self) -> str:
        """Relative to the results where it lies among them, so that these can be moved."""
        path, output = self._path.absolute(), self._layout.output
        return path.relative_to(output).as_posix() if path.is_relative_to(output) else str(self._path)

    def _latest(self, place: LeasedDevice) -> GpuSample | None:
        return self._sampler.latest(place.device.uuid) if self._sampler and place.device.uuid else None

    def _started(self, log: TelemetryLog, place: LeasedDevice, recording_id: str, chunk_id: str) -> None:
        self._before[place.worker, chunk_id] = self._latest(place)
        log.started(chunk_id=chunk_id, recording_id=recording_id, worker=place.worker, device=place.device, attempt=1)

    def _failed(self, log: TelemetryLog, place: LeasedDevice, recording_id: str, failure: Failure) -> None:
        log.failed(
            chunk_id=failure.chunk_id,
            recording_id=recording_id,
            worker=place.worker,
            device=place.device,
            attempt=failure.attempt,
            runtime_s=failure.runtime_s,
            error=failure.error,
            backoff_s=failure.backoff_s,
            before=self._before.get((place.worker, failure.chunk_id)),
            after=self._latest(place),
        )

    def _done(self, log: TelemetryLog, place: LeasedDevice, recording_id: str, done: ChunkDone) -> None:
        if (place.worker, done.chunk_id) not in self._before:
            # No window begins in it, or its sound could not be read: the detector never had it.
            self._started(log, place, recording_id, done.chunk_id)
        before = self._before.pop((place.worker, done.chunk_id))
        if done.error:
            failure = Failure(done.chunk_id, done.attempts, done.error, runtime_s=done.seconds)
            self._failed(log, place, recording_id, failure)
            self._summary.failed(
                done.chunk_id,
                recording_id=recording_id,
                worker=place.worker,
                attempts=done.attempts,
                error=done.error,
            )
            return
        output = self._output_of(recording_id, done.chunk_id)
        log.succeeded(
            chunk_id=done.chunk_id,
            recording_id=recording_id,
            worker=place.worker,
            device=place.device,
            attempt=done.attempts,
            runtime_s=done.seconds,
            output=output,
            before=before,
            after=self._latest(place),
        )
        self._summary.succeeded(
            done.chunk_id, recording_id=recording_id, worker=place.worker, attempts=done.attempts, output=output
        )

    def _sample(self, log: TelemetryLog, place: LeasedDevice) -> None:
        """At most once a second, for the monitor's curves."""
        sample = self._latest(place)
        if sample is not None and sample.at - self._sampled_at >= 1:
            self._sampled_at = sample.at
            log.sampled(worker=place.worker, device=place.device, sample=sample)
