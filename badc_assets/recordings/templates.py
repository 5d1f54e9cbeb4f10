"""The templates of a project applied to a path: which one matches, and what the path says by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from badc_assets.recordings.statements import STUDY_AREA, Statement
from badc_assets.recordings.template_file import StudyArea, TemplateFile, default_templates
from badc_assets.recordings.template_pattern import CompiledTemplate


@dataclass(frozen=True)
class PathReading:
    """What a path says. `template` is the name of the one that matched, empty when none did."""

    template: str
    statements: tuple[Statement, ...]


class Templates:
    """Templates in the order in which they are tried: those of the project, then those that come with badc."""

    def __init__(self, declared: TemplateFile | None = None) -> None:
        self.declared = declared or TemplateFile(defaults=True)
        areas = [*self.declared.study_areas, *(default_templates().study_areas if self.declared.defaults else ())]
        self._areas: list[tuple[StudyArea, list[CompiledTemplate]]] = [
            (area, [spec.compiled() for spec in area.templates]) for area in areas
        ]

    def read(self, path: str) -> PathReading:
        """What a path below the audio folder says, by the first template that matches it.

        The study area is the first declared one whose folder holds it, whether or not a template matches.
        """
        stem = _without_suffix(path)
        held = [(area, compiled) for area, compiled in self._areas if area.holds(path)]
        area_statement = _area_statement(area for area, _ in held)
        for _, compiled in held:
            for template in compiled:
                statements = template.match(stem)
                if statements is not None:
                    return PathReading(template.name, (*statements, *area_statement))
        return PathReading("", area_statement)


def _area_statement(areas: Iterable[StudyArea]) -> tuple[Statement, ...]:
    area = next((area for area in areas if area.name or area.zone), None)
    if area is None:
        return ()
    values = {"study_area": area.name, "zone": area.zone}
    return (Statement(STUDY_AREA, {name: value for name, value in values.items() if value}),)


def _without_suffix(path: str) -> str:
    folder, separator, name = path.rpartition("/")
    stem, dot, _ = name.rpartition(".")
    return f"{folder}{separator}{stem if dot and stem else name}"
