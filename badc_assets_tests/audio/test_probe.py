"""What `probe` says of good, bad and truncated sound files."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from badc_assets.audio.probe import BadSound, probe
from badc_assets.audio.samples import SampleReader
from badc_assets_tests.audio.builders import RATE_HZ, chunk, cut, format_chunk, riff, tones, write_sound

SAMPLES = (tones(1000)[:, 0] * 32767).astype("<i2").tobytes()


def code_of(path: Path) -> str:
    with pytest.raises(BadSound) as caught:
        probe(path)
    assert "\n" not in str(caught.value)
    return caught.value.code


def file_with(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


class TestGoodFiles:
    @pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
    @pytest.mark.parametrize("channels", [1, 2, 4])
    def test_wav(self, tmp_path: Path, subtype: str, channels: int):
        found = probe(write_sound(tmp_path / "a.wav", 5001, channels, subtype))
        assert (found.container, found.sample_format, found.channels) == ("wav", subtype, channels)
        assert (found.frames, found.declared_frames, found.duration_ms) == (5001, 5001, 5001 * 1000 // RATE_HZ)
        assert not found.is_truncated

    @pytest.mark.parametrize(
        ("name", "options", "container"),
        [
            ("a.flac", {}, "flac"),
            ("a.flac", {"subtype": "PCM_24"}, "flac"),
            ("a.ogg", {"subtype": "VORBIS"}, "ogg"),
            ("a.ogg", {"subtype": "OPUS"}, "ogg"),
            ("a.mp3", {}, "mp3"),
            ("a.wav", {"format": "RF64"}, "wav"),
            ("a.wav", {"format": "WAVEX"}, "wav"),
            ("a.wav", {"subtype": "IMA_ADPCM"}, "wav"),
            ("FLAC inside.wav", {"format": "FLAC"}, "flac"),
        ],
    )
    def test_other_containers(self, tmp_path: Path, name: str, options: dict, container: str):
        found = probe(write_sound(tmp_path / name, 50_000, **options))
        assert found.container == container
        assert found.sample_rate_hz == RATE_HZ
        assert abs(found.frames - 50_000) < 1000  # ADPCM fills its last block
        assert not found.is_truncated

    @pytest.mark.parametrize(
        "name", ["a b,c.wav", 'it\'s "q".wav', "new\nline.wav", "-v.wav", "Étang_川.wav", "bad\udcff.wav"]
    )
    def test_any_name(self, tmp_path: Path, name: str):
        assert probe(write_sound(tmp_path / name)).frames == RATE_HZ

    def test_link_to_a_file(self, tmp_path: Path):
        (tmp_path / "link.wav").symlink_to(write_sound(tmp_path / "a.wav"))
        assert probe(tmp_path / "link.wav").frames == RATE_HZ

    def test_real_recordings(self, shared_data: Path):
        files = sorted((shared_data / "recordings").rglob("*.*"))
        sound = [path for path in files if path.suffix in (".wav", ".flac", ".mp3")]
        assert len(sound) > 100
        for path in sound:
            assert not probe(path).is_truncated, path


class TestWavChunks:
    def test_chunks_around_the_samples(self, tmp_path: Path):
        bext = chunk(b"bext", b"x" * 603)
        content = riff(bext, format_chunk(), chunk(b"data", SAMPLES), chunk(b"LIST", b"INFOabc"), chunk(b"guan", b"{}"))
        found = probe(file_with(tmp_path / "a.wav", content))
        assert (found.frames, found.declared_frames) == (1000, 1000)

    def test_truncated_behind_an_odd_chunk(self, tmp_path: Path):
        content = riff(chunk(b"guan", b"abc"), format_chunk(), chunk(b"data", SAMPLES, size=4000))
        found = probe(file_with(tmp_path / "a.wav", content))
        assert (found.frames, found.declared_frames, found.is_truncated) == (1000, 2000, True)

    @pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
    def test_interrupted_writer_never_stated_a_length(self, tmp_path: Path, size: int):
        path = file_with(tmp_path / "a.wav", riff(format_chunk(), chunk(b"data", SAMPLES, size=size)))
        found = probe(path)
        assert (found.container, found.sample_format) == ("wav", "PCM_16")
        assert (found.frames, found.declared_frames) == (1000, 1000)
        with SampleReader(path) as reader:
            read = b"".join(block.tobytes() for block in reader.blocks(300))
        assert read == SAMPLES

    def test_interrupted_in_the_middle_with_start_and_stop(self, tmp_path: Path):
        path = file_with(tmp_path / "a.wav", riff(format_chunk(2), chunk(b"data", SAMPLES, size=0)))
        with SampleReader(path) as reader:
            read = b"".join(block.tobytes() for block in reader.blocks(64, 100, 300))
        assert read == SAMPLES[400:1200]

    def test_interrupted_writer_of_rf64(self, tmp_path: Path):
        sizes = chunk(b"ds64", struct.pack("<QQQI", 0, 0, 0, 0))
        content = riff(sizes, format_chunk(), chunk(b"data", SAMPLES, size=0xFFFFFFFF), form=b"RF64")
        found = probe(file_with(tmp_path / "a.wav", content))
        assert (found.frames, found.declared_frames) == (1000, 1000)

    def test_truncated_rf64(self, tmp_path: Path):
        found = probe(cut(write_sound(tmp_path / "a.wav", 10_000, format="RF64"), 0.5))
        assert found.declared_frames == 10_000
        assert 4900 < found.frames < 5100

    def test_empty_samples_before_another_chunk(self, tmp_path: Path):
        content = riff(format_chunk(), chunk(b"data", b""), chunk(b"LIST", b"INFO"))
        assert code_of(file_with(tmp_path / "a.wav", content)) == "empty"


class TestTruncation:
    @pytest.mark.parametrize(("subtype", "channels"), [("PCM_16", 1), ("PCM_24", 2), ("FLOAT", 4), ("DOUBLE", 1)])
    def test_wav(self, tmp_path: Path, subtype: str, channels: int):
        found = probe(cut(write_sound(tmp_path / "a.wav", 100_000, channels, subtype), 0.6))
        assert found.declared_frames == 100_000
        assert abs(found.frames - 60_000) < 50
        assert found.is_truncated

    def test_compressed_wav(self, tmp_path: Path):
        found = probe(cut(write_sound(tmp_path / "a.wav", 100_000, subtype="IMA_ADPCM"), 0.6))
        assert abs(found.declared_frames - 100_000) < 2000
        assert abs(found.frames - 60_000) < 2000

    @pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
    @pytest.mark.parametrize("keep", [0.2, 0.6, 0.98])
    def test_compressed(self, tmp_path: Path, name: str, keep: float):
        path = cut(write_sound(tmp_path / name, 200_000), keep)
        found = probe(path)
        assert found.declared_frames == 200_000
        assert 200_000 * keep * 0.8 < found.frames < 200_000
        with SampleReader(path, found) as reader:
            assert sum(len(block) for block in reader.blocks(10_000)) == found.frames

    def test_flac_without_a_stated_length(self, tmp_path: Path):
        path = write_sound(tmp_path / "a.flac", 100_000)
        content = bytearray(path.read_bytes())
        length_field = int.from_bytes(content[18:26], "big") & ~((1 << 36) - 1)
        content[18:26] = length_field.to_bytes(8, "big")
        path.write_bytes(content)
        found = probe(path)
        assert not found.is_truncated
        assert 100_000 - 4096 < found.frames <= 100_000

    def test_mp3_without_a_stated_length(self, tmp_path: Path):
        """A trailing ID3v1 tag makes the estimate too long, which is no truncation."""
        path = write_sound(tmp_path / "a.mp3", 200_000)
        content = path.read_bytes()
        second_frame = content.index(content[:2], content.index(b"LAME"))
        path.write_bytes(content[second_frame:] + b"TAG" + bytes(2000))
        found = probe(path)
        assert not found.is_truncated
        with SampleReader(path) as reader:
            assert sum(len(block) for block in reader.blocks(10_000)) == found.frames > 50_000

    def test_mp3_behind_a_picture(self, tmp_path: Path):
        path = write_sound(tmp_path / "a.mp3", 200_000)
        path.write_bytes(b"ID3\x04\0\0\0\0\x10\0" + bytes(2048) + path.read_bytes())
        assert probe(path).declared_frames == 200_000
        assert probe(cut(path, 0.7)).is_truncated


class TestBadFiles:
    def test_random_bytes(self, tmp_path: Path):
        path = file_with(tmp_path / "a.wav", os.urandom(5000))
        assert code_of(path) == "unreadable"

    def test_zero_bytes(self, tmp_path: Path):
        assert code_of(file_with(tmp_path / "a.wav", b"")) == "empty"

    @pytest.mark.parametrize("name", ["a.wav", "a.flac"])
    def test_header_only(self, tmp_path: Path, name: str):
        assert code_of(write_sound(tmp_path / name, 0)) == "empty"

    def test_flac_cut_behind_its_header(self, tmp_path: Path):
        path = write_sound(tmp_path / "a.flac")
        os.truncate(path, 42)
        assert code_of(path) == "empty"

    @pytest.mark.parametrize("size", [3, 12, 20, 36])
    def test_cut_inside_the_header(self, tmp_path: Path, size: int):
        path = write_sound(tmp_path / "a.wav")
        os.truncate(path, size)
        assert code_of(path) == "unreadable"

    def test_other_kind_of_sound(self, tmp_path: Path):
        assert code_of(write_sound(tmp_path / "a.wav", format="AIFF")) == "unreadable"

    def test_missing(self, tmp_path: Path):
        assert code_of(tmp_path / "a.wav") == "missing"
        assert code_of(tmp_path / f"{'x' * 300}.wav") == "missing"
        assert code_of(write_sound(tmp_path / "b.wav") / "a.wav") == "missing"

    def test_folder(self, tmp_path: Path):
        (tmp_path / "a.wav").mkdir()
        assert code_of(tmp_path / "a.wav") == "not_a_file"

    def test_fifo_is_not_opened(self, tmp_path: Path):
        os.mkfifo(tmp_path / "a.wav")
        assert code_of(tmp_path / "a.wav") == "not_a_file"

    def test_dangling_and_circular_links(self, tmp_path: Path):
        (tmp_path / "a.wav").symlink_to("nowhere.wav")
        (tmp_path / "b.wav").symlink_to("c.wav")
        (tmp_path / "c.wav").symlink_to("b.wav")
        assert code_of(tmp_path / "a.wav") == "missing"
        assert code_of(tmp_path / "b.wav") == "missing"

    def test_annexed_content_absent(self, tmp_path: Path):
        (tmp_path / "a.wav").symlink_to(".git/annex/objects/aa/bb/KEY/SHA256E-s5--00.wav")
        (tmp_path / "b.wav").write_text("/annex/objects/SHA256E-s5--00.wav\n")
        assert code_of(tmp_path / "a.wav") == "content_missing"
        assert code_of(tmp_path / "b.wav") == "content_missing"

    @pytest.mark.parametrize("forbidden", ["file", "folder"])
    def test_no_permission(self, public_folder: Path, forbidden: str):
        path = write_sound(public_folder / "folder" / "a.wav")
        assert code_for_ordinary_user(path) == "none"
        (path if forbidden == "file" else path.parent).chmod(0)
        assert code_for_ordinary_user(path) == "no_permission"
        path.parent.chmod(0o755)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other users can enter, which they cannot with pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


AS_ORDINARY_USER = """
import os, sys, soundfile
from pathlib import Path
from badc_assets.audio import forward
from badc_assets.audio.probe import BadSound, probe
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    probe(Path(sys.argv[1]))
    print("none")
except BadSound as error:
    print(error.code)
"""


def code_for_ordinary_user(path: Path) -> str:
    """Permissions do not bind root, so root drops its rights in a process of its own."""
    command = [sys.executable, "-c", AS_ORDINARY_USER, os.fspath(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
