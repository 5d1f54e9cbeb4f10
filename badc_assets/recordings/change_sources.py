"""Where changes are seen: commits of a dataset, files of a folder, and content that comes and goes without a commit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from badc_assets.files import remove, stable_hash, write_text
from badc_assets.layout import Layout
from badc_assets.provenance.annex import has_content
from badc_assets.provenance.content import is_annex
from badc_assets.provenance.git import changes_between, dataset_commit, has_commit, is_repository
from badc_assets.provenance.subdatasets import by_repository, subdatasets
from badc_assets.recordings.changes import Change, ChangeKind, Source
from badc_assets.recordings.content_settings import ContentSettings
from badc_assets.recordings.walk import DatasetWalk, FoundFile, audio_prefix, is_scanned, skipped_folders

KnownPaths = Callable[[], Iterable[str]]
"""The paths of all recordings of the catalogue, asked for only where a comparison has no beginning."""


def source_of(layout: Layout, settings: ContentSettings, known: KnownPaths, now_s: float) -> Source:
    """How new recordings of a dataset are noticed."""
    is_by_commit = settings.watch == "commits" or (
        settings.watch == "auto"
        and is_repository(layout.dataset)
        and ((layout.dataset / ".datalad").is_dir() or is_annex(layout.dataset))
    )
    folder = layout.noticed_dir / "new"
    if is_by_commit:
        return CommitSource(layout, folder, known)
    return FileSource(layout, folder, known, now_s, settings.quiet_s)


@dataclass(frozen=True)
class CommitSource:
    """Commits of a dataset and of its subdatasets. What is not committed is not seen.

    The state of a dataset without subdatasets is its commit; else a digest of all their commits, which are kept in `folder`.
    """

    layout: Layout
    folder: Path
    known: KnownPaths

    def head(self, done: str) -> str:
        commit = dataset_commit(self.layout.dataset)
        if commit is None:
            return done
        commits = {"": commit, **self._inner_commits()}
        return commit if len(commits) == 1 else _kept(self.folder, commits, done)

    def changes(self, done: str, target: str) -> list[Change]:
        """All datasets one after another, each compared from the commit that was dealt with, or as a whole."""
        before, now = self._commits(done), self._commits(target)
        known: dict[str, list[str]] | None = None
        changes: list[Change] = []
        for path in sorted(now.keys() | before.keys()):
            prefix, base, commit = (f"{path}/" if path else ""), before.get(path, ""), now.get(path, "")
            below = self._below(prefix)
            if below is None or base == commit:
                continue
            repository = self.layout.dataset / path
            is_whole = not commit or not base or not has_commit(repository, base)
            if is_whole and known is None:
                known = by_repository(self.known(), [each for each in now | before if each])
            former = {prefix + each for each in known.get(path, ())} if is_whole and known else set()
            if commit:
                found = changes_between(repository, None if is_whole else base, commit, below)
                changes += [
                    Change(each.kind, prefix + each.path, each.former and prefix + each.former) for each in found
                ]
            gone = former - {each.path for each in changes} if is_whole else set()
            changes += [Change("removed" if commit or path not in now else "dropped", each) for each in sorted(gone)]
        return _in_order(self._scanned(changes))

    def _commits(self, state: str) -> dict[str, str]:
        """Path of a dataset -> its commit; empty where it is not installed."""
        kept = _read_kept(self.folder, state)
        return kept if kept is not None else {"": state} if state else {}

    def _inner_commits(self) -> dict[str, str]:
        return {found.path: found.commit or "" for found in subdatasets(self.layout.dataset)}

    def _below(self, prefix: str) -> str | None:
        """The folder of a (sub)dataset that holds recordings, empty for all of it; None when none does."""
        audio = audio_prefix(self.layout)
        if audio.startswith(prefix):
            return audio[len(prefix) :].rstrip("/")
        return "" if prefix.startswith(audio) else None

    def _scanned(self, changes: Iterable[Change]) -> list[Change]:
        prefix, skipped = audio_prefix(self.layout), skipped_folders(self.layout)
        result = []
        for change in changes:
            is_here = is_scanned(change.path, prefix, skipped)
            was_here = bool(change.former) and is_scanned(change.former, prefix, skipped)
            if is_here:
                result.append(change if was_here or not change.former else Change("added", change.path))
            elif was_here:
                result.append(Change("removed", change.former))
        return result


@dataclass(frozen=True)
class FileSource:
    """Names, sizes and times of the files of a folder. A state is a digest of them all; they are kept in `folder`."""

    layout: Layout
    folder: Path
    known: KnownPaths
    now_s: float
    quiet_s: float

    def head(self, done: str) -> str:
        """Files that are still growing are taken as they were before."""
        before: Mapping[str, str] | None = None
        files: dict[str, str] = {}
        for found in DatasetWalk(self.layout).files():
            if not self._is_growing(found):
                files[found.audio_path] = f"{found.size_bytes} {found.mtime_ns} {found.annex_key or ''}"
                continue
            before = (_read_kept(self.folder, done) or {}) if before is None else before
            if found.audio_path in before:
                files[found.audio_path] = before[found.audio_path]
        return _kept(self.folder, files, done) if files or done else ""

    def changes(self, done: str, target: str) -> list[Change]:
        now = _read_kept(self.folder, target) or {}
        before = _read_kept(self.folder, done)
        if before is None:
            gone = set(self.known()) - now.keys()
            return _in_order([*(Change("added", path) for path in now), *(Change("removed", path) for path in gone)])
        changed = [path for path, file in now.items() if before.get(path) != file]
        return _in_order(
            [
                *(Change("changed" if path in before else "added", path) for path in changed),
                *(Change("removed", path) for path in before if path not in now),
            ]
        )

    def _is_growing(self, found: FoundFile) -> bool:
        """A time far in the future is that of another clock, and says nothing."""
        if found.status is None:
            return False
        age_s = self.now_s - max(found.status.st_mtime, found.status.st_ctime)
        return -self.quiet_s < age_s < self.quiet_s


@dataclass(frozen=True)
class ContentSource:
    """Whether the content of recordings is here, which no commit tells.

    `was_here` is what the catalogue says, by path. A state holds the paths whose content is missing now, and those that arrived
    and of which the catalogue does not know it.
    """

    layout: Layout
    folder: Path
    was_here: Mapping[str, bool]

    def head(self, done: str) -> str:
        state: dict[str, str] = {}
        for path, was_here in self.was_here.items():
            is_here = has_content(self.layout.dataset / path)
            if not is_here:
                state[path] = _MISSING
            elif not was_here:
                state[path] = _ARRIVED
        return _kept(self.folder, state, done) if self.was_here else done

    def changes(self, done: str, target: str) -> list[Change]:
        before, now = _read_kept(self.folder, done) or {}, _read_kept(self.folder, target) or {}
        arrived = {path for path, state in now.items() if state == _ARRIVED}
        arrived |= {path for path, state in before.items() if state == _MISSING and path not in now}
        dropped = [path for path, state in now.items() if state == _MISSING and before.get(path) != _MISSING]
        return _in_order(
            [
                *(Change("arrived", path) for path in arrived if path in self.was_here),
                *(Change("dropped", path) for path in dropped if self.was_here[path]),
            ]
        )


_MISSING, _ARRIVED = "missing", "arrived"

_ORDER: tuple[ChangeKind, ...] = ("removed", "dropped", "renamed", "changed", "arrived", "added")
"""What is gone comes first: a renamed file is recognised by one that is gone."""


def _in_order(changes: Iterable[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: (_ORDER.index(change.kind), change.path))


def _kept(folder: Path, state: Mapping[str, str], done: str) -> str:
    """Keep a state and return its name. Of the others only the one that is dealt with stays."""
    name = f"state-{stable_hash(sorted(state.items()), length=40)}"
    if not _file(folder, name).is_file():
        write_text(_file(folder, name), json.dumps(state))
        for other in folder.glob("state-*.json"):
            if other.stem not in (name, done):
                remove(other)
    return name


def _read_kept(folder: Path, name: str) -> dict[str, str] | None:
    file = _file(folder, name)
    if not name.startswith("state-") or not file.is_file():
        return None
    try:
        value = json.loads(file.read_text("ascii"))
    except ValueError:
        return None
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else None


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"
