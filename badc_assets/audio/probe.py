"""What a sound file is, from its headers: format, length, and whether the file holds what its header promises."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from badc_assets.audio.annexed import annex_key
from badc_assets.audio.mp3 import states_length
from badc_assets.audio.riff import WavData, read_wav_data
from badc_assets.errors import BadcError, printable

if TYPE_CHECKING:
    from soundfile import SoundFile

SoundTrouble = Literal[
    "missing", "not_a_file", "no_permission", "empty", "unreadable", "truncated", "content_missing"
]  # fmt: skip

_CONTAINERS = {"WAV": "wav", "WAVEX": "wav", "RF64": "wav", "FLAC": "flac", "MP3": "mp3", "OGG": "ogg", "RAW": "wav"}
_FIXED_BYTES = {"PCM_U8": 1, "PCM_S8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8,
                "ULAW": 1, "ALAW": 1}  # fmt: skip
_LENGTH_UNKNOWN = 2**62
"""libsndfile gives the largest int64 for a FLAC stream that does not state its length."""


class BadSound(BadcError):
    """A sound file that cannot be used as it is. `code` says in one word why."""

    def __init__(self, path: Path, code: SoundTrouble, problem: str, remedy: str) -> None:
        self.code = code
        super().__init__(path, problem, remedy)


@dataclass(frozen=True)
class SoundFormat:
    """Format and length of a sound file.

    `container` is wav, flac, mp3 or ogg, `sample_format` libsndfile's name (PCM_16, PCM_24, FLOAT, VORBIS, ...).
    `frames` can be read, `declared_frames` is what the header claims, equal to `frames` where it claims nothing.
    """

    container: str
    sample_format: str
    sample_rate_hz: int
    channels: int
    frames: int
    declared_frames: int

    @property
    def duration_ms(self) -> int:
        """Milliseconds that can be read, rounded down."""
        return self.frames * 1000 // self.sample_rate_hz

    @property
    def is_truncated(self) -> bool:
        return self.frames < self.declared_frames


def probe(path: Path) -> SoundFormat:
    """Format and length from headers. Truncation is in the result, so that the caller decides about it.

    Only at the end of a compressed file is a little sound decoded, to see whether the end is there; a FLAC or MP3
    file that ends early is bisected by seeking (about 30 openings). What a truncated Ogg file once declared cannot be
    known, since its length stands in its last page. Of an MP3 file with variable bit rate and no Xing header libsndfile
    estimates the length from the first frame and reads no further.
    Raises BadSound with every other code.
    """
    with open_sound(path) as (sound, wav):
        container = _CONTAINERS.get(sound.format)
        if container is None:
            problem = f"holds {sound.format_info} sound"
            raise BadSound(path, "unreadable", problem, "convert it to WAV, FLAC, MP3 or Ogg")
        frames, sample_format, channels = int(sound.frames), str(sound.subtype), int(sound.channels)
        rate = int(sound.samplerate)
    if container in ("flac", "mp3"):
        is_stated = frames < _LENGTH_UNKNOWN if container == "flac" else states_length(path)
        frames, declared = _compressed_length(path, frames, is_stated)
    else:
        declared = _declared_frames(wav, frames, _FIXED_BYTES.get(sample_format, 0) * channels)
    if frames == 0:
        held = f" of {declared} declared" if declared else ""
        raise BadSound(path, "empty", f"has a header but no samples{held}", "copy it again or remove it")
    return SoundFormat(container, sample_format, rate, channels, frames, declared)


@contextmanager
def open_sound(path: Path) -> Iterator[tuple[SoundFile, WavData | None]]:
    """The opened file, and its WAV data chunk if it has one. Raises BadSound like `probe`.

    A WAV file whose writer was interrupted before it stated a length is read to its end.
    """
    import soundfile

    from badc_assets.audio.forward import open_forward

    _require_file(path)
    with ExitStack() as stack:
        try:
            wav = read_wav_data(path)
            sound = stack.enter_context(open_forward(path))
            if wav is not None and wav.declared_bytes is None and sound.frames == 0:
                sound = _unfinished(path, wav, sound, stack)
        except (soundfile.LibsndfileError, OSError) as error:
            raise unreadable(path, error) from error
        yield sound, wav


def unreadable(path: Path, error: Exception, where: str = "") -> BadSound:
    """The error of libsndfile as one for users. `where` says at which position, if the file could be opened."""
    said = (
        printable(str(getattr(error, "error_string", None) or getattr(error, "strerror", None) or error))
        .strip()
        .rstrip(".")
    )
    problem = f"cannot be read as sound{where} ({said})"
    return BadSound(
        path, "unreadable", problem, "check that it is a whole WAV, FLAC, MP3 or Ogg file, or copy it again"
    )


def _require_file(path: Path) -> None:
    """Everything that can be said without opening the file as sound. A FIFO or device is never opened."""
    try:
        status = path.stat()
    except PermissionError as error:
        raise _forbidden(path) from error
    except OSError as error:
        raise _absent(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no ordinary file"
        raise BadSound(path, "not_a_file", f"is {kind}", "rename or remove it")
    if not os.access(path, os.R_OK):
        raise _forbidden(path)
    if status.st_size == 0:
        raise BadSound(path, "empty", "has no bytes", "copy it again or remove it")
    if not path.is_symlink() and annex_key(path) is not None:
        raise _not_fetched(path)


def _absent(path: Path, error: OSError) -> BadSound:
    if error.errno == errno.ENAMETOOLONG:
        return BadSound(path, "missing", "has a name that is too long to exist here", "shorten the name")
    if path.is_symlink() and annex_key(path) is not None:
        return _not_fetched(path)
    if error.errno == errno.ELOOP:
        return BadSound(path, "missing", "is a link that leads to itself", "remove the link or point it at a file")
    if path.is_symlink():
        return BadSound(path, "missing", "is a link to a file that does not exist", "restore the file or the link")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return BadSound(path, "missing", "does not exist", "restore it or scan the dataset again")
    return BadSound(path, "unreadable", f"cannot be reached ({error.strerror})", "check the disk or network drive")


def _not_fetched(path: Path) -> BadSound:
    return BadSound(
        path, "content_missing", "is known to git-annex but its content is not here", "run `datalad get` on it"
    )


def _forbidden(path: Path) -> BadSound:
    return BadSound(path, "no_permission", "may not be read", "give this user permission to read it")


def _declared_frames(wav: WavData | None, frames: int, frame_bytes: int) -> int:
    """What a WAV header promised. libsndfile cuts its own count down to what the file holds, so it cannot tell."""
    if wav is None or wav.declared_bytes is None or wav.declared_bytes <= wav.available_bytes:
        return frames
    if frame_bytes:
        return wav.declared_bytes // frame_bytes
    return frames * wav.declared_bytes // max(wav.available_bytes, 1)


def _compressed_length(path: Path, claimed: int, is_stated: bool) -> tuple[int, int]:
    """(frames that can be read, frames declared) of a FLAC or MP3 file of which libsndfile claims `claimed` frames.

    libsndfile 1.2 trusts the header of a truncated FLAC or MP3 file and fails only at the break. After a failed seek it
    fails everywhere, so every trial opens the file anew. A claim that the header does not state is an estimate.
    """
    if claimed == 0 or (claimed < _LENGTH_UNKNOWN and _can_read_at(path, claimed - 1)):
        return claimed, claimed
    # A FLAC frame holds at most 65535 samples in no less than 10 bytes, so no file is longer than that.
    beyond = min(claimed, path.stat().st_size * 65535 // 10)
    readable = -1
    while beyond - readable > 1:
        middle = (readable + beyond) // 2
        if _can_read_at(path, middle):
            readable = middle
        else:
            beyond = middle
    frames = readable + 1
    return frames, claimed if is_stated else frames


def _can_read_at(path: Path, frame: int) -> bool:
    import soundfile

    from badc_assets.audio.forward import open_forward

    try:
        with open_forward(path) as sound:
            sound.seek(frame)
            return len(sound.read(1, dtype="int16")) == 1
    except soundfile.LibsndfileError:
        return False


def _unfinished(path: Path, wav: WavData, header: SoundFile, stack: ExitStack) -> SoundFile:
    """The samples of a WAV file whose data size is 0: libsndfile would find none, so it gets the bytes as raw sound."""
    from badc_assets.audio.forward import ForwardSound

    frame_bytes = _FIXED_BYTES.get(header.subtype, 0) * header.channels
    if not frame_bytes or wav.available_bytes < frame_bytes:
        return header
    raw = ForwardSound(
        _Tail(stack.enter_context(path.open("rb")), wav.offset),  # pyright: ignore[reportArgumentType]
        samplerate=header.samplerate,
        channels=header.channels,
        subtype=header.subtype,
        endian="BIG" if wav.is_big_endian else "LITTLE",
        format="RAW",
    )
    return stack.enter_context(raw)


class _Tail:
    """The part of an open file behind `offset`, as a file of its own."""

    def __init__(self, handle: BinaryIO, offset: int) -> None:
        self._handle, self._offset = handle, offset
        handle.seek(offset)

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        self._handle.seek(position + self._offset if whence == os.SEEK_SET else position, whence)
        return self.tell()

    def tell(self) -> int:
        return self._handle.tell() - self._offset

    def read(self, count: int = -1) -> bytes:
        return self._handle.read(count)
