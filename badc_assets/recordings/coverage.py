"""What the declared templates and deployments would make of a dataset, from its names alone."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from badc_assets.errors import printable
from badc_assets.layout import Layout
from badc_assets.recordings.facts import below_audio
from badc_assets.recordings.model import CatalogEntry
from badc_assets.recordings.place_time import Declared

NO_TEMPLATE = "(none)"
_EXAMPLES = 3


@dataclass(frozen=True)
class Coverage:
    """`matched`: template -> number of paths that it reads, with NO_TEMPLATE for the rest; `examples`: some paths of each.

    `problems`: one line each for declared templates that match nothing, names that no template reads, sites without a deployment
    and deployments without a recording.
    """

    matched: dict[str, int]
    examples: dict[str, tuple[str, ...]]
    sites: dict[str, int]
    problems: tuple[str, ...]

    @property
    def understood(self) -> int:
        return sum(count for name, count in self.matched.items() if name != NO_TEMPLATE)

    @property
    def not_understood(self) -> int:
        return self.matched.get(NO_TEMPLATE, 0)


def name_coverage(layout: Layout, entries: Iterable[CatalogEntry], declared: Declared) -> Coverage:
    """Read the paths of all recordings that are not vanished. Opens no file."""
    return path_coverage(
        (below_audio(layout, entry.audio_path) for entry in entries if entry.state != "vanished"), declared
    )


def path_coverage(paths: Iterable[str], declared: Declared) -> Coverage:
    """The same for paths below the audio folder."""
    matched: Counter[str] = Counter()
    sites: Counter[str] = Counter()
    examples: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        reading = declared.templates.read(path)
        name = reading.template or NO_TEMPLATE
        matched[name] += 1
        if len(examples[name]) < _EXAMPLES:
            examples[name].append(printable(path))
        site = next((statement.values["site"] for statement in reading.statements if "site" in statement.values), None)
        if site is not None:
            sites[site] += 1
    return Coverage(
        dict(matched.most_common()),
        {name: tuple(some) for name, some in examples.items()},
        dict(sorted(sites.items())),
        (*_template_problems(matched, examples, declared), *_site_problems(sites, declared)),
    )


def _template_problems(matched: Counter[str], examples: dict[str, list[str]], declared: Declared) -> list[str]:
    problems = [
        f"template {template.name!r} of study area {area.name!r} matches nothing: {template.path}"
        for area in declared.templates.declared.study_areas
        for template in area.templates
        if not matched[template.name]
    ]
    if matched[NO_TEMPLATE]:
        some = ", ".join(examples[NO_TEMPLATE])
        problems.append(f"no template matches {matched[NO_TEMPLATE]} of {matched.total()} paths, such as {some}")
    return problems


def _site_problems(sites: Counter[str], declared: Declared) -> list[str]:
    if declared.deployments is None:
        return []
    known = declared.deployments.by_site
    problems = []
    for site in sorted(set(sites) - set(known)):
        close = difflib.get_close_matches(site, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        problems.append(f"site {printable(site)} ({sites[site]} recordings) is not in the deployments table{hint}")
    idle = sorted(set(known) - set(sites))
    problems += [f"site {printable(site)} of the deployments table has no recording by its name" for site in idle]
    return problems
