"""The project: one typed object that says where the data are and how they are treated.

It is read from `badc.toml` in the current folder (or the file that BADC_PROJECT names), then from the environment:
BADC_DATASET is `dataset`, BADC_CHUNKING__LENGTH_S is `length_s` of the table `chunking`. The environment wins.

Several datasets are tables [datasets.NAME], each a project of its own: what it does not say is as at the top of the file.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from badc_assets.chunks.indices.settings import IndexSettings
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.detections.rules import DetectionRules
from badc_assets.detectors.registry import DETECTORS, make_detector
from badc_assets.errors import BadcError
from badc_assets.inference.settings import InferenceSettings
from badc_assets.layout import Layout
from badc_assets.project_datasets import each_dataset
from badc_assets.provenance.saving import dataset_of
from badc_assets.provenance.settings import ProvenanceSettings, is_disabled
from badc_assets.recordings.content_settings import ContentSettings
from badc_assets.recordings.settings import RecordingSettings
from badc_assets.reports.settings import ReportSettings
from badc_assets.upkeep.settings import AutomationSettings

if TYPE_CHECKING:
    from badc_assets.chunks.status import Clock
    from badc_assets.detectors.protocol import Detector, DetectorInfo
    from badc_assets.inference.engine import Engine
    from badc_assets.inference.opening import Wanted

PROJECT_FILE = "badc.toml"
PREFIX = "BADC_"
OTHER_VARIABLES = frozenset(
    {
        "BADC_PROJECT",
        "BADC_TEST_DATA",
        "BADC_SCREENSHOTS",
        "BADC_DATA_CONFIG",
        "BADC_DISABLE_DATALAD",
        "BADC_HAWKEARS_PYTHON",
        "BADC_DATASET_NAME",
        "BADC_POSTGRES_URL",
    }
)
"""Environment variables with our prefix that are not settings of a project."""


class SlurmSettings(BaseModel):
    """Whether detectors run on the nodes of a cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Path | None = Field(
        None,
        description="Profile of a SLURM cluster, such as clusters/generic.toml: detectors run there. Default: here.",
    )
    steps: dict[str, dict[str, str | int]] = Field(
        default_factory=dict, description="sbatch options of single assets, over the profile: [slurm.steps.detections]."
    )

    @property
    def is_on(self) -> bool:
        return self.profile is not None


class Project(BaseModel):
    """All settings. Each table belongs to the folder of the same name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("", description="Set where there are several datasets: the NAME of its table [datasets.NAME].")
    dataset: Path = Field(Path("data/sample"), description="Folder or DataLad dataset with the recordings.")
    audio: Path | None = Field(
        None, description="Folder of the dataset to scan. Default: `audio` if the dataset has one, else all of it."
    )
    output: Path | None = Field(None, description="Folder for results. Default: the dataset itself.")
    detector: str = Field("energy", description="Which detector to run.")
    executor: Literal["in_process", "multiprocess"] = Field(
        "in_process", description="Run the steps of a run in one process, or in one process each."
    )
    recordings: RecordingSettings = RecordingSettings()
    content: ContentSettings = ContentSettings()
    chunking: ChunkSettings = ChunkSettings()  # pyright: ignore[reportCallIssue]
    indices: IndexSettings = IndexSettings()
    inference: InferenceSettings = InferenceSettings()  # pyright: ignore[reportCallIssue]
    detections: DetectionRules = DetectionRules()  # pyright: ignore[reportCallIssue]
    report: ReportSettings = ReportSettings()  # pyright: ignore[reportCallIssue]
    provenance: ProvenanceSettings = ProvenanceSettings()
    automation: AutomationSettings = AutomationSettings()
    slurm: SlurmSettings = SlurmSettings()  # pyright: ignore[reportCallIssue]
    detectors: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="A table of settings per detector, such as [detectors.energy]."
    )

    @field_validator("detector")
    @classmethod
    def _detector_exists(cls, name: str) -> str:
        if name not in DETECTORS:
            raise ValueError(f"there is no detector {name!r}{_suggestion(name, DETECTORS)}")
        return name

    @field_validator("detectors")
    @classmethod
    def _detector_settings(cls, tables: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, table in tables.items():
            if name not in DETECTORS:
                raise ValueError(f"there is no detector {name!r}{_suggestion(name, DETECTORS)}")
            _validated(DETECTORS[name].settings, table, f"detectors.{name}")
        return tables

    @model_validator(mode="after")
    def _audio_is_inside(self) -> Project:
        if self.audio is not None and not self.layout.audio.is_relative_to(self.layout.dataset):
            raise ValueError(f"audio ({self.audio}) must be a folder of the dataset ({self.dataset})")
        return self

    @property
    def identifier(self) -> str:
        """The name where only letters, digits and underscores may stand."""
        return self.name.replace("-", "_")

    @property
    def layout(self) -> Layout:
        dataset = self.dataset.expanduser().absolute()
        default = dataset / "audio"
        audio = Path(os.path.normpath(dataset / self.audio)) if self.audio else default if default.is_dir() else dataset
        return Layout(dataset, audio, self.output.expanduser().absolute() if self.output else dataset)

    @property
    def detector_settings(self) -> BaseModel:
        return DETECTORS[self.detector].settings.model_validate(self.detectors.get(self.detector, {}))

    def make_detector(self) -> Detector:
        """The chosen detector, ready to run. May load weights."""
        return make_detector(self.detector, self.detector_settings)

    @property
    def detector_info(self) -> DetectorInfo:
        return self.make_detector().info

    def make_engine(self, clock: Clock, run_id: str, *, say: Callable[[str], None], log: Path | None = None) -> Engine:
        """The engine with the chosen detector. `log` is the telemetry's place, by default named by the run."""
        from badc_assets.inference.engine import Engine
        from badc_assets.inference.telemetry.run_log import TelemetryRunLog

        log = log or self.layout.telemetry_dir / f"{run_id}.jsonl"
        return Engine(
            self.layout,
            self.make_detector(),
            self.chunking,
            self.inference,
            clock,
            run_id,
            self.detections,
            log=TelemetryRunLog(log, self.detector, self.layout),
            say=say,
        )

    @property
    def saves_results(self) -> bool:
        """Whether results are saved as commits: they lie in a DataLad dataset, and nothing turns it off."""
        return self.provenance.save and not is_disabled() and dataset_of(self.layout.output) is not None

    @property
    def wanted_results(self) -> Wanted:
        """What results must have been made with to be those of this project."""
        from badc_assets.inference.opening import Wanted

        return Wanted(self.chunking, self.inference, self.detector_info, self.detections)


Model = TypeVar("Model", bound=BaseModel)


class _Invalid(ValueError):
    """A settings problem that already has its place in its text."""


def changed(project: Project, values: dict[str, Any]) -> Project:
    """The project with these values, which include some that were given on a command line. Raises BadcError that names the wrong
    one."""
    try:
        return _validated(Project, project.model_dump() | values, "")
    except ValueError as error:
        name, _, problem = str(error).partition(": ")
        raise BadcError(name if problem else "a setting", problem or name, "give another value") from error


def load_project(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Project:
    """The project of the current folder and environment. Raises BadcError that names the wrong setting, or says that there are
    several datasets and none was chosen."""
    projects = load_projects(environment, folder)
    if len(projects) > 1:
        known = ", ".join(project.name for project in projects)
        raise BadcError("badc", f"has several datasets ({known})", "choose one: `badc --dataset-name NAME ...`")
    return projects[0]


def load_projects(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> list[Project]:
    """The datasets of the current folder and environment, in the order of the file: mostly one. BADC_DATASET_NAME chooses one of
    several. Raises BadcError that names the wrong setting."""
    environment = os.environ if environment is None else environment
    file = Path(environment.get("BADC_PROJECT") or (folder or Path.cwd()) / PROJECT_FILE)
    values = _file_values(file, is_required="BADC_PROJECT" in environment)
    names = _merge_environment(values, environment)
    try:
        tables = each_dataset(values, environment)
        projects = [
            _validated(Project, table, f"datasets.{table['name']}" if "name" in table else "") for table in tables
        ]
    except ValueError as error:
        source = " and ".join([str(file)] * file.is_file() + names) or "the environment"
        raise BadcError(source, str(error), "`badc config` lists all settings") from error
    return _chosen(projects, environment.get("BADC_DATASET_NAME", ""))


def _chosen(projects: list[Project], name: str) -> list[Project]:
    if not name:
        return projects
    chosen = [project for project in projects if project.name == name]
    if not chosen:
        known = ", ".join(project.name for project in projects if project.name) or "no [datasets.NAME] in badc.toml"
        raise BadcError(name, f"is no dataset of the project (there are: {known})", "correct the name")
    return chosen


def _file_values(file: Path, *, is_required: bool) -> dict[str, Any]:
    if not file.is_file():
        if is_required:
            raise BadcError(file, "there is no such project file", "correct BADC_PROJECT")
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadcError(file, f"not valid TOML ({error})", "correct the file") from error


def _merge_environment(values: dict[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Put BADC_A__B=x at values["a"]["b"]; returns the names that were used. An empty value counts as not set."""
    ours = (name for name in environment if name.startswith(PREFIX) and name not in OTHER_VARIABLES)
    names = sorted(name for name in ours if environment[name])
    for name in names:
        *tables, key = name.removeprefix(PREFIX).lower().split("__")
        place = values
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                raise BadcError(name, f"{table!r} is a plain value in the project file", "make it a table")
        place[key] = environment[name]
    return names


def _validated(model: type[Model], values: dict[str, Any], place: str) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _Invalid(_explain(error, model, place)) from error


def _explain(error: ValidationError, model: type[BaseModel], place: str) -> str:
    """The first problem in words, with a suggestion when a name is unknown."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    name = ".".join(([place] if place else []) + path)
    if first["type"] != "extra_forbidden":
        message = first["msg"].removeprefix("Value error, ")
        has_its_place = not name or isinstance(first.get("ctx", {}).get("error"), _Invalid)
        return message if has_its_place else f"{name}: {message}"
    return f"unknown setting {name!r}{_suggestion(path[-1], _fields(model, path[:-1]))}"


def _fields(model: type[BaseModel], tables: list[str]) -> Mapping[str, object]:
    """The settings of the innermost of these nested tables."""
    for table in tables:
        inner = model.model_fields[table].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return {}
        model = inner
    return model.model_fields


def _suggestion(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else f" (there are: {', '.join(known)})"
