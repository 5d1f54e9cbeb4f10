"""Every sound file below the audio root, and what could not be looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from badc_assets.errors import BadcError, printable
from badc_assets.layout import OUTPUT_NAMES, Layout
from badc_assets.provenance.annex import annex_key, key_size_bytes

SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")
_MAC_SIDE_FILE = "._"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A sound file, not opened yet. `annex_key` is known for locked files; `has_content` is False for absent ones.

    For an absent file `size_bytes` is what its key states and `mtime_ns` that of the link.
    """

    audio_path: str
    size_bytes: int
    mtime_ns: int
    annex_key: str | None
    has_content: bool
    status: os.stat_result | None


class _Item:
    """One path, as a listing of its folder would give it."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.path = os.fspath(path)
        self._path = path

    def is_symlink(self) -> bool:
        return self._path.is_symlink()

    def is_dir(self) -> bool:
        return self._path.is_dir()

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return self._path.stat(follow_symlinks=follow_symlinks)


_Listed = os.DirEntry[str] | _Item


class DatasetWalk:
    """One walk over a dataset. `problems` and `unread_folders` (relative to the dataset) fill up while `files` runs.

    Links to folders are not followed, since they can form circles; links to files are.
    """

    def __init__(self, layout: Layout) -> None:
        self.problems: list[str] = []
        self.unread_folders: list[str] = []
        self._root = layout.audio
        self._dataset = layout.dataset
        self._skipped = {os.fspath(layout.output / name) for name in OUTPUT_NAMES}
        self._skipped_below = skipped_folders(layout)
        self._below = audio_prefix(layout)
        self._mac_side_files = 0

    def files(self) -> Iterator[FoundFile]:
        """Files with a sound suffix in any case, folder by folder, sorted. Raises BadcError without an audio root."""
        require_audio_folder(self._root)
        folders = [(os.fspath(self._root), self._below)]
        while folders:
            folder, prefix = folders.pop()
            inner: list[tuple[str, str]] = []
            for item in self._listing(folder, prefix):
                if item.is_dir(follow_symlinks=False):
                    if not item.name.startswith(".") and item.path not in self._skipped:
                        inner.append((item.path, f"{prefix}{item.name}/"))
                        self._note_sound_folder(item, prefix)
                    continue
                found = self._look(item, prefix + item.name)
                if found is not None:
                    yield found
            folders.extend(reversed(inner))
        if self._mac_side_files:
            self.problems.append(f"{self._mac_side_files} files beginning with ._ (macOS side files) were left out")

    def look_at(self, audio_paths: Iterable[str]) -> Iterator[FoundFile]:
        """Only these paths, sorted; those that are not there, and those that a walk would leave out, are not yielded."""
        for audio_path in sorted(audio_paths):
            path = self._dataset / audio_path
            if (path.is_symlink() or path.is_file()) and is_scanned(audio_path, self._below, self._skipped_below):
                found = self._look(_Item(path), audio_path)
                if found is not None:
                    yield found

    def _listing(self, folder: str, prefix: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as items:
                return sorted(items, key=lambda item: item.name)
        except OSError as error:
            self.unread_folders.append(prefix)
            self._report(prefix or folder, f"this folder cannot be read ({error.strerror}); make it readable")
            return []

    def _look(self, item: _Listed, audio_path: str) -> FoundFile | None:
        is_link = item.is_symlink()
        if not item.name.lower().endswith(SOUND_SUFFIXES):
            if is_link and _leads_to_folder(item):
                self._report(audio_path, "is a link to a folder and was not followed; list the folder itself")
            return None
        if item.name.startswith(_MAC_SIDE_FILE):
            self._mac_side_files += 1
            return None
        key = annex_key(Path(item.path)) if is_link else None
        try:
            status = item.stat()
        except OSError as error:
            return self._absent(item, audio_path, key, error)
        if not stat.S_ISREG(status.st_mode):
            kind = "a link to a folder" if stat.S_ISDIR(status.st_mode) else "no ordinary file"
            self._report(audio_path, f"is {kind} and was left out; rename or remove it")
            return None
        return FoundFile(audio_path, status.st_size, status.st_mtime_ns, key, True, status)

    def _absent(self, item: _Listed, audio_path: str, key: str | None, error: OSError) -> FoundFile | None:
        if key is None:
            self._report(audio_path, f"is a link to nothing ({error.strerror}); restore the file or remove the link")
            return None
        link = item.stat(follow_symlinks=False)
        # In a subdataset that git-annex has not seen yet, links lead through `.git` while that is a file.
        has_content = not isinstance(error, FileNotFoundError | NotADirectoryError)
        return FoundFile(audio_path, key_size_bytes(key) or 0, link.st_mtime_ns, key, has_content, None)

    def _note_sound_folder(self, item: os.DirEntry[str], prefix: str) -> None:
        if item.name.lower().endswith(SOUND_SUFFIXES):
            self._report(prefix + item.name, "is a folder with the name of a sound file; what lies in it was scanned")

    def _report(self, path: str, problem: str) -> None:
        self.problems.append(f"{printable(path)}: {problem}")


def audio_prefix(layout: Layout) -> str:
    """How the paths of all recordings begin, as `audio/`; empty where the dataset itself is scanned."""
    below = layout.audio.relative_to(layout.dataset).as_posix()
    return "" if below == "." else f"{below}/"


def skipped_folders(layout: Layout) -> tuple[str, ...]:
    """How paths begin that lie in the folders for results, where these are in the dataset."""
    if not layout.output.is_relative_to(layout.dataset):
        return ()
    below = layout.output.relative_to(layout.dataset)
    return tuple(f"{(below / name).as_posix()}/" for name in OUTPUT_NAMES)


def is_scanned(audio_path: str, prefix: str, skipped: tuple[str, ...]) -> bool:
    """Whether a walk would come by this path (relative to the dataset) and take it for a sound file by its name."""
    if not audio_path.startswith(prefix) or audio_path.startswith(skipped):
        return False
    inner = PurePosixPath(audio_path[len(prefix) :])
    is_hidden = any(folder.startswith(".") for folder in inner.parts[:-1])
    return not is_hidden and inner.name.lower().endswith(SOUND_SUFFIXES) and not inner.name.startswith(_MAC_SIDE_FILE)


def require_audio_folder(folder: Path) -> None:
    """Raises BadcError when there is no such folder to scan."""
    if not folder.is_dir():
        raise BadcError(folder, "is no folder", "set the audio folder to one that exists")


def _leads_to_folder(link: _Listed) -> bool:
    try:
        return link.is_dir()
    except OSError:  # a circle, or a place that may not be looked at
        return False
