"""Cluster profiles: what SLURM on one cluster wants to hear, and how its nodes are made ready. One TOML file for each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from badc_assets.errors import BadcError
from badc_assets.slurm.options import SbatchOptions, checked_options, memory_mib, minutes

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArraySettings(_Table):
    """How recordings are divided over the tasks of an array."""

    audio_hours_per_task: float = Field(24.0, gt=0, description="Sound that a task is given, if no limit forbids it.")
    max_tasks: int = Field(
        1000, ge=1, description="Tasks of an array at most. MaxArraySize of the cluster limits it too."
    )
    throttle: int = Field(0, ge=0, description="Tasks that run at a time; 0: as many as the cluster lets run.")


class NodeSettings(_Table):
    """How a node is made ready before the work begins."""

    modules: tuple[str, ...] = Field((), description="Loaded with `module load`.")
    setup: tuple[str, ...] = Field((), description="Lines of bash that are run after that.")
    container: str = Field("", description="An Apptainer image with badc_assets in it; empty: none.")
    container_options: tuple[str, ...] = Field(("--nv",), description="Options of `apptainer exec`.")
    python: str = Field(
        "", description="Interpreter with badc_assets. Default: `python` of the container, else the one here."
    )
    variables: Mapping[str, str] = Field({}, description="Environment variables.")
    scratch: str = Field("", description="Folder of the node for temporary files, such as $SLURM_TMPDIR.")

    @field_validator("variables")
    @classmethod
    def _names(cls, variables: Mapping[str, str]) -> Mapping[str, str]:
        for name in variables:
            if not _VARIABLE.match(name):
                raise ValueError(f"{name!r} is no name of an environment variable")
        return variables


class RetrySettings(_Table):
    """What is done about a task that did not end well. It goes on where its journals end."""

    attempts: int = Field(3, ge=1, le=20, description="How often a recording is given to a task at most.")
    memory_factor: float = Field(2.0, ge=1, le=16, description="More memory after a task that ran out of it.")
    max_memory: str = Field("", description="Never ask for more; empty: no limit.")
    time_factor: float = Field(2.0, ge=1, le=16, description="More time after a task that met its time limit.")
    max_time: str = Field("", description="Never ask for more; empty: no limit.")
    submit_minutes: float = Field(30.0, ge=0, description="How long a submission that is refused for now is repeated.")

    @field_validator("max_memory")
    @classmethod
    def _memory(cls, text: str) -> str:
        memory_mib(text or "0")
        return text

    @field_validator("max_time")
    @classmethod
    def _time(cls, text: str) -> str:
        minutes(text or "0")
        return text


class ClusterProfile(_Table):
    """A cluster. `gpu` and `cpu` hold sbatch options for steps that use GPUs and for those that do not."""

    account: str = Field("", description="Account that pays, for both kinds of steps.")
    gpu: dict[str, Any] = Field(default_factory=dict, description="sbatch options of steps on GPUs.")
    cpu: dict[str, Any] = Field(default_factory=dict, description="sbatch options of steps without one.")
    array: ArraySettings = ArraySettings()  # pyright: ignore[reportCallIssue]
    node: NodeSettings = NodeSettings()  # pyright: ignore[reportCallIssue]
    retry: RetrySettings = RetrySettings()  # pyright: ignore[reportCallIssue]
    poll_s: float = Field(10.0, ge=0.1, le=600, description="Seconds between looks at the queue.")

    @field_validator("gpu", "cpu")
    @classmethod
    def _options(cls, values: dict[str, Any], info: Any) -> dict[str, str]:
        return checked_options(values, info.field_name)

    def options(self, *, uses_gpu: bool) -> SbatchOptions:
        """What to ask for; `account` holds where the table names none."""
        account = {"account": self.account} if self.account else {}
        return SbatchOptions(account).merged({name: str(v) for name, v in (self.gpu if uses_gpu else self.cpu).items()})


def read_profile(path: Path) -> ClusterProfile:
    """The profile in this file. Raises BadcError that names the wrong setting."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadcError(path, f"cannot be read ({error.strerror or error})", "correct `profile` in [slurm]") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadcError(path, f"not valid TOML ({error})", "correct the file") from error
    try:
        return ClusterProfile.model_validate(values)
    except ValidationError as error:
        raise BadcError(path, _explained(error), "clusters/generic.toml shows all settings") from error


def _explained(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown setting {name!r}"
    message = first["msg"].removeprefix("Value error, ")
    return message if message.startswith(f"{name}.") else f"{name}: {message}"
