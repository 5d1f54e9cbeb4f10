"""Lock files in a folder where everybody may write: made, opened and locked so that nobody is tricked or kept out."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from badc_assets.errors import BadcError

GLANCE_S = 0.005
"""Whoever looks at a lock holds it for an instant. This long after, a lease is tried once more."""


@dataclass(frozen=True)
class LeaseFiles:
    """The lock files of one open folder. Every method raises BadcError where the folder or a file cannot be used."""

    folder: Path
    directory: int

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, *, make: bool) -> Iterator[LeaseFiles]:
        """The folder, never through a link that somebody put there. With `make` an absent one is made, open to all."""
        try:
            if make and not folder.exists():
                _make_for_all(folder)
            directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise _unusable(folder, error.strerror or str(error)) from error
        try:
            yield cls(folder, directory)
        finally:
            os.close(directory)

    def locked(self, key: str) -> int | None:
        """The lock file of `key`, open and locked; None when another holds it. The caller closes it."""
        name = lock_name(key)
        for is_last in (False, True):
            descriptor = self._existing(name, os.O_RDWR)
            if descriptor is None:
                descriptor = self._made(name)
            if _take(descriptor, fcntl.LOCK_EX) and self._is_still_there(descriptor, name):
                return descriptor
            os.close(descriptor)
            if not is_last:
                time.sleep(GLANCE_S)
        return None

    @contextmanager
    def held(self, key: str) -> Iterator[int | None]:
        """The lock file of `key`, open to read, when somebody holds its lock; None when nobody does."""
        descriptor = self._existing(lock_name(key), os.O_RDONLY)
        if descriptor is None:
            yield None
            return
        try:
            yield None if _take(descriptor, fcntl.LOCK_SH) else descriptor
        finally:
            os.close(descriptor)

    def _existing(self, name: str, mode: int) -> int | None:
        """The open lock file, None where there is none.

        O_CREAT is left out on purpose: Linux (fs.protected_regular) forbids it for files of others in a folder open to all.
        """
        try:
            flags = mode | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            descriptor = os.open(name, flags, dir_fd=self.directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self.folder / name, error.strerror or str(error)) from error
        state = os.fstat(descriptor)
        if stat.S_ISREG(state.st_mode) and state.st_nlink <= 1:
            return descriptor
        os.close(descriptor)
        # A hard link could be another user's way to have a file of ours overwritten.
        raise _unusable(self.folder / name, "it is not a plain file with one name")

    def _made(self, name: str) -> int:
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, 0o666, dir_fd=self.directory)
        except FileExistsError:
            existing = self._existing(name, os.O_RDWR)
            if existing is None:
                raise _unusable(self.folder / name, "it comes and goes") from None
            return existing
        except OSError as error:
            raise _unusable(self.folder / name, error.strerror or str(error)) from error
        os.fchmod(descriptor, 0o666)
        return descriptor

    def _is_still_there(self, descriptor: int, name: str) -> bool:
        """False when the file was removed meanwhile: a lock on it would keep nobody out."""
        try:
            present = os.stat(name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return present.st_ino == os.fstat(descriptor).st_ino


def lock_name(key: str) -> str:
    """The name of the lock file. A UUID from NVML is taken as it is, anything strange is made harmless."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", key).lstrip(".")[:200] + ".lock"


def _make_for_all(folder: Path) -> None:
    """Make the folder, with everybody's right to write, in one step: nobody meets it half done."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    fresh.mkdir()
    fresh.chmod(0o1777)
    try:
        fresh.rename(folder)
    except OSError:
        fresh.rmdir()  # somebody else was quicker
        if not folder.is_dir():
            raise


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unusable(place: Path, reason: str) -> BadcError:
    return BadcError(
        place, f"cannot be used to share GPUs between runs ({reason})", "remove it or have its owner do so"
    )
