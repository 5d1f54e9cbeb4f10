"""Chunks as WAV files: what BADC's documented cutting gives, computed here with the standard library."""

from __future__ import annotations

import hashlib
import io
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from badc_assets.chunks.manifest import read_manifest
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.wav_files import CutSound, root_of, write_wav_chunks
from badc_assets.cli.main import app
from badc_assets.errors import BadcError


def write(path: Path, frames: int, rate_hz: int = 8000, channels: int = 1, subtype: str = "PCM_16") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(frames).uniform(-0.5, 0.5, (frames, channels))
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path


def cut_as_documented(path: Path, length_s: float, overlap_s: float) -> list[tuple[str, str]]:
    """(chunk id, sha256 of its WAV file), without the last chunk where it lies wholly inside the one before."""
    found = []
    with wave.open(str(path)) as source:
        rate, total = source.getframerate(), source.getnframes()
        frames, start = max(int(length_s * rate), 1), 0
        step = frames - int(overlap_s * rate)
        while start < total and not (found and start + int(overlap_s * rate) >= total):
            stop = min(start + frames, total)
            source.setpos(start)
            data = source.readframes(stop - start)
            buffer = io.BytesIO()
            with wave.open(buffer, "wb") as chunk:
                chunk.setparams(source.getparams())
                chunk.writeframes(data)
            name = f"{path.stem}_chunk_{start * 1000 // rate}_{stop * 1000 // rate}"
            found.append((name, hashlib.sha256(buffer.getvalue()).hexdigest()))
            start += step
    return found


@given(
    frames=st.integers(1, 40).map(lambda tenths: tenths * 800),
    length=st.integers(1, 15),
    overlap=st.integers(0, 5),
    channels=st.sampled_from([1, 2]),
    subtype=st.sampled_from(["PCM_16", "PCM_24"]),
)
@settings(max_examples=40, deadline=None)
def test_the_same_chunks_ids_and_hashes_as_badc_documents(tmp_path_factory, frames, length, overlap, channels, subtype):
    length, overlap = max(length, overlap + 1) / 10, overlap / 10
    folder = tmp_path_factory.mktemp("cut")
    source = write(folder / "R.wav", frames, channels=channels, subtype=subtype)
    sound = CutSound(source, ChunkSettings(length_s=length, overlap_s=overlap))  # pyright: ignore[reportCallIssue]
    made = [(chunk.chunk_id, chunk.sha256) for chunk in write_wav_chunks(sound, folder / "out", folder)]
    assert made == cut_as_documented(source, length, overlap)


@pytest.mark.parametrize(
    ("name", "subtype", "expected"),
    [
        ("a.wav", "PCM_32", "PCM_32"), ("a.wav", "FLOAT", "FLOAT"), ("a.wav", "PCM_24", "PCM_24"),
        ("a.flac", "PCM_16", "PCM_16"), ("a.flac", "PCM_24", "PCM_24"), ("a.ogg", "VORBIS", "FLOAT"),
    ],
)  # fmt: skip
def test_bits_are_kept_and_the_parts_are_the_whole(tmp_path, name, subtype, expected):
    source = write(tmp_path / name, 20_000, channels=2, subtype=subtype)
    chunks = list(write_wav_chunks(CutSound(source, ChunkSettings(length_s=1)), tmp_path / "out", tmp_path))  # pyright: ignore[reportCallIssue]
    parts = [soundfile.read(tmp_path / chunk.source_path, dtype="int32", always_2d=True)[0] for chunk in chunks]
    assert soundfile.info(tmp_path / chunks[0].source_path).subtype == expected
    if subtype != "VORBIS":
        assert np.array_equal(np.concatenate(parts), soundfile.read(source, dtype="int32", always_2d=True)[0])
    for chunk in chunks:
        assert hashlib.sha256((tmp_path / chunk.source_path).read_bytes()).hexdigest() == chunk.sha256


def badc(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["chunk", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_run_writes_into_the_dataset_and_keeps_the_name_of_an_annexed_file(tmp_path):
    (tmp_path / ".datalad").mkdir()
    key = write(tmp_path / ".git/annex/objects/MD5E-s1--ab.flac", 20_000)
    (tmp_path / "audio/site").mkdir(parents=True)
    link = tmp_path / "audio/site/R.flac"
    link.symlink_to(key)
    assert "site__R_chunk_0_1000" in badc("run", link, "--chunk-duration", "1", "--dry-run")
    assert not (tmp_path / "artifacts").exists()
    badc("run", link, "--chunk-duration", "1", "--overlap", "0.5")
    chunks = read_manifest(tmp_path / "manifests/site__R.csv")
    assert [chunk.chunk_id for chunk in chunks] == [
        f"site__R_chunk_{at}_{min(at + 1000, 2500)}" for at in (0, 500, 1000, 1500)
    ]
    assert {chunk.overlap_ms for chunk in chunks} == {500}
    for chunk in chunks:
        assert chunk.source_path == f"artifacts/chunks/site__R/{chunk.chunk_id}.wav"
        assert (tmp_path / chunk.source_path).is_file()


def test_manifest_is_about_the_file_or_about_wav_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "audio/R.wav", 12_000)
    badc("manifest", "audio/R.wav", "--chunk-duration", "1")
    whole = read_manifest(tmp_path / "chunk_manifest.csv")
    assert [(chunk.source_path, chunk.start_ms, chunk.end_ms) for chunk in whole] == [
        ("audio/R.wav", 0, 1000), ("audio/R.wav", 1000, 1500),
    ]  # fmt: skip
    badc("manifest", "audio/R.wav", "--chunk-duration", "1", "--output", "h.csv", "--hash-chunks")
    assert all(len(chunk.sha256) == 64 for chunk in read_manifest(tmp_path / "h.csv"))
    assert badc("split", "audio/R.wav", "--chunk-duration", "1").split() == ["R_chunk_0_1000", "R_chunk_1000_1500"]


def test_what_is_wrong_is_one_line_and_leaves_no_manifest(tmp_path):
    with pytest.raises(BadcError, match="must be shorter"):
        badc("run", tmp_path / "R.wav", "--chunk-duration", "1", "--overlap", "1")
    with pytest.raises(BadcError):
        badc("run", tmp_path / "R.wav", "--chunk-duration", "1")
    source = write(tmp_path / "R.wav", 20_000)
    source.write_bytes(source.read_bytes()[:20_000])
    with pytest.raises(BadcError, match="ends early"):
        badc("run", source, "--chunk-duration", "1")
    assert not (tmp_path / "manifests").exists()


def test_chunks_are_not_written_among_the_recordings_where_they_would_be_taken_for_some(tmp_path):
    for audio in (tmp_path / "one/audio/A/R.wav", tmp_path / "two/A/R.wav", tmp_path / "three/A/R.wav"):
        write(audio, 8_000)
    catalog = tmp_path / "two/artifacts/recordings/catalog.parquet"
    catalog.parent.mkdir(parents=True)
    catalog.touch()
    roots = [root_of(tmp_path / folder) for folder in ("one/audio/A/R.wav", "two/A/R.wav", "three/A/R.wav")]
    assert roots == [tmp_path / "one", tmp_path / "two", tmp_path / "three/A"]
