"""The executor of projects whose detectors run on a SLURM cluster. See docs/decisions/0022-slurm.md.

Each step is a process beside Dagster. One whose work is done on the cluster is light: it submits an array job, reads what the
tasks report, and yields materializations. So nodes need no database, and everything that Dagster does for a step holds for these
too: retries, pools, checks that block, cancellation.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

import dagster as dg
from dagster._core.execution.retries import RetryMode, get_retries_config
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)

from badc_assets.project import Project
from badc_assets.stages.on_slurm import cancel_left_behind

PATIENCE_S = 90.0
"""How long a step that is told to stop has to see its tasks end."""
HEALTH_S = 5


class StepProcesses(StepHandler):
    """Steps as processes of this machine. What one that was killed leaves on the cluster is cancelled."""

    def __init__(self, projects: Sequence[Project]) -> None:
        super().__init__()
        self._projects = projects
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def name(self) -> str:
        return "StepProcesses"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        arguments = step_handler_context.execute_step_args
        command = [sys.executable, "-m", "dagster", *arguments.get_command_args(skip_serialized_namedtuple=True)[1:]]
        given = {each["name"]: each["value"] for each in arguments.get_command_env()}
        # In a group of its own, so that ctrl-C in a terminal reaches it once, through the executor.
        self._processes[_step(step_handler_context)] = subprocess.Popen(
            command, env={**os.environ, **given}, stdin=subprocess.DEVNULL, process_group=0
        )
        yield from ()

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        process = self._processes.get(_step(step_handler_context))
        status = process.poll() if process is not None else None
        if status in (None, 0):
            return CheckStepHealthResult.healthy()
        cancel_left_behind(self._projects)
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        return CheckStepHealthResult.unhealthy(f"its process {how}")

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        step = _step(step_handler_context)
        process = self._processes.get(step)
        if process is not None:
            _end(process)
        cancelled = cancel_left_behind(self._projects)
        said = f"Stopped {step}." + (f" Cancelled {', '.join(cancelled)}." if cancelled else "")
        yield dg.DagsterEvent.engine_event(step_handler_context.get_step_context(step), said)


def _step(context: StepHandlerContext) -> str:
    (key,) = context.execute_step_args.step_keys_to_execute or [""]
    return key


def _end(process: subprocess.Popen[bytes]) -> None:
    """It cancels its tasks itself; where it does not get to it, what it leaves is cancelled afterwards."""
    process.terminate()
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def slurm_executor(projects: Sequence[Project]) -> dg.ExecutorDefinition:
    """The executor, which knows where array jobs of these projects are written down."""

    @dg.executor(
        name="slurm",
        config_schema={
            "max_concurrent": dg.Field(dg.Noneable(int), default_value=None, is_required=False),
            "retries": get_retries_config(),
        },
        requirements=dg.multiple_process_executor_requirements(),
    )
    def executor(context: dg.InitExecutorContext) -> dg.Executor:
        return StepDelegatingExecutor(
            StepProcesses(projects),
            retries=RetryMode.from_config(context.executor_config["retries"]),  # pyright: ignore[reportArgumentType]
            max_concurrent=context.executor_config["max_concurrent"],  # pyright: ignore[reportArgumentType]
            check_step_health_interval_seconds=HEALTH_S,
            should_verify_step=True,
        )

    return executor
