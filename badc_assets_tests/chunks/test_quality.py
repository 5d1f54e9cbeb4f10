"""Quality gates: measured in the pass that hashes, stored, judged by limits that can change without reading again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from badc_assets.chunks.chunking import ChunkOutcome, chunk_recordings
from badc_assets.chunks.gate import chunking_problem
from badc_assets.chunks.manifest import read_manifest
from badc_assets.chunks.quality.file import read_quality
from badc_assets.chunks.quality.limits import QualityLimits
from badc_assets.chunks.quality.listing import quality_counts
from badc_assets.chunks.quality.verdict import judge
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.status import read_status, write_status
from badc_assets.errors import BadcError
from badc_assets_tests.datasets import Dataset, fixed_clock, make_dataset
from badc_assets_tests.sounds import RATE_HZ, noise, write_sound


def dataset_of(folder, sound: np.ndarray, **settings) -> Dataset:
    """One recording with this sound, catalogued and examined; chunks of two seconds."""
    dataset = make_dataset(folder, 1, **settings)
    write_sound(folder / "audio" / f"{dataset.recording_ids[0]}.wav", sound)
    dataset.examine()
    return dataset


def chunked(dataset: Dataset, settings: ChunkSettings | None = None) -> ChunkOutcome:
    (outcome,) = chunk_recordings(
        dataset.layout, dataset.recording_ids, settings or dataset.project.chunking, fixed_clock
    )
    return outcome


def codes(outcome: ChunkOutcome) -> list[str]:
    assert outcome.quality is not None
    return [flag.code for flag in outcome.quality.flags]


def silent_from(start_s: float, end_s: float, seconds: float = 8) -> np.ndarray:
    sound = noise(seconds)
    sound[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)] = 0
    return sound


def test_good_sound_has_no_flags(tmp_path):
    dataset = dataset_of(tmp_path, noise(8))
    outcome = chunked(dataset)
    assert (outcome.status, outcome.quality and outcome.quality.status) == ("completed", "ok")
    quality = read_quality(dataset.layout, dataset.recording_ids[0])
    assert list(quality.chunks) == [
        chunk.chunk_id for chunk in read_manifest(dataset.layout.manifest(outcome.recording_id))
    ]
    assert quality.recording.seconds == 8
    assert {each.seconds for each in quality.chunks.values()} == {2}
    assert quality.recording.level_dbfs == pytest.approx(-40, abs=0.2)


@pytest.mark.parametrize(
    ("sound", "expected"),
    [
        (np.zeros(8 * RATE_HZ), ["no_sound"]),
        (silent_from(2, 3), ["still"]),
        (silent_from(2.5, 2.54), ["dropouts"]),
        (np.clip(noise(8, level=1.0), -0.7, 0.7), ["clipped", "high_level", "rain"]),
        (noise(8) + 0.1, ["offset"]),
        (noise(8, level=0.00006), ["low_level"]),
        (np.stack([noise(8), noise(8, seed=2) * 0.01], axis=1), ["dead_channel"]),
        (np.stack([noise(8), np.zeros(8 * RATE_HZ)], axis=1), ["still", "dead_channel"]),
    ],
)
def test_each_fault_is_named(tmp_path, sound, expected):
    outcome = chunked(dataset_of(tmp_path, sound))
    assert codes(outcome) == expected
    assert outcome.quality is not None
    assert outcome.quality.status == ("quarantined" if expected == ["no_sound"] else "flagged")


def test_hum_is_named(tmp_path):
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    hum = sum(0.02 * np.sin(2 * np.pi * 60 * k * time_s) for k in range(1, 6))
    outcome = chunked(dataset_of(tmp_path, noise(8, level=0.001) + hum))
    assert outcome.quality is not None
    assert codes(outcome) == ["hum"]
    assert "60 Hz" in outcome.quality.reason


def test_a_quarantined_recording_goes_no_further(tmp_path):
    dataset = dataset_of(tmp_path, np.zeros(8 * RATE_HZ))
    outcome = chunked(dataset)
    assert outcome.is_complete
    problem = chunking_problem(dataset.layout, outcome.recording_id, dataset.project.chunking)
    assert problem == "no_sound: the signal stands still for 100 % of the time"
    assert quality_counts(dataset.layout, dataset.recording_ids).quarantined == {outcome.recording_id: problem}


def test_a_chunk_without_sound_is_unusable_alone(tmp_path):
    dataset = dataset_of(tmp_path, silent_from(2, 4))
    outcome = chunked(dataset)
    assert (codes(outcome), outcome.unusable_chunks) == (["still"], 1)
    quality = read_quality(dataset.layout, outcome.recording_id)
    assert quality.unusable == {f"{outcome.recording_id}_chunk_2000_4000"}
    assert chunking_problem(dataset.layout, outcome.recording_id, dataset.project.chunking) == ""


def test_other_limits_need_no_reading(tmp_path):
    dataset = dataset_of(tmp_path, silent_from(2, 3))
    first = chunked(dataset)
    (dataset.layout.dataset / "audio" / f"{first.recording_id}.wav").unlink()  # nothing is left to be read
    strict = dataset.project.chunking.model_copy(update={"quality": QualityLimits(quarantine=("still",))})
    assert chunking_problem(dataset.layout, first.recording_id, strict).endswith("not held against the present limits")
    again = chunked(dataset, strict)
    assert (again.was_reused, again.quality and again.quality.status) == (True, "quarantined")
    assert again.manifest_digest == first.manifest_digest
    assert chunking_problem(dataset.layout, first.recording_id, strict).startswith("still: ")
    lax = dataset.project.chunking.model_copy(update={"quality": QualityLimits(still_share=0.5)})
    assert codes(chunked(dataset, lax)) == []


@pytest.mark.parametrize("damage", ["removed", "cut", "other version", "not JSON's shape"])
def test_numbers_that_are_lost_are_measured_again(tmp_path, damage):
    dataset = dataset_of(tmp_path, silent_from(2, 3))
    outcome = chunked(dataset)
    path = dataset.layout.quality(outcome.recording_id)
    wanted = path.read_bytes()
    if damage == "removed":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(wanted[:200])
    elif damage == "other version":
        path.write_text(json.dumps(json.loads(wanted) | {"version": 0}))
    else:
        path.write_text("[]")
    with pytest.raises(BadcError, match=r"quality\.json"):
        read_quality(dataset.layout, outcome.recording_id)
    other = dataset.project.chunking.model_copy(update={"quality": QualityLimits(still_share=0.5)})
    assert not chunked(dataset, other).was_reused
    chunked(dataset)
    assert path.read_bytes() == wanted


def test_a_status_from_before_the_limits_is_not_enough(tmp_path):
    """Statuses that an earlier version wrote say nothing of the sound."""
    dataset = dataset_of(tmp_path, noise(4))
    outcome = chunked(dataset)
    status = read_status(dataset.layout, outcome.recording_id)
    assert status is not None
    values = {k: v for k, v in status.to_json().items() if not k.startswith(("quality", "unusable"))}
    dataset.layout.chunk_status(outcome.recording_id).write_text(json.dumps(values))
    dataset.layout.quality(outcome.recording_id).unlink()
    assert chunking_problem(dataset.layout, outcome.recording_id, dataset.project.chunking)
    again = chunked(dataset)
    assert (again.was_reused, again.quality and again.quality.status) == (False, "ok")


def test_a_failed_reading_leaves_no_numbers(tmp_path):
    dataset = dataset_of(tmp_path, noise(4))
    outcome = chunked(dataset)
    write_sound(tmp_path / "audio" / f"{outcome.recording_id}.wav", noise(6))  # changes after it was examined
    status = read_status(dataset.layout, outcome.recording_id)
    assert status is not None
    write_status(dataset.layout, status.__class__(**{**vars(status), "settings_digest": "of other chunks"}))
    assert chunked(dataset).status == "failed"
    assert not dataset.layout.quality(outcome.recording_id).exists()


def test_every_limit_counts():
    """For each number there is sound that is within the default limit, and beyond a stricter one."""
    from badc_assets.chunks.quality.numbers import SoundQuality

    sound = SoundQuality(
        seconds=100, still_share=0.005, lost_share=0.002, dropout_s=0, clipped_share=0.0, clipped_s=1, offset=-0.02,
        level_dbfs=-50, peak_dbfs=-10, channel_gap_db=5, hum_db=4, hum_hz=50, wind_db=15, low_db=-65, rain_db=-75,
        rain_even=0.3,
    )  # fmt: skip
    assert judge(sound, QualityLimits()).status == "ok"
    stricter = {
        "no_sound": {"no_sound_share": 0.002}, "still": {"still_share": 0.004}, "clipped": {"clipped_share": 0.001},
        "offset": {"offset": 0.01}, "low_level": {"low_level_dbfs": -40}, "high_level": {"high_level_dbfs": -60},
        "dead_channel": {"channel_gap_db": 4}, "hum": {"hum_db": 3}, "wind": {"wind_db": 14}, "rain": {"rain_evenness": 0.2},
    }  # fmt: skip
    for code, limit in stricter.items():
        assert [flag.code for flag in judge(sound, QualityLimits.model_validate(limit)).flags] == [code]
