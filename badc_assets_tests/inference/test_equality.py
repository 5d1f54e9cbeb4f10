"""The same results whatever the batch, the chunks, the workers, and the way of handing in batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badc_assets.inference.sound import MonoSound
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.inference.detectors import Levels, Pipelined
from badc_assets_tests.inference.runs import found, run
from badc_assets_tests.sounds import noise, with_tone, write_sound

SECONDS = 47.3


def results(folder, detector, *, chunk_s=60, suffix="wav", **others):
    dataset = make_dataset(folder, 0, chunking={"length_s": chunk_s})
    for number in range(2):
        sound = with_tone(noise(SECONDS, seed=number, level=0.02), 11, 29, 2000)
        # As integers: libsndfile rounds differently for each format.
        write_sound(folder / "audio" / f"r{number}.{suffix}", (sound * 30_000).astype(np.int16))
    dataset = type(dataset)(dataset.project, ("r0", "r1"))
    dataset.chunk()
    outcomes = run(dataset, detector, min_score=0.0, **others)
    assert all(outcome.is_complete for outcome in outcomes), outcomes
    return [found(dataset, recording) for recording in dataset.recording_ids]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """One worker, one batch size, one chunk."""
    made = results(tmp_path_factory.mktemp("expected"), Levels())
    assert len(made[0]) == 2 * (int((SECONDS - 0.7) / 0.3) + 2)
    return made


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chunk_s=st.sampled_from([0.5, 3.0, 7.77, 20.0, 60.0]),
    batch=st.integers(1, 50),
    block_s=st.floats(0.1, 30),
    workers=st.integers(1, 2),
    readers=st.integers(1, 3),
)
def test_results_depend_on_the_sound_alone(tmp_path_factory, expected, chunk_s, batch, block_s, workers, readers):
    made = results(
        tmp_path_factory.mktemp("made"), Levels(), chunk_s=chunk_s, batch_windows=batch, block_s=block_s,
        cpu_workers=workers, decode_threads=readers,
    )  # fmt: skip
    assert made == expected


def test_a_pipelined_detector_gives_the_same(tmp_path, expected):
    assert results(tmp_path, Pipelined(), chunk_s=3) == expected


def test_flac_gives_the_same_as_wav(tmp_path, expected):
    assert results(tmp_path, Levels(), chunk_s=7.77, suffix="flac") == expected


class TestMonoSound:
    """Sound that begins anywhere is the sound that was read from the start."""

    def read(self, path, sound, rate_hz, start=0, stop=None, block_s=10.0):
        made = MonoSound(path, sound, rate_hz, block_s=block_s)
        blocks = list(made.blocks(start, stop))
        return np.concatenate(blocks) if blocks else np.empty(0, np.float32)

    @pytest.fixture(scope="class", params=["wav", "flac", "mp3"])
    def file(self, request, tmp_path_factory):
        from badc_assets.audio.probe import probe

        path = tmp_path_factory.mktemp("sound") / f"long.{request.param}"
        sound = noise(700, seed=3, level=0.1)
        subtype = {"wav": "PCM_16", "flac": "PCM_16", "mp3": "MPEG_LAYER_III"}[request.param]
        write_sound(path, sound, subtype=subtype)
        return path, probe(path)

    @pytest.mark.parametrize("rate_hz", [16_000, 11_025, 22_050])
    def test_any_part_is_a_part_of_the_whole(self, file, rate_hz):
        path, sound = file
        whole = self.read(path, sound, rate_hz)
        assert len(whole) == sound.frames * rate_hz // 16_000
        for start_s, stop_s in ((0, 3), (299.5, 301), (300, 305), (601.2, 699.99), (650, 800)):
            start, stop = round(start_s * rate_hz), round(stop_s * rate_hz)
            np.testing.assert_array_equal(self.read(path, sound, rate_hz, start, stop, 0.7), whole[start:stop])

    def test_the_border_of_a_segment_cannot_be_heard(self, file):
        import soxr

        from badc_assets.audio.samples import SampleReader, to_mono

        path, sound = file
        with SampleReader(path, sound) as reader:
            samples = np.concatenate([to_mono(block) for block in reader.blocks(1 << 20)])
        expected = soxr.resample(samples, 16_000, 11_025, quality="HQ")
        made = self.read(path, sound, 11_025)
        assert np.abs(made[: len(expected)] - expected[: len(made)]).max() < 1e-6
