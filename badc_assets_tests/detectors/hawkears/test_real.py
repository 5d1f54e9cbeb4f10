"""The real HawkEars 2 with a tiny checkpoint that was trained on generated sounds.

BADC_HAWKEARS_PYTHON names an interpreter that has HawkEars, such as the one that `badc detectors setup hawkears` makes.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from badc_assets.detectors.hawkears.detector import HawkEarsDetector, HawkEarsSettings
from badc_assets.detectors.protocol import Device, Event
from badc_assets.errors import BadcError
from badc_assets_tests.detectors.hawkears.environment import clip_of
from badc_assets_tests.detectors.hawkears.real import make_real_root, needs_real_hawkears, real_python
from badc_assets_tests.sounds import write_sound

pytestmark = needs_real_hawkears

SURE = 0.9


@pytest.fixture(scope="module")
def python() -> Path:
    return real_python()


@pytest.fixture(scope="module")
def sounds(shared_data) -> Path:
    return shared_data / "hawkears"


@pytest.fixture(scope="module")
def root(sounds, tmp_path_factory) -> Path:
    return make_real_root(tmp_path_factory.mktemp("root"), sounds)


@pytest.fixture(scope="module")
def detector(python, root) -> Iterator[HawkEarsDetector]:
    made = HawkEarsDetector(HawkEarsSettings.model_validate({"python": python, "root": root}))
    chosen = made.load(Device())
    assert (chosen["device"], chosen["models"]) == ("cpu", "1, kept")
    yield made
    made.close()


def sure(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.confidence >= SURE]


def test_the_planted_events_are_found_and_nothing_else(detector, sounds) -> None:
    with (sounds / "truth.csv").open(newline="") as file:
        planted = list(csv.DictReader(file))
    found = 0
    for path in sorted(sounds.glob("*.wav")):
        truth = [(row["code"], 1000 * int(row["start"])) for row in planted if row["recording"] == path.stem]
        events = sure(detector.detect(clip_of(path)))
        for code, start_ms in truth:
            # A call lasts 3 s. Labels lie on a grid of 3 s, so it may have two.
            hits = [e for e in events if e.label.code == code and e.start_ms < start_ms + 3000 and e.end_ms > start_ms]
            assert hits, f"{path.stem}: {code} at {start_ms} ms was not found: {events}"
            found += 1
            events = [event for event in events if event not in hits]
        assert not events, f"{path.stem}: found what was not planted: {events}"
    assert found == len(planted) == 5


def test_labels_have_codes_and_names(detector, sounds) -> None:
    events = detector.detect(clip_of(sounds / "GNWT231_20230601_052500.wav"))
    assert {(event.label.code, event.label.name) for event in events} == {
        ("OVEN", "Ovenbird"),
        ("WTSP", "White-throated Sparrow"),
    }


def test_models_are_loaded_once_and_results_stay_the_same(python, root, sounds, tmp_path) -> None:
    shutil.copytree(root, tmp_path / "root")
    other = HawkEarsDetector(HawkEarsSettings.model_validate({"python": python, "root": tmp_path / "root"}))
    other.load(Device())
    try:
        clips = [clip_of(path) for path in sorted(sounds.glob("*.wav"))]
        before = [other.detect(clip) for clip in clips]
        (tmp_path / "root/data/ckpt/tiny_hawkears.ckpt").write_bytes(b"no model any more")
        assert [other.detect(clip) for clip in clips] == before
    finally:
        other.close()


def test_a_git_annex_link_gives_what_the_file_gives(detector, sounds, tmp_path) -> None:
    path = sounds / "GNWT114_20230601_060000.wav"
    (tmp_path / "MD5E-s3840044--abc").write_bytes(path.read_bytes())
    link = tmp_path / path.name
    link.symlink_to("MD5E-s3840044--abc")
    assert detector.detect(clip_of(link)) == detector.detect(clip_of(path))


def test_what_it_would_take_for_silence_or_for_birds(detector, sounds, tmp_path) -> None:
    samples, rate_hz = soundfile.read(sounds / "GNWT114_20230601_060000.wav", dtype="float32")

    def clip(name: str, part: np.ndarray, **values):
        return clip_of(write_sound(tmp_path / name, part, rate_hz=rate_hz, subtype="FLOAT"), **values)

    with pytest.raises(BadcError, match="HawkEars gives no scores for so short a sound"):
        detector.detect(clip("short.wav", samples[: rate_hz // 2]))
    with pytest.raises(BadcError, match="holds 6000 ms of sound, 60000 ms were expected"):
        detector.detect(clip("cut.wav", samples[: 6 * rate_hz], duration_ms=60_000))
    with pytest.raises(BadcError, match="holds samples that are not numbers"):
        detector.detect(clip("nan.wav", np.where(np.arange(len(samples)) == 5, np.float32("nan"), samples)))
    half = np.concatenate([samples[: 20 * rate_hz], np.zeros(10 * rate_hz, np.float32)])
    assert [event.start_ms for event in sure(detector.detect(clip("half.wav", half)))] == [9000]
    assert max(event.end_ms for event in detector.detect(clip("tail.wav", samples[: 10 * rate_hz]))) == 10_000
