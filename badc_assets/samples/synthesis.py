"""A small generated dataset with known calls: three sites, two days, dawn and night, the formats found in the field.

The calls are mixed in at signal-to-noise ratios of 6 to 25 dB. The audio lies below `audio/` as an ecologist would keep
it; `truth.csv` beside that folder says where the calls are. The truth is written last: where it stands, the dataset is
whole. One recording is noise only, and one is so faint that it is flagged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from badc_assets.errors import BadcError
from badc_assets.files import atomic_path, write_json, write_text
from badc_assets.samples.sounds import (
    Background,
    Samples,
    background,
    band_power,
    drum,
    energy_band_hz,
    whistle,
)
from badc_assets.samples.truth import TrueCall, read_truth, truth_text

VERSION = 2
"""Goes up when the same seed gives other sound."""

LEAST_SNR_DB, MOST_SNR_DB = 6.0, 25.0

_CALLS: dict[str, Callable[[int, np.random.Generator], Samples]] = {"drum": drum, "whistle": whistle}
_LOUDEST = 0.9


@dataclass(frozen=True)
class SampleDataset:
    """What `make_sample_dataset` made or found. `audio_paths` are relative to `folder`."""

    folder: Path
    truth_csv: Path
    audio_paths: tuple[str, ...]
    calls: tuple[TrueCall, ...]
    is_new: bool


@dataclass(frozen=True)
class _Recording:
    """One recording to make."""

    name: str
    sample_rate_hz: int
    seconds: int
    sound: Background
    drums: int = 0
    whistles: int = 0
    subtype: str = "PCM_16"
    channels: int = 1

    @property
    def audio_path(self) -> str:
        return f"audio/{self.name.rsplit('_', 2)[0]}/{self.name}"


_RECORDINGS = (
    _Recording("GNWT101_20230508_003000.wav", 32_000, 60, Background(-62, 0.5), drums=2, whistles=1),
    _Recording("GNWT101_20230508_051500.wav", 32_000, 75, Background(-52, 1.0), drums=3, whistles=10),
    _Recording("GNWT101_20230509_003000.wav", 32_000, 60, Background(-60, 1.0)),
    _Recording("GNWT101_20230509_051500.wav", 32_000, 75, Background(-48, 1.0, gust_db=12), drums=2, whistles=9),
    _Recording("GNWT-202_20230508_010000.wav", 22_050, 60, Background(-58, 1.5, hum_hz=60), drums=2, whistles=2),
    _Recording("GNWT-202_20230508_050000.wav", 22_050, 75, Background(-50, 0.0), drums=3, whistles=12, channels=2),
    _Recording("GNWT-202_20230509_010000.wav", 22_050, 60, Background(-65, 1.0), drums=2, whistles=1, subtype="PCM_24"),
    _Recording("GNWT-202_20230509_050000.wav", 22_050, 90, Background(-45, 1.0, gust_db=18), drums=3, whistles=10),
    _Recording("GNWT-202_20230509_060000.wav", 22_050, 60, Background(-88, 0.0)),
    _Recording("S4A01234_20230508_020000.WAV", 44_100, 60, Background(-60, 0.7), drums=1, whistles=1),
    _Recording("S4A01234_20230508_053000.WAV", 44_100, 60, Background(-50, 1.0, hum_hz=120), drums=2, whistles=8),
    _Recording("S4A01234_20230509_020000.WAV", 44_100, 60, Background(-55, 2.0, gust_db=15), drums=2, whistles=2),
    _Recording("S4A01234_20230509_053000.flac", 48_000, 75, Background(-52, 0.5), drums=2, whistles=9),
)


def make_sample_dataset(folder: Path, *, seed: int = 20230501) -> SampleDataset:
    """Write the dataset into `folder`, or find that it stands there whole (`is_new` False) and write nothing.

    The same seed gives the same samples. Damaged or missing files are made anew.
    Raises BadcError when `folder` holds something else.
    """
    record = folder / "badc_sample.json"
    truth_csv = folder / "truth.csv"
    audio_paths = tuple(recording.audio_path for recording in _RECORDINGS)
    if _is_whole(record, {**{path: folder / path for path in audio_paths}, truth_csv.name: truth_csv}, seed):
        return SampleDataset(folder, truth_csv, audio_paths, read_truth(truth_csv), is_new=False)
    if folder.exists() and not record.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadcError(folder, "is in use for something else", "give a new or an empty folder for the sample dataset")

    truth_csv.unlink(missing_ok=True)
    write_json(record, {"version": VERSION, "seed": seed})
    calls: list[TrueCall] = []
    for number, recording in enumerate(_RECORDINGS):
        samples, found = _render(recording, np.random.default_rng((seed, number)))
        _write_audio(folder / recording.audio_path, samples, recording)
        calls += found
    text = truth_text(calls)
    hashes = {path: _sha256(folder / path) for path in audio_paths}
    hashes[truth_csv.name] = hashlib.sha256(text.encode()).hexdigest()
    write_json(record, {"version": VERSION, "seed": seed, "sha256": hashes})
    write_text(truth_csv, text)
    return SampleDataset(folder, truth_csv, audio_paths, read_truth(truth_csv), is_new=True)


def _is_whole(record: Path, files: dict[str, Path], seed: int) -> bool:
    """Whether `record` says that `files` were made from this seed by this version, and they are still the same."""
    if not all(path.is_file() for path in (record, *files.values())):
        return False
    try:
        stored = json.loads(record.read_text(encoding="utf-8"))
    except ValueError:
        return False
    hashes = {name: _sha256(path) for name, path in files.items()}
    return stored == {"version": VERSION, "seed": seed, "sha256": hashes}


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _render(recording: _Recording, rng: np.random.Generator) -> tuple[Samples, list[TrueCall]]:
    """The samples, shape (frames, channels), and the calls in them."""
    rate = recording.sample_rate_hz
    noise = background(recording.sound, recording.seconds, rate, rng)
    mix, calls = noise.copy(), []
    for call_type, count in (("drum", recording.drums), ("whistle", recording.whistles)):
        for slot in range(count):
            sound = _CALLS[call_type](rate, rng)
            width = len(noise) / count
            start = round(slot * width + rng.uniform(0.02, 0.98) * max(width - len(sound), 0))
            snr_db = rng.uniform(LEAST_SNR_DB, MOST_SNR_DB)
            low_hz, high_hz = energy_band_hz(sound, rate)
            stretch = slice(start, start + len(sound))
            noise_power = band_power(noise[stretch], rate, low_hz, high_hz)
            mix[stretch] += sound * np.sqrt(noise_power * 10 ** (snr_db / 10) / np.mean(sound**2))
            calls.append(
                TrueCall(
                    recording.audio_path,
                    start * 1000 // rate,
                    -(-(start + len(sound)) * 1000 // rate),
                    round(low_hz, 1),
                    round(high_hz, 1),
                    call_type,
                    round(snr_db, 1),
                )
            )
    mix *= min(1.0, _LOUDEST / np.abs(mix).max())
    # A second microphone hears the same a little softer.
    return np.stack([mix * 0.8**channel for channel in range(recording.channels)], axis=1), calls


def _write_audio(path: Path, samples: Samples, recording: _Recording) -> None:
    import soundfile

    container = "FLAC" if path.suffix == ".flac" else "WAV"
    with atomic_path(path) as temporary:
        try:
            soundfile.write(temporary, samples, recording.sample_rate_hz, subtype=recording.subtype, format=container)
        except soundfile.SoundFileError as error:
            raise BadcError(path, f"cannot be written ({error})", "free space or make the folder writable") from error
