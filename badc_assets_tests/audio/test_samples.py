"""Blocks of samples: complete, exact, of the right type, and honest about what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.audio.probe import BadSound, probe
from badc_assets.audio.samples import SampleReader, read_span, sample_dtype, to_mono
from badc_assets_tests.audio.builders import RATE_HZ, cut, tones, write_sound


def all_samples(path: Path, block_frames: int, *limits: int) -> np.ndarray:
    with SampleReader(path) as reader:
        return np.concatenate([block.copy() for block in reader.blocks(block_frames, *limits)])


@pytest.mark.parametrize(
    ("sample_format", "expected"),
    [("PCM_16", "int16"), ("PCM_U8", "int16"), ("PCM_S8", "int16"), ("PCM_24", "int32"), ("PCM_32", "int32"),
     ("FLOAT", "float32"), ("DOUBLE", "float32"), ("VORBIS", "float32"), ("OPUS", "float32"),
     ("MPEG_LAYER_III", "float32"), ("something new", "float32")],
)  # fmt: skip
def test_sample_type(sample_format: str, expected: str):
    assert sample_dtype(sample_format) == expected


class TestBlocks:
    @pytest.mark.parametrize(
        ("name", "subtype", "dtype"),
        [("a.wav", "PCM_16", "int16"), ("a.wav", "PCM_24", "int32"), ("a.wav", "FLOAT", "float32"),
         ("a.flac", "PCM_16", "int16"), ("a.flac", "PCM_24", "int32"), ("a.mp3", None, "float32"),
         ("a.ogg", "VORBIS", "float32")],
    )  # fmt: skip
    @pytest.mark.parametrize("channels", [1, 2])
    def test_equal_to_the_whole_file(self, tmp_path: Path, name: str, subtype: str | None, dtype: str, channels: int):
        path = write_sound(tmp_path / name, 20_000, channels, subtype)
        whole, _ = soundfile.read(path, dtype=dtype, always_2d=True)
        # mpg123 rounds the last bit otherwise after a seek, and soundfile.read seeks before it reads.
        rounding = 1e-6 if name == "a.mp3" else 0
        blocks = all_samples(path, 3000)
        assert blocks.dtype == np.dtype(dtype)
        np.testing.assert_allclose(blocks, whole, atol=rounding, rtol=0)
        np.testing.assert_allclose(all_samples(path, 777, 5000, 9001), whole[5000:9001], atol=rounding, rtol=0)
        np.testing.assert_array_equal(all_samples(path, 777), blocks)

    @pytest.fixture(scope="class")
    def recording(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_sound(tmp_path_factory.mktemp("sound") / "a.flac", 9000, 3)

    @given(block=st.integers(1, 10_000), start=st.integers(0, 10_000), length=st.integers(0, 10_000))
    @settings(max_examples=60, deadline=None)
    def test_any_cut(self, recording: Path, block: int, start: int, length: int):
        whole, _ = soundfile.read(recording, dtype="int16", always_2d=True)
        with SampleReader(recording) as reader:
            blocks = [part.copy() for part in reader.blocks(block, start, start + length)]
        assert all(len(part) == block for part in blocks[:-1])
        joined = np.concatenate([np.empty((0, 3), np.int16), *blocks])
        np.testing.assert_array_equal(joined, whole[start : start + length])

    def test_one_buffer_is_reused(self, tmp_path: Path):
        with SampleReader(write_sound(tmp_path / "a.wav")) as reader:
            kept = list(reader.blocks(1000))
        assert all(np.shares_memory(kept[0], block) for block in kept)

    def test_can_be_read_again(self, tmp_path: Path):
        with SampleReader(write_sound(tmp_path / "a.wav")) as reader:
            first = np.concatenate([block.copy() for block in reader.blocks(1000)])
            again = np.concatenate([block.copy() for block in reader.blocks(1000)])
        np.testing.assert_array_equal(first, again)

    @pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
    def test_file_that_shrank_since_it_was_probed(self, tmp_path: Path, name: str):
        path = write_sound(tmp_path / name, 100_000)
        known = probe(path)
        cut(path, 0.5)
        got = 0
        with pytest.raises(BadSound) as caught, SampleReader(path, known) as reader:
            for block in reader.blocks(5000):
                got += len(block)
        assert caught.value.code in ("truncated", "unreadable")
        assert " ms" in str(caught.value)
        assert 40_000 < got < 60_000

    def test_damage_in_the_middle(self, tmp_path: Path):
        path = write_sound(tmp_path / "a.flac", 200_000)
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 30_000] = bytes(30_000)
        path.write_bytes(content)
        with pytest.raises(BadSound), SampleReader(path, replace(probe(path), frames=200_000)) as reader:
            list(reader.blocks(5000))

    def test_file_gone_since_it_was_probed(self, tmp_path: Path):
        path = write_sound(tmp_path / "a.wav")
        known = probe(path)
        path.unlink()
        with pytest.raises(BadSound) as caught, SampleReader(path, known):
            pass
        assert caught.value.code == "missing"


class TestMono:
    @pytest.mark.parametrize(
        ("subtype", "tolerance"), [("PCM_U8", 0.01), ("PCM_16", 1e-4), ("PCM_24", 1e-6), ("FLOAT", 1e-6)]
    )
    @pytest.mark.parametrize("channels", [1, 2, 4])
    def test_scaled_mean(self, tmp_path: Path, subtype: str, tolerance: float, channels: int):
        path = write_sound(tmp_path / "a.wav", 3000, channels, subtype)
        mono = to_mono(all_samples(path, 3000))
        assert (mono.shape, mono.dtype) == ((3000,), np.float32)
        np.testing.assert_allclose(mono, tones(3000, channels).mean(axis=1), atol=tolerance)

    def test_full_scale_does_not_overflow(self):
        block = np.full((5, 4), -(2**31), dtype=np.int32)
        np.testing.assert_array_equal(to_mono(block), -1.0)
        np.testing.assert_array_equal(to_mono(np.full((5, 4), 32767, dtype=np.int16)), np.float32(32767 / 32768))

    def test_result_is_no_view(self):
        block = np.ones((5, 1), dtype=np.float32)
        mono = to_mono(block)
        block[:] = 0
        np.testing.assert_array_equal(mono, 1.0)


class TestSpan:
    def test_clip(self, tmp_path: Path):
        path = write_sound(tmp_path / "a.wav", 2 * RATE_HZ, 2, "PCM_24")
        clip, rate = read_span(path, 500, 1250)
        assert (clip.shape, clip.dtype, rate) == ((12_000, 2), np.float32, RATE_HZ)
        np.testing.assert_allclose(clip, tones(2 * RATE_HZ, 2)[8000:20_000], atol=1e-6)

    def test_cut_to_the_file(self, tmp_path: Path):
        path = write_sound(tmp_path / "a.wav", 1600)
        assert read_span(path, -50, 10_000)[0].shape == (1600, 1)
        assert read_span(path, 5000, 6000)[0].shape == (0, 1)
        assert read_span(path, 60, 40)[0].shape == (0, 1)
