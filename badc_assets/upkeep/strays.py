"""What is stored for recordings that the catalogue has never heard of."""

from __future__ import annotations

from collections.abc import Iterator, Set
from pathlib import Path

from badc_assets.errors import printable
from badc_assets.layout import Layout
from badc_assets.upkeep.findings import Finding


def strays(layout: Layout, known: Set[str]) -> Iterator[Finding]:
    """A notice for each folder or file of results whose recording id is not in `known`. Nothing is ever removed."""
    places: tuple[tuple[Path, str], ...] = (
        (layout.manifest("x").parent, ".csv"),
        (layout.facts("x").parent, ".json"),
        (layout.chunk_dir("x").parent, ""),
        (layout.infer_dir("x").parent, ""),
        (layout.journal_dir("x").parent, ""),
    )
    for folder, suffix in places:
        if not folder.is_dir():
            continue
        for item in sorted(folder.iterdir()):
            if item.name.startswith(".") or not item.name.endswith(suffix):
                continue
            if item.name.removesuffix(suffix) not in known:
                subject = printable(item.relative_to(layout.output).as_posix())
                problem = "is about a recording that the catalogue does not have"
                yield Finding("no_strays", "notice", subject, problem, "remove it if nobody needs it")
