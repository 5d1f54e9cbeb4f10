"""The generated dataset: complete, as described by its truth table, repeatable, and careful with other people's folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from badc_assets.errors import BadcError
from badc_assets.samples.synthesis import LEAST_SNR_DB, MOST_SNR_DB, SampleDataset, make_sample_dataset
from badc_assets.samples.truth import read_truth


@pytest.fixture
def copied(sample_dataset: SampleDataset, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample_dataset.folder, tmp_path / "copy"))


def _stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_holds_the_formats_of_the_field(sample_dataset: SampleDataset) -> None:
    infos = [soundfile.info(sample_dataset.folder / path) for path in sample_dataset.audio_paths]
    assert 12 <= len(infos) <= 16
    assert {info.samplerate for info in infos} == {22_050, 32_000, 44_100, 48_000}
    assert sum(info.format == "FLAC" for info in infos) == 1
    assert sum(info.subtype == "PCM_24" for info in infos) == 1
    assert sum(info.channels == 2 for info in infos) == 1
    assert all(60 <= info.duration <= 120 for info in infos)
    assert {Path(path).suffix for path in sample_dataset.audio_paths} == {".wav", ".WAV", ".flac"}
    assert len({Path(path).parent for path in sample_dataset.audio_paths}) == 3


def test_is_small_and_keeps_the_truth_outside_the_audio(sample_dataset: SampleDataset) -> None:
    files = [path for path in sample_dataset.folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 60e6
    audio = {path.relative_to(sample_dataset.folder).as_posix() for path in files if "audio" in path.parts}
    assert audio == set(sample_dataset.audio_paths)


def test_calls_lie_inside_their_recordings(sample_dataset: SampleDataset) -> None:
    assert {call.call_type for call in sample_dataset.calls} == {"drum", "whistle"}
    for call in sample_dataset.calls:
        info = soundfile.info(sample_dataset.folder / call.audio_path)
        assert 0 <= call.start_ms < call.end_ms <= info.duration * 1000 + 1
        assert 0 < call.low_hz < call.high_hz < info.samplerate / 2
        assert LEAST_SNR_DB <= call.snr_db <= MOST_SNR_DB


def test_one_recording_is_faint_and_one_has_only_noise(sample_dataset: SampleDataset) -> None:
    without_calls = set(sample_dataset.audio_paths) - {call.audio_path for call in sample_dataset.calls}
    levels = [np.abs(soundfile.read(sample_dataset.folder / path)[0]).max() for path in sorted(without_calls)]
    assert [0 < level < 0.001 for level in sorted(levels)] == [True, False]


def test_no_recording_is_clipped(sample_dataset: SampleDataset) -> None:
    for path in sample_dataset.audio_paths:
        assert np.abs(soundfile.read(sample_dataset.folder / path)[0]).max() < 0.99


def test_a_louder_call_stands_out_by_about_its_stated_ratio(sample_dataset: SampleDataset) -> None:
    """Measured from the file: band power during the call against the same band in the quiet second before it."""
    path = next(path for path in sample_dataset.audio_paths if path.endswith("GNWT-202_20230508_050000.wav"))
    samples, rate = soundfile.read(sample_dataset.folder / path)
    errors = []
    for call in sample_dataset.calls:
        if call.audio_path != path or call.call_type != "whistle" or call.start_ms < 1000:
            continue
        start, end = (round(ms * rate / 1000) for ms in (call.start_ms, call.end_ms))
        powers = []
        for piece in (samples[start:end, 0], samples[start - rate : start, 0]):
            spectrum = np.abs(np.fft.rfft(piece)) ** 2 / len(piece) ** 2
            frequency = np.fft.rfftfreq(len(piece), 1 / rate)
            powers.append(spectrum[(frequency >= call.low_hz) & (frequency <= call.high_hz)].sum())
        errors.append(10 * np.log10(max(powers[0] / powers[1] - 1, 1e-3)) - call.snr_db)
    assert len(errors) >= 8
    assert abs(np.median(errors)) < 1.0


def test_second_call_writes_nothing(copied: Path) -> None:
    before = _stamps(copied)
    again = make_sample_dataset(copied)
    assert not again.is_new
    assert _stamps(copied) == before
    assert again.calls == read_truth(copied / "truth.csv")


def test_damaged_audio_and_edited_truth_are_made_anew(copied: Path, sample_dataset: SampleDataset) -> None:
    damaged = copied / sample_dataset.audio_paths[1]
    damaged.write_bytes(damaged.read_bytes()[:-1000])
    (copied / "truth.csv").write_text("audio_path\n")
    assert make_sample_dataset(copied).is_new
    for path in (*sample_dataset.audio_paths, "truth.csv"):
        assert (copied / path).read_bytes() == (sample_dataset.folder / path).read_bytes()


def test_another_seed_gives_other_calls(copied: Path, sample_dataset: SampleDataset) -> None:
    other = make_sample_dataset(copied, seed=7)
    assert other.is_new
    assert other.calls != sample_dataset.calls


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "truth.csv"
    theirs.write_text("mine")
    with pytest.raises(BadcError, match="in use"):
        make_sample_dataset(tmp_path)
    assert theirs.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [theirs]
