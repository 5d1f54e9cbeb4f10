"""What changed in a dataset, taken in pages, so that nothing is left out and nothing is asked for twice.

A comparison has two steps, each of which ends with a new cursor. The first fixes what is compared and writes down all changes;
each further one takes a page of them. Whatever dies in between, the next attempt starts from the stored cursor and does the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from badc_assets.files import write_text

ChangeKind = Literal["removed", "renamed", "changed", "added", "arrived", "dropped"]
"""`arrived` and `dropped` are about content of recordings that stay as they are."""


LIST_FILE = "changes.jsonl"


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one sound file. Paths are relative to the dataset; `former` is where a renamed file was."""

    kind: ChangeKind
    path: str
    former: str = ""


@dataclass(frozen=True)
class Cursor:
    """How far a sensor is. `commit` is the state that is dealt with, `target` the one that it is being compared with, `offset`
    how many of the changes between them were taken. `round` counts comparisons, so that each has run keys of its own."""

    commit: str = ""
    target: str = ""
    offset: int = 0
    round: int = 0

    def dump(self) -> str:
        return json.dumps({"commit": self.commit, "target": self.target, "offset": self.offset, "round": self.round})

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """The cursor in a text; a fresh one, which looks at everything, when there is none or it is no cursor."""
        try:
            value = json.loads(text or "")
            return cls(str(value["commit"]), str(value["target"]), max(int(value["offset"]), 0), int(value["round"]))
        except (ValueError, KeyError, TypeError):
            return cls()


class Source(Protocol):
    """Where changes come from. A state is a short text; equal states, equal dataset. Empty: nothing there yet."""

    def head(self, done: str) -> str:
        """The present state. Cheap: it is asked for at every tick. `done` is the state that was dealt with."""
        ...

    def changes(self, done: str, target: str) -> Sequence[Change]:
        """What lies between two states, `target` being the one that `head` just gave; all there is when `done` is not known."""
        ...


@dataclass(frozen=True)
class Step:
    """One step: the changes to take now, the key by which they are asked for, and the cursor to store afterwards.

    `fixed`: how many changes this step wrote down, where it is one that fixes what is compared.
    """

    cursor: Cursor
    said: str
    changes: tuple[Change, ...] = ()
    key: str = ""
    fixed: int = 0


def next_step(cursor: Cursor, source: Source, folder: Path, now_s: float, page: int) -> Step:
    """What to do now. The list of changes of the comparison under way is kept in `folder`.

    The same cursor gives the same page with the same key, however often it is asked for. A list that is lost is made anew.
    """
    if cursor.target:
        changes = read_changes(folder / LIST_FILE, cursor)
        if changes is not None:
            return _page(cursor, changes, page)
        cursor = replace(cursor, target="", offset=0)
    return _begin(cursor, source, folder, now_s)


def _begin(cursor: Cursor, source: Source, folder: Path, now_s: float) -> Step:
    head = source.head(cursor.commit)
    if head == cursor.commit:
        return Step(cursor, f"nothing new since {head[:12] or 'the beginning'}")
    # A lost cursor must not give the keys of former comparisons, or its runs would be taken for those of then.
    following = Cursor(cursor.commit, head, 0, cursor.round + 1 if cursor.round else int(now_s))
    changes = source.changes(cursor.commit, head)
    if not changes:
        return Step(Cursor(head, round=following.round), f"{head[:12]} changes no recording")
    write_changes(folder / LIST_FILE, following, changes)
    return Step(following, f"{len(changes)} changes up to {head[:12]}", fixed=len(changes))


def _page(cursor: Cursor, changes: Sequence[Change], page: int) -> Step:
    taken = tuple(changes[cursor.offset : cursor.offset + page])
    end = cursor.offset + len(taken)
    is_last = end >= len(changes)
    following = Cursor(cursor.target, round=cursor.round) if is_last else replace(cursor, offset=end)
    said = f"changes {cursor.offset + 1} to {end} of {len(changes)} up to {cursor.target[:12]}"
    return Step(following, said, taken, f"{cursor.target[:12]}:{cursor.round}:{cursor.offset}")


def write_changes(file: Path, cursor: Cursor, changes: Iterable[Change]) -> None:
    """Write the list of the comparison that `cursor` fixes, one JSON line each, atomically."""
    lines = [[cursor.round, cursor.target], *([each.kind, each.path, each.former] for each in changes)]
    write_text(file, "".join(f"{json.dumps(line)}\n" for line in lines))


def read_changes(file: Path, cursor: Cursor) -> list[Change] | None:
    """The list as it was written; None when it is not there, damaged, or about another comparison."""
    if not file.is_file():
        return None
    try:
        first, *lines = file.read_text("ascii").splitlines()
        is_ours = json.loads(first) == [cursor.round, cursor.target]
        return [Change(*json.loads(line)) for line in lines] if is_ours else None
    except (ValueError, TypeError):
        return None
