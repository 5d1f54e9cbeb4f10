"""The declared templates of a project: the YAML file, its rules, and errors that name the line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from badc_assets.errors import BadcError
from badc_assets.recordings.clock import zone_named
from badc_assets.recordings.template_pattern import CompiledTemplate, compile_template

_REMEDY = "correct the file; the README shows an example"


class TemplateSpec(BaseModel):
    """One pattern for the end of a path, without its suffix. As many folders are looked at as it has slashes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="What reports call it.")
    path: str = Field(min_length=1, description="Text with placeholders, such as {site}/{date}_{time}.")
    patterns: dict[str, str] = Field(default_factory=dict, description="Regular expressions for placeholders.")
    set: dict[str, str] = Field(
        default_factory=dict, description="Fields with a constant value, or made of placeholders."
    )

    @model_validator(mode="after")
    def _compiles(self) -> TemplateSpec:
        self.compiled()
        return self

    def compiled(self) -> CompiledTemplate:
        """Raises ValueError that says what is wrong with it."""
        return compile_template(self.name, self.path, self.patterns, self.set)


class StudyArea(BaseModel):
    """Templates that hold below one folder of the audio folder, or everywhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="The study area of all that lies in the folder; empty for none.")
    folder: str = Field("", description="Below the audio folder, with /; empty for all of it.")
    zone: str = Field("", description="Zone of the recorders' clocks where no deployment says otherwise.")
    templates: tuple[TemplateSpec, ...] = ()

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        if zone and zone_named(zone) is None:
            raise ValueError(f"there is no time zone {zone!r}; use a name as America/Edmonton or an offset as -07:00")
        return zone

    @field_validator("folder")
    @classmethod
    def _plain_folder(cls, folder: str) -> str:
        return folder.strip("/")

    def holds(self, path: str) -> bool:
        """Whether a path below the audio folder lies in it."""
        return not self.folder or path.startswith(f"{self.folder}/")


class TemplateFile(BaseModel):
    """All study areas of a project, in the order in which they are tried."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    defaults: bool = Field(True, description="Try the templates that come with badc after these.")
    study_areas: tuple[StudyArea, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> TemplateFile:
        names = [template.name for area in self.study_areas for template in area.templates]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two templates have the name {twice!r}")
        return self


@lru_cache(maxsize=1)
def default_templates() -> TemplateFile:
    """The templates that come with badc."""
    return parse_templates(
        files("badc_assets.recordings").joinpath("templates.yaml").read_text("utf-8"), "templates.yaml"
    )


def read_templates(path: Path) -> TemplateFile:
    """The templates of a file. Raises BadcError that names the place."""
    try:
        return parse_templates(path.read_bytes().decode("utf-8"), path)
    except OSError as error:
        raise BadcError(
            path, f"cannot be read ({error.strerror})", "correct the setting recordings.templates"
        ) from error
    except UnicodeDecodeError as error:
        raise BadcError(path, "is not UTF-8 text", _REMEDY) from error


def parse_templates(text: str, subject: Path | str) -> TemplateFile:
    """The templates of a YAML text. Raises BadcError with line and place."""
    tree, values = _parsed(text, subject)
    _require_distinct_keys(tree, subject)
    try:
        return TemplateFile.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        raise BadcError(f"{subject}, {_place(tree, first['loc'])}", message, _REMEDY) from error


def _parsed(text: str, subject: Path | str) -> tuple[Any, Any]:
    """The YAML tree, which knows lines, and its values. Everything is text: YAML's own ideas of dates and numbers have no place
    in names and offsets."""
    try:
        return yaml.compose(text, Loader=yaml.BaseLoader), yaml.load(text, Loader=yaml.BaseLoader) or {}
    except yaml.YAMLError as error:
        raise BadcError(subject, f"is not valid YAML ({_yaml_problem(error)})", _REMEDY) from error
    except RecursionError as error:
        raise BadcError(subject, "is nested too deeply", _REMEDY) from error


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error).replace("\n", " ")
    return f"line {mark.line + 1}: {problem}" if mark is not None else problem


def _require_distinct_keys(tree: Any, subject: Path | str) -> None:
    for node in _mappings(tree, set()):
        keys = [key.value for key, _ in node.value]
        for (key, _), earlier in zip(node.value, range(len(keys)), strict=True):
            if isinstance(key.value, str) and key.value in keys[:earlier]:
                raise BadcError(f"{subject}, line {key.start_mark.line + 1}", f"{key.value!r} stands twice", _REMEDY)


def _mappings(node: Any, seen: set[int]) -> Iterator[yaml.MappingNode]:
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return
    seen.add(id(node))
    is_mapping = isinstance(node, yaml.MappingNode)
    if is_mapping:
        yield node
    for child in [value for _, value in node.value] if is_mapping else node.value:
        yield from _mappings(child, seen)


def _place(node: Any, location: Sequence[int | str]) -> str:
    """`line 7, study_areas[0].templates[2].path` for a place that pydantic names; the line is the nearest that is there."""
    line, text = node.start_mark.line if node is not None else 0, ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
        node, line = _child(node, part, line)
    return f"line {line + 1}" + (f", {text}" if text else "")


def _child(node: Any, part: int | str, line: int) -> tuple[Any, int]:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return value, key.start_mark.line
    return None, line
