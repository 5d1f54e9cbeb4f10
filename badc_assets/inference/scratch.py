"""Chunks as real files, for programs: written where there is room, in memory if possible, and removed afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from badc_assets.audio.probe import SoundFormat
from badc_assets.audio.samples import SampleReader
from badc_assets.chunks.manifest import Chunk
from badc_assets.errors import BadcError
from badc_assets.files import SCRATCH, scratch_prefix
from badc_assets.processes import is_alive

MEMORY = Path("/dev/shm")
"""A folder in memory on Linux. It is used where a chunk takes at most a quarter of what is free there."""

_SUBTYPES = {"int16": "PCM_16", "int32": "PCM_24", "float32": "FLOAT"}
_BYTES = {"int16": 2, "int32": 4, "float32": 4}
_BLOCK_FRAMES = 1 << 17


@contextmanager
def chunk_as_wav(source: Path, sound: SoundFormat, chunk: Chunk) -> Iterator[Path]:
    """The samples of a chunk as a WAV file of its own, named by its chunk id: all channels, the rate and depth of the source.

    Raises BadSound when the chunk cannot be read, BadcError when there is no room for it.
    """
    import soundfile

    rate_hz = sound.sample_rate_hz
    start = chunk.start_frame if chunk.start_frame is not None else chunk.start_ms * rate_hz // 1000
    stop = chunk.stop_frame if chunk.stop_frame is not None else chunk.end_ms * rate_hz // 1000
    with SampleReader(source, sound) as reader:
        needed = (stop - start) * sound.channels * _BYTES[reader.dtype]
        with tempfile.TemporaryDirectory(prefix=scratch_prefix(), dir=_folder(needed)) as folder:
            # Not the whole id: with a deep path it is longer than a file name may be.
            path = Path(folder) / f"{chunk.chunk_id[-200:]}.wav"
            try:
                with soundfile.SoundFile(path, "w", rate_hz, sound.channels, _SUBTYPES[reader.dtype]) as target:
                    for block in reader.blocks(_BLOCK_FRAMES, start, stop):
                        target.write(block)
            except soundfile.LibsndfileError as error:
                raise BadcError(path, f"cannot be written ({error})", "free space in the temporary folder") from error
            yield path


def leftovers() -> Iterator[Path]:
    """The folders that killed processes left in scratch: in memory they would stay for ever."""
    for parent in (MEMORY, Path(tempfile.gettempdir())):
        for folder in parent.glob(f"{SCRATCH}*-*"):
            number = folder.name.removeprefix(SCRATCH).split("-")[0]
            if number.isdecimal() and not is_alive(int(number)):
                yield folder


def remove_leftovers() -> None:
    """Remove what killed processes left in scratch."""
    for folder in list(leftovers()):
        shutil.rmtree(folder, ignore_errors=True)


def _folder(needed_bytes: int) -> str | None:
    """Memory where it has room, else the usual place for temporary files."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 * needed_bytes:
        return str(MEMORY)
    return None
