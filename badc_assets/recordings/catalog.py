"""Scanning a dataset: which recordings it holds, and what changed since the last scan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from badc_assets.errors import printable
from badc_assets.layout import Layout
from badc_assets.recordings.catalog_file import Catalog, read_catalog, write_catalog
from badc_assets.recordings.identity import (
    UNREAD,
    comparable_part,
    content_key,
    has_suffix,
    recording_id,
    same_content,
    with_suffix_id,
)
from badc_assets.recordings.model import CatalogEntry, EntryState
from badc_assets.recordings.outside import not_installed, not_installed_problems, problems_outside
from badc_assets.recordings.parallel import in_parallel
from badc_assets.recordings.scan_journal import ScanJournal
from badc_assets.recordings.unlocked import with_unlocked_keys
from badc_assets.recordings.walk import DatasetWalk, FoundFile

__all__ = ["Catalog", "CatalogChange", "read_catalog", "scan_dataset", "write_catalog"]

_PROGRESS_EVERY = 10_000


@dataclass(frozen=True)
class CatalogChange:
    """Recording ids, sorted, by what happened to them between two scans.

    `changed`: other content, or the content was fetched or dropped. `moved`: the new ids of renamed files, which are in
    `added` too. `returned`: had vanished and are back; with other content they are in `changed` too.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()


def scan_dataset(
    layout: Layout,
    previous: Catalog | None,
    progress: Callable[[int], None] | None = None,
    *,
    readers: int = 1,
    journal: ScanJournal | None = None,
    only: Collection[str] | None = None,
) -> tuple[Catalog, CatalogChange]:
    """Walk the audio folder and bring the catalogue up to date. Nothing is decoded; `readers` files are opened at a time.

    `only`: look at these paths (relative to the dataset) and leave all other recordings, and problems, as they are. A file with
    the size and time that `previous` or `journal` (which gets what is read now) has for it is not opened. A recording that is
    gone stays, as `vanished`, because its results do; one in a folder that could not be read stays as it was. `progress` gets
    the number of files looked at so far. Raises BadcError when there is no audio folder.
    """
    old = previous.by_path() if previous else {}
    walk = DatasetWalk(layout)
    entries: list[CatalogEntry] = []
    keys = in_parallel(
        lambda found: _read_key(layout, found),
        with_unlocked_keys(layout, walk.files() if only is None else walk.look_at(only)),
        readers,
        at_once=lambda found: known_key(found, old.get(found.audio_path), journal),
    )
    for count, read in enumerate(keys, start=1):
        if read.problem:
            walk.problems.append(read.problem)
        if read.was_opened and journal is not None:
            journal.add(read.found.audio_path, read.found.size_bytes, read.found.mtime_ns, read.key)
        entries.append(_entry(layout, read, old.get(read.found.audio_path)))
        if progress is not None and count % _PROGRESS_EVERY == 0:
            progress(count)
    if progress is not None:
        progress(len(entries))
    not_here = not_installed(layout)
    absent = _absent_entries(old, entries, walk.unread_folders, not_here, only)
    if only is not None:
        entries += [_unmarked(entry) for entry in absent if entry.state != "vanished"]
        absent = [entry for entry in absent if entry.state == "vanished"]
    entries, collisions = _with_distinct_ids(layout, entries, old)
    entries, duplicates = _with_duplicates(layout, entries, old)
    entries = _with_moves(entries, old, absent)
    everything = sorted([*entries, *absent], key=lambda entry: entry.recording_id)
    problems = (*walk.problems, *not_installed_problems(not_here), *collisions, *duplicates)
    if only is None:
        problems = (*problems, *problems_outside(layout))
    elif previous is not None:
        problems = tuple(dict.fromkeys((*previous.problems, *problems)))
    catalog = Catalog(tuple(everything), problems)
    return catalog, _change(catalog, old)


def are_as_catalogued(layout: Layout, entries: Iterable[CatalogEntry], paths: Collection[str]) -> bool:
    """Whether all these paths are as the entries have them, as far as that can be seen without opening a file."""
    old = {entry.audio_path: entry for entry in entries if entry.audio_path in paths}
    for found in with_unlocked_keys(layout, DatasetWalk(layout).look_at(paths)):
        entry = old.pop(found.audio_path, None)
        read = known_key(found, entry, None)
        if entry is None or read is None:
            return False
        now = (found.size_bytes, found.mtime_ns, read.key, read.state)
        if now != (entry.size_bytes, entry.mtime_ns, entry.content_key, entry.state):
            return False
    return all(entry.state == "vanished" for entry in old.values())


@dataclass(frozen=True, slots=True)
class FileKey:
    """A file and its content key. `was_opened`: the key was read from the file just now."""

    found: FoundFile
    key: str
    state: EntryState
    was_opened: bool = False
    problem: str = ""


def known_key(found: FoundFile, old: CatalogEntry | None, journal: ScanJournal | None) -> FileKey | None:
    """The key of a file that need not be opened for it."""
    if found.annex_key is not None or found.status is None:
        return FileKey(found, found.annex_key or "", "present" if found.has_content else "content_missing")
    if old is not None and _is_untouched(found, old):
        return FileKey(found, old.content_key, "present")
    key = journal.key(found.audio_path, found.size_bytes, found.mtime_ns) if journal is not None else None
    return FileKey(found, key, "present") if key is not None else None


def _read_key(layout: Layout, found: FoundFile) -> FileKey:
    assert found.status is not None  # otherwise its key was known
    try:
        key = content_key(layout.source(found.audio_path), found.status)
    except OSError as error:
        problem = f"{printable(found.audio_path)}: cannot be read ({error.strerror}); check the disk"
        return FileKey(found, f"STAT-s{found.size_bytes}-t{found.mtime_ns}-{UNREAD}", "present", problem=problem)
    is_sound = key.startswith("STAT-")
    return FileKey(found, key, "present" if is_sound else "content_missing", is_sound and not key.endswith(UNREAD))


def _entry(layout: Layout, read: FileKey, old: CatalogEntry | None) -> CatalogEntry:
    """The entry of one file, with the id it had or would have alone."""
    found = read.found
    if old is not None:
        known = (old.size_bytes, old.mtime_ns, old.content_key, old.state, old.duplicate_of, old.note)
        if known == (found.size_bytes, found.mtime_ns, read.key, read.state, "", ""):
            return old
        return replace(old, size_bytes=found.size_bytes, mtime_ns=found.mtime_ns, content_key=read.key, state=read.state,
                       duplicate_of="", note="")  # fmt: skip
    path = PurePosixPath(found.audio_path)
    identifier = recording_id(_below_audio(layout, found.audio_path))
    return CatalogEntry(identifier, found.audio_path, path.stem, found.size_bytes, found.mtime_ns, read.key, read.state)


def _is_untouched(found: FoundFile, old: CatalogEntry) -> bool:
    was_read = old.content_key.startswith("STAT-") and not old.content_key.endswith(UNREAD)
    return was_read and (old.size_bytes, old.mtime_ns) == (found.size_bytes, found.mtime_ns)


def _below_audio(layout: Layout, audio_path: str) -> PurePosixPath:
    return PurePosixPath(audio_path).relative_to(layout.audio.relative_to(layout.dataset).as_posix())


def _absent_entries(
    old: dict[str, CatalogEntry],
    entries: list[CatalogEntry],
    unread_folders: list[str],
    not_here: tuple[str, ...],
    only: Collection[str] | None,
) -> list[CatalogEntry]:
    """Former entries without a file. In a folder that could not be read nothing is known to have vanished, and a subdataset
    that is not installed (its folder in `not_here`) has all its files, only not here."""
    present = {entry.audio_path for entry in entries}
    unread = tuple(unread_folders)

    def as_it_is_now(entry: CatalogEntry) -> CatalogEntry:
        if entry.audio_path.startswith(unread) or (only is not None and entry.audio_path not in only):
            return entry
        if entry.audio_path.startswith(not_here) and entry.state != "vanished":
            return replace(entry, state="content_missing", duplicate_of="", note="")
        return replace(entry, state="vanished", duplicate_of="", note="")

    return [as_it_is_now(entry) for path, entry in old.items() if path not in present]


def _unmarked(entry: CatalogEntry) -> CatalogEntry:
    """An entry that is compared with others anew."""
    return replace(entry, duplicate_of="", note="") if entry.duplicate_of or entry.note else entry


def _with_distinct_ids(
    layout: Layout, entries: list[CatalogEntry], old: dict[str, CatalogEntry]
) -> tuple[list[CatalogEntry], list[str]]:
    """Files whose names give one id: who had it keeps it, all others get ids with a suffix; each gets a note."""
    owners = {entry.recording_id: path for path, entry in old.items()}
    sharing: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        sharing[_plain_id(layout, entry)].append(entry.audio_path)
    settled, problems = [], []
    for entry in entries:
        plain = _plain_id(layout, entry)
        is_new = entry.audio_path not in old
        others = [path for path in sharing[plain] if path != entry.audio_path]
        is_shared_now = bool(others)
        owner = owners.get(plain, entry.audio_path)
        if not others and owner != entry.audio_path:
            others = [owner]  # gone, but its results still have the id
        if not others:
            settled.append(entry)
            continue
        identifier = with_suffix_id(_below_audio(layout, entry.audio_path)) if is_new else entry.recording_id
        shared = f"shares the id {plain} with {', '.join(printable(path) for path in others)}"
        settled.append(replace(entry, recording_id=identifier, note=shared))
        if is_new or is_shared_now:
            problems.append(f"{printable(entry.audio_path)}: {shared}; it is catalogued as {identifier}")
    return settled, problems


def _plain_id(layout: Layout, entry: CatalogEntry) -> str:
    """The id that the name alone would give; only an altered id can differ from it."""
    if not has_suffix(entry.recording_id):
        return entry.recording_id
    return recording_id(_below_audio(layout, entry.audio_path))


def _with_duplicates(
    layout: Layout, entries: list[CatalogEntry], old: dict[str, CatalogEntry]
) -> tuple[list[CatalogEntry], list[str]]:
    """Mark files with the content of an earlier one (by path). Locked annexed files and plain ones are not compared."""
    groups: dict[str, list[CatalogEntry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.audio_path):
        part = comparable_part(entry.content_key)
        if part is not None:
            groups[part].append(entry)
    original_of: dict[str, CatalogEntry] = {}
    for group in groups.values():
        if len(group) > 1:
            original_of.update(_originals(layout, group, old))
    marked, problems = [], []
    for entry in entries:
        original = original_of.get(entry.audio_path)
        if original is None:
            marked.append(entry)
            continue
        same = f"has the same content as {printable(original.audio_path)}"
        note = f"{entry.note}; {same}" if entry.note else same
        marked.append(replace(entry, duplicate_of=original.recording_id, note=note))
        problems.append(f"{printable(entry.audio_path)}: {same}; remove one of them, or their calls count twice")
    return marked, problems


def _originals(layout: Layout, group: Iterable[CatalogEntry], old: dict[str, CatalogEntry]) -> dict[str, CatalogEntry]:
    """audio_path -> the first entry with equal content, for the candidates of one group that are not the first."""
    originals: list[CatalogEntry] = []
    result: dict[str, CatalogEntry] = {}
    for entry in group:
        match = next((first for first in originals if _is_same(layout, first, entry, old)), None)
        if match is None:
            originals.append(entry)
        else:
            result[entry.audio_path] = match
    return result


def _is_same(layout: Layout, first: CatalogEntry, second: CatalogEntry, old: dict[str, CatalogEntry]) -> bool:
    """Two candidates are read whole once; while both stay as they were the last answer holds."""
    if not first.content_key.startswith("STAT-"):
        return True
    before_first, before_second = old.get(first.audio_path), old.get(second.audio_path)
    if before_first is not None and before_second is not None:
        is_as_before = (before_first.content_key, before_second.content_key) == (first.content_key, second.content_key)
        were_compared = "vanished" not in (before_first.state, before_second.state)
        if is_as_before and were_compared and before_first.duplicate_of == "":
            return before_second.duplicate_of == first.recording_id
    return same_content(layout.source(first.audio_path), layout.source(second.audio_path))


def _with_moves(
    entries: list[CatalogEntry], old: dict[str, CatalogEntry], absent: list[CatalogEntry]
) -> list[CatalogEntry]:
    """Join new entries to vanished ones with equal content and time. A vanished entry can only have moved once."""
    taken = {entry.moved_from for entry in old.values()}
    gone: dict[str, list[CatalogEntry]] = defaultdict(list)
    for entry in absent:
        can_match = comparable_part(entry.content_key) is not None
        if entry.state == "vanished" and can_match and entry.audio_path not in taken:
            gone[entry.content_key].append(entry)
    result = []
    for entry in entries:
        candidates = gone.get(entry.content_key) if entry.audio_path not in old else None
        result.append(replace(entry, moved_from=candidates.pop(0).audio_path) if candidates else entry)
    return result


def _change(catalog: Catalog, old: dict[str, CatalogEntry]) -> CatalogChange:
    added, changed, moved, vanished, returned = [], [], [], [], []
    for entry in catalog.entries:
        before = old.get(entry.audio_path)
        if before is None:
            added.append(entry.recording_id)
            if entry.moved_from:
                moved.append(entry.recording_id)
        elif entry.state == "vanished":
            if before.state != "vanished":
                vanished.append(entry.recording_id)
        else:
            was_fetched_or_dropped = before.state not in ("vanished", entry.state)
            if before.state == "vanished":
                returned.append(entry.recording_id)
            if entry.content_key != before.content_key or was_fetched_or_dropped:
                changed.append(entry.recording_id)
    return CatalogChange(tuple(added), tuple(changed), tuple(moved), tuple(vanished), tuple(returned))
