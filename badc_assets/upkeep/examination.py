"""One thing that the doctor looks at, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from badc_assets.errors import BadcError


@dataclass(frozen=True)
class Ailment:
    """Something that is wrong, and what a person can do about it."""

    problem: str
    remedy: str


@dataclass(frozen=True)
class Examination:
    """Looks at one thing; no ailments, all is well. `mend` removes the ailments that it can remove; None: only a person can.
    `note` is worth telling in any case."""

    name: str
    look: Callable[[], Iterable[Ailment]]
    mend: Callable[[], None] | None = None
    note: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """`fixed`: there were these ailments, and they are gone. `problem`: they are still there."""

    name: str
    state: Literal["ok", "fixed", "problem"]
    ailments: tuple[Ailment, ...] = ()
    can_be_fixed: bool = False
    note: str = ""


def examine(examinations: Iterable[Examination], *, fix: bool) -> list[Diagnosis]:
    """Go through the examinations in order; with `fix`, mend what can be mended and look again."""
    return [replace(_diagnosis(examination, fix=fix), note=examination.note) for examination in examinations]


def _diagnosis(examination: Examination, *, fix: bool) -> Diagnosis:
    try:
        found = tuple(examination.look())
        if not found:
            return Diagnosis(examination.name, "ok")
        if not fix or examination.mend is None:
            return Diagnosis(examination.name, "problem", found, examination.mend is not None)
        examination.mend()
        left = tuple(examination.look())
    except BadcError as error:
        return Diagnosis(examination.name, "problem", (Ailment(f"{error.subject}: {error.problem}", error.remedy),))
    return Diagnosis(examination.name, "problem" if left else "fixed", left or found, can_be_fixed=True)
