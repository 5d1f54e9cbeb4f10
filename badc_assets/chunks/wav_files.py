"""Chunks as WAV files, for programs that want files. Nothing in the graph needs them: its chunks are virtual."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from badc_assets.audio.probe import BadSound, SoundFormat, probe
from badc_assets.audio.samples import SampleReader
from badc_assets.chunks.manifest import Chunk, chunk_id
from badc_assets.chunks.plan import ChunkSpan, chunk_plan
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.status import lock_file
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path, exclusive
from badc_assets.layout import Layout
from badc_assets.recordings.identity import recording_id

BLOCK_FRAMES = 1 << 16
_SUBTYPES = {"int16": "PCM_16", "float32": "FLOAT"}


@dataclass(frozen=True)
class CutSound:
    """A sound file and the name that its chunks get: `name`, else that of the file as its folder shows it, never of the annex
    object."""

    path: Path
    settings: ChunkSettings
    name: str = ""

    @property
    def recording_id(self) -> str:
        """The name; without one, in the audio folder of a dataset the id that the catalogue has, so that equal names at two sites
        do not meet; elsewhere the name of the file."""
        if self.name:
            return self.name
        path, audio = _plain(self.path), root_of(self.path) / "audio"
        if (audio.parent / ".datalad").exists() and path.is_relative_to(audio):
            return recording_id(PurePosixPath(path.relative_to(audio)))
        return path.stem


def planned(sound: CutSound) -> tuple[ChunkSpan, ...]:
    """The chunks that the file would have. Raises BadSound when it cannot be opened, is empty or ends early."""
    known = _whole(sound.path)
    return chunk_plan(known.frames, known.sample_rate_hz, sound.settings)


def virtual_chunks(sound: CutSound, source_path: str) -> tuple[Chunk, ...]:
    """Rows that name spans of the whole file, without hashes."""
    return tuple(_row(sound, span, source_path, "") for span in planned(sound))


def write_wav_chunks(sound: CutSound, folder: Path, root: Path) -> Iterator[Chunk]:
    """Cut the file into WAV files in `folder`; yields each chunk when its file is there.

    The files have the rate, channels and bits of the source (16, 24, 32 or float; MP3 and Ogg become float). `source_path` is
    relative to `root` where the folder is below it; `sha256` is that of the file. Memory does not grow with the chunk's length.
    Two callers at once: the second waits. Raises BadSound when the source is empty, ends early or cannot be read at some place;
    the files before it stay. Raises BadcError when the folder holds other chunks of this recording: nobody could tell them apart.
    """
    import soundfile

    known = _whole(sound.path)
    spans = chunk_plan(known.frames, known.sample_rate_hz, sound.settings)
    targets = _targets(sound, folder, spans)
    lock = lock_file(Layout(root, root, root), sound.recording_id)
    with exclusive(lock), SampleReader(sound.path, known) as reader:
        _require_no_others(sound, folder)
        subtype = "PCM_24" if known.sample_format == "PCM_24" else _SUBTYPES.get(reader.dtype, "PCM_32")
        for span, target in zip(spans, targets, strict=True):
            with (
                atomic_path(target) as temporary,
                soundfile.SoundFile(
                    temporary, "w", known.sample_rate_hz, known.channels, subtype, format="WAV"
                ) as file,
            ):
                for block in reader.blocks(BLOCK_FRAMES, span.start_frame, span.stop_frame):
                    file.write(block)
                file.close()
            with target.open("rb") as written:
                digest = hashlib.file_digest(written, "sha256").hexdigest()
            yield _row(sound, span, _relative(target, root), digest)


def cut_otherwise(sound: CutSound, folder: Path) -> list[Path]:
    """WAV files of this recording in the folder that are none of its planned chunks."""
    pattern = re.compile(re.escape(sound.recording_id) + r"_chunk_\d+_\d+\.wav")
    planned_names = {target.name for target in _targets(sound, folder, planned(sound))}
    there = [path for path in folder.glob("*.wav") if pattern.fullmatch(path.name)]
    return sorted(path for path in there if path.name not in planned_names)


def _targets(sound: CutSound, folder: Path, spans: Sequence[ChunkSpan]) -> list[Path]:
    return [folder / f"{chunk_id(sound.recording_id, span.start_ms, span.end_ms)}.wav" for span in spans]


def _require_no_others(sound: CutSound, folder: Path) -> None:
    if others := cut_otherwise(sound, folder):
        problem = f"holds {len(others)} chunks of this recording that were cut otherwise, such as {others[0].name}"
        raise BadcError(folder, problem, "remove them, or write to another folder")


def _whole(path: Path) -> SoundFormat:
    known = probe(path)
    if not known.frames:
        raise BadSound(path, "empty", "holds no samples", "copy it again or remove it")
    if known.is_truncated:
        problem = f"ends early: its header promises {known.declared_frames} frames, it holds {known.frames}"
        raise BadSound(path, "truncated", problem, "copy it again from the card or archive")
    return known


def _row(sound: CutSound, span: ChunkSpan, source_path: str, sha256: str) -> Chunk:
    return Chunk(
        recording_id=sound.recording_id,
        chunk_id=chunk_id(sound.recording_id, span.start_ms, span.end_ms),
        source_path=source_path,
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        overlap_ms=sound.settings.overlap_ms,
        sha256=sha256,
    )


def _relative(path: Path, root: Path) -> str:
    absolute, base = path.absolute(), root.absolute()
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else absolute.as_posix()


def root_of(path: Path) -> Path:
    """The dataset that a file is in: the nearest folder above it with `.datalad` or a catalogue, else the one that holds the
    folder `audio` that it is in, else its own folder.

    Chunks that were written among the recordings would be taken for recordings by the next scan.
    """
    folder = _plain(path).parent
    above = (folder, *folder.parents)
    known = (each for each in above if (each / ".datalad").exists() or Layout(each, each, each).catalog.is_file())
    holders = (each.parent for each in above if each.name == "audio")
    return next(known, None) or next(holders, folder)


def _plain(path: Path) -> Path:
    """Absolute and without `..`, links kept."""
    return Path(os.path.normpath(path.absolute()))
