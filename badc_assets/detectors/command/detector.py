"""The command detector: any program that takes a sound file and writes detections.

`docs/detector-command.md` is the contract for authors of programs. How a program is run is in `run`, what it may
write in `output`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from badc_assets.detectors.command.output import MAX_BYTES, OutputFormat, read_detections, too_large
from badc_assets.detectors.command.run import Ended, ProgramFailed, run_program
from badc_assets.detectors.protocol import Clip, DetectorInfo, Device, Event
from badc_assets.detectors.weights import weights_sha256
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path, scratch_prefix, stable_hash

_PLACEHOLDER = re.compile(r"\{(input|output|recording_id|chunk_id|start_ms|duration_ms)\}")
_CONVENTION = ("--input", "{input}", "--output", "{output}")
_HASH_FREE = {"timeout_s", "uses_gpu"}
"""Settings that change when and where a program runs, but not what it finds."""
_RUNNERS = re.compile(
    r"(python|pypy|perl|ruby|node|java|julia|rscript|octave|bash|dash|sh|env|nice|timeout|apptainer|singularity)[\d.-]*"
)
"""Programs that run another one. Their updates must not make all results outdated."""


class CommandSettings(BaseModel):
    """Which program to run, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    command: tuple[str, ...] = Field(
        (),
        description="Program and arguments, as a list or as one text. {input}, {output}, {recording_id}, {chunk_id}, "
        "{start_ms} and {duration_ms} are filled in; without any, `--input {input} --output {output}` is added.",
    )
    unit: Literal["chunk", "recording"] = Field("chunk", description="What the program is given at a time.")
    format: OutputFormat = Field("auto", description="Format of what the program writes; auto looks at its beginning.")
    environment: dict[str, str] = Field(default_factory=dict, description="Variables added to the environment.")
    timeout_s: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="The program is ended after this time. Default: never."
    )
    version: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._+-]{0,60}$",
        description="Version of the program. Change it when something changed that its own file does not show.",
    )
    uses_gpu: bool = Field(False, description="The program uses a GPU where there is one. Otherwise it sees none.")

    @field_validator("command", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return tuple(shlex.split(value)) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if self.command and not self.command[0].strip():
            raise ValueError("the name of the program is empty")
        used = {name for word in self.command[1:] for name in _PLACEHOLDER.findall(word)}
        if used and "input" not in used:
            raise ValueError("command has placeholders, but not {input}")
        if any("\0" in text for text in (*self.command, *self.environment, *self.environment.values())):
            raise ValueError("a NUL character cannot be given to a program")
        if any(not name or "=" in name for name in self.environment):
            raise ValueError("the name of an environment variable is empty or contains `=`")
        return self


class CommandDetector:
    """A file detector that runs a program once for each chunk or recording."""

    def __init__(self, settings: CommandSettings) -> None:
        """Raises BadcError when there is no program to run. Hashes its file, unless that is known (`weights`)."""
        if not settings.command:
            raise BadcError("detectors.command", "has no `command`", 'name a program: command = "/path/to/program"')
        self._settings = settings
        self._program = _program(settings)
        sha256 = self._sha256()
        self._environment: dict[str, str] = {}
        self._info = DetectorInfo(
            name="command",
            version=settings.version or sha256[:8],
            kind="file",
            labels=(),
            settings_hash=stable_hash(settings.model_dump(exclude=_HASH_FREE)),
            unit=settings.unit,
            weights_sha256=sha256,
            uses_gpu=settings.uses_gpu,
        )

    @property
    def info(self) -> DetectorInfo:
        return self._info

    def load(self, device: Device) -> Mapping[str, str]:
        """Raises BadcError when the program is gone, or is no longer the one that `info` describes."""
        _require_program(self._program, self._program)
        if self._sha256() != self._info.weights_sha256:
            raise BadcError(self._program, "was replaced since the run began", "start the run again")
        # A worker on a GPU sees that one already. Without this, a program on the CPU would take a GPU it was not given.
        self._environment = {"CUDA_VISIBLE_DEVICES": ""} if device.kind == "cpu" else {}
        if "OMP_NUM_THREADS" not in os.environ:
            self._environment["OMP_NUM_THREADS"] = str(device.threads)
        return {"program": self._program, "device": device.kind}

    def detect(self, clip: Clip) -> Sequence[Event]:
        """The events that the program finds. What it wrote is kept in `clip.keep_in`, also where it is no valid result.

        Raises ProgramFailed when the program ends with a status other than 0 or takes too long, BadcError when it cannot
        be run, when it ends well without a result, and when its result is not valid.
        """
        if not clip.path.is_file():
            raise BadcError(clip.path, "there is no such sound file", "see whether it was moved or its content dropped")
        suffix = "csv" if self._settings.format == "csv" else "json"
        with TemporaryDirectory(prefix=scratch_prefix(), ignore_cleanup_errors=True) as folder:
            output = Path(folder) / f"{_name(clip)}.{suffix}"
            added = {**self._environment, **self._settings.environment}
            ended = run_program(self._words(clip, output), added, self._settings.timeout_s)
            if ended.exit_status:
                raise ProgramFailed(self._program, _in_words(ended.exit_status), ended.said)
            if not output.exists():
                self._save_stdout(ended, output, clip.duration_ms)
            kept = _keep(output, clip)
        return read_detections(kept, clip.duration_ms, self._settings.format)

    def _words(self, clip: Clip, output: Path) -> list[str]:
        words = self._settings.command[1:]
        if not any(_PLACEHOLDER.search(word) for word in words):
            words += _CONVENTION
        values = {
            "input": str(clip.path.absolute()),
            "output": str(output),
            "recording_id": clip.recording_id,
            "chunk_id": clip.chunk_id,
            "start_ms": str(clip.start_ms),
            "duration_ms": str(clip.duration_ms),
        }
        # In one pass: what was filled in is not looked at again.
        return [self._program, *(_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in words)]

    def _save_stdout(self, ended: Ended, output: Path, duration_ms: int) -> None:
        """Take what the program printed for its result, if it is one."""
        remedy = "let the program write to {output} (docs/detector-command.md)"
        if not ended.stdout.strip():
            said = f"; it said: {ended.said}" if ended.said else ""
            raise BadcError(self._program, f"ended well, but wrote no output file{said}", remedy)
        output.write_bytes(ended.stdout)
        try:
            if not ended.stdout_is_whole:
                raise BadcError(output, "it is too long", remedy)
            read_detections(output, duration_ms, self._settings.format)
        except BadcError as error:
            problem = f"ended well, but wrote no output file, and what it printed is no result ({error.problem})"
            raise BadcError(self._program, f"{problem}; it said: {ended.said}", remedy) from error

    def _sha256(self) -> str:
        """Of the program and of the files among its arguments: scripts, models."""
        arguments = [text for word in self._settings.command[1:] for text in (word, word.partition("=")[2]) if text]
        files = [Path(text) for text in arguments if Path(text).is_file()]
        if not files or not _RUNNERS.fullmatch(Path(self._program).name.lower()):
            files.insert(0, Path(self._program))
        # One by one: files of the same name in different folders count each.
        digests = [weights_sha256([file.absolute()]) for file in files]
        return digests[0] if len(digests) == 1 else stable_hash(digests, length=64)


def _program(settings: CommandSettings) -> str:
    """The absolute path of the program. Links are kept: a Python knows its environment by the name it was called by."""
    name = str(Path(settings.command[0]).expanduser()) if settings.command[0].startswith("~") else settings.command[0]
    found = shutil.which(name, path=settings.environment.get("PATH"))
    _require_program(found, name)
    return str(Path(found or name).absolute())


def _require_program(found: str | None, name: str) -> None:
    if found and os.access(found, os.X_OK) and Path(found).is_file():
        return
    problem = "is not executable" if Path(name).is_file() else "there is no such program"
    raise BadcError(name, problem, "correct `command`, or make the file executable")


def _in_words(exit_status: int) -> str:
    if exit_status > 0:
        return f"ended with status {exit_status}"
    return f"was killed by signal {-exit_status}" + (" (out of memory?)" if exit_status == -9 else "")


def _name(clip: Clip) -> str:
    # A file name has at most 255 bytes. The end of a long id is what tells chunks apart.
    return (clip.chunk_id or clip.recording_id)[-200:]


def _keep(output: Path, clip: Clip) -> Path:
    """Copy what the program wrote to the first free name in `clip.keep_in`; earlier results stay as they are.

    A git-annex link takes its name up as well, also where its content is elsewhere: nothing is written through it.
    """
    if not output.is_file():
        raise BadcError(output.name, "the program made something else than a file of it", "let it write a plain file")
    if output.stat().st_size > MAX_BYTES:
        raise too_large(output)
    number, target = 1, clip.keep_in / output.name
    while os.path.lexists(target):
        number += 1
        target = clip.keep_in / f"{_name(clip)}.{number}{output.suffix}"
    with atomic_path(target) as temporary:
        shutil.copyfile(output, temporary)
    return target
