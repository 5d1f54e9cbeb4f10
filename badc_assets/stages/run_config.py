"""BADC's run configuration: a TOML file that says what `infer run` is to do."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from badc_assets.errors import BadcError
from badc_assets.project import Project
from badc_assets.stages.detector_choice import DetectorChoice
from badc_assets.stages.manifest_runs import INFER_DIR, ManifestRun


class Runner(BaseModel):
    """The table [runner]. `detector` is ours; False for `use_hawkears` says nothing, as in BADC."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    manifest: str
    detector: str | None = None
    max_gpus: int | None = Field(None, ge=0)
    output_dir: str | None = None
    runner_cmd: str | None = None
    telemetry_log: str | None = None
    max_retries: int | None = Field(None, ge=0)
    use_hawkears: bool = False
    cpu_workers: int | None = Field(None, ge=0)


TABLES = {"runner": frozenset(Runner.model_fields), "hawkears": frozenset({"extra_args"}), "paths": None}
"""The tables and their keys; None where any may stand."""


def read_run_config(path: Path, project: Project, base: Path) -> tuple[ManifestRun, DetectorChoice, list[str]]:
    """The run that a file asks for, the choice of the detector in it, and a sentence for each entry that means nothing here.

    Relative paths count from `base`, as in BADC; where the manifest is not there, from `dataset_root` of [paths], then from the
    folder of the file. Raises BadcError when the file is no run configuration, or asks for what cannot be.
    """
    values = _values(path)
    runner = _runner(path, values)
    arguments = _arguments(path, values.get("hawkears", {}).get("extra_args", []))
    runs_hawkears = runner.use_hawkears or runner.detector == "hawkears"
    choice = DetectorChoice(
        runner.detector,
        runner.use_hawkears or None,
        runner.runner_cmd,
        arguments if runs_hawkears else (),
        runner.max_gpus,
        runner.cpu_workers,
        runner.max_retries,
    )
    # BADC's default, written down: it means the dataset of the sound there too.
    output = None if runner.output_dir in (None, INFER_DIR.as_posix()) else Path(str(runner.output_dir))
    log = None if runner.telemetry_log is None else Path(runner.telemetry_log)
    manifest = _manifest(path, values, runner.manifest, base)
    return ManifestRun(choice.applied(project), [manifest], base, output, log), choice, _ignored(path, values)


def _values(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadcError(path, f"cannot be read ({error.strerror or error})", "name another file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadcError(path, f"not valid TOML ({error})", "correct the file") from error


def _runner(path: Path, values: dict[str, Any]) -> Runner:
    for name in TABLES:
        if name in values and not isinstance(values[name], dict):
            raise BadcError(path, f"{name} is no table", f"begin it with [{name}]")
    if "runner" not in values:
        raise BadcError(path, "has no table [runner]", "say in it which manifest to run")
    try:
        return Runner.model_validate(values["runner"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["runner", *map(str, first["loc"])])
        raise BadcError(path, f"{where}: {first['msg']}", "correct the file") from error


def _arguments(path: Path, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(shlex.split(value))
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return tuple(str(each) for each in value)
    raise BadcError(path, "hawkears.extra_args is neither a text nor a list of texts", "correct the file")


def _manifest(path: Path, values: dict[str, Any], stated: str, base: Path) -> Path:
    root = values.get("paths", {}).get("dataset_root")
    places = [base, *([base / root] if isinstance(root, str) else []), path.absolute().parent]
    return next((place / stated for place in places if (place / stated).is_file()), base / stated)


def _ignored(path: Path, values: dict[str, Any]) -> list[str]:
    known = {name: TABLES[name] for name in values if name in TABLES}
    unknown = [name for name in values if name not in TABLES]
    unknown += [
        f"{name}.{key}" for name, keys in known.items() if keys is not None for key in values[name].keys() - keys
    ]
    return [f"{path}: {name} means nothing here and is ignored" for name in sorted(unknown)]
