"""The indices of recordings: one row per chunk, nothing done twice, and one bad recording is its own trouble."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from badc_assets.chunks.chunking import chunk_recordings
from badc_assets.chunks.indices.file import COLUMNS, read_indices, stored_key
from badc_assets.chunks.indices.indexing import IndexOutcome, index_recordings
from badc_assets.chunks.indices.measure import INDEX_NAMES, acoustic_indices
from badc_assets.chunks.indices.rules import indices_out_of_bounds
from badc_assets.chunks.indices.settings import IndexSettings
from badc_assets.chunks.manifest import read_manifest
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.errors import BadcError
from badc_assets_tests.datasets import Dataset, fixed_clock, make_dataset
from badc_assets_tests.sounds import RATE_HZ, noise, with_tone, write_sound

LOW = IndexSettings(diversity_max_hz=8000)
"""Bands that all fit below half of the 16 kHz of the test recordings."""


def indexed(dataset: Dataset, settings: IndexSettings = LOW) -> list[IndexOutcome]:
    return list(index_recordings(dataset.layout, dataset.recording_ids, dataset.project.chunking, settings))


def rows_of(dataset: Dataset, position: int = 0) -> list[dict]:
    return read_indices(dataset.layout.indices(dataset.recording_ids[position])).to_pylist()


def dataset_of(folder, sound: np.ndarray, **options) -> Dataset:
    """One chunked recording with this sound; chunks of two seconds."""
    dataset = make_dataset(folder, 1)
    write_sound(folder / "audio" / f"{dataset.recording_ids[0]}.wav", sound, **options)
    dataset.chunk()
    return dataset


def test_a_row_per_chunk_with_the_indices_of_its_samples(tmp_path):
    dataset = make_dataset(tmp_path, 1, seconds=5)
    dataset.chunk()
    (outcome,) = indexed(dataset)
    assert (outcome.is_complete, outcome.chunks, outcome.without_index) == (True, 3, 0)
    samples, _ = soundfile.read(dataset.layout.source(f"audio/{outcome.recording_id}.wav"), dtype="float32")
    chunks, rows = read_manifest(dataset.layout.manifest(outcome.recording_id)), rows_of(dataset)
    assert [list(row) for row in rows] == [list(COLUMNS)] * 3
    assert [row["chunk_id"] for row in rows] == [chunk.chunk_id for chunk in chunks]
    for row in rows:
        assert (row["recording_id"], row["sample_rate_hz"]) == (outcome.recording_id, RATE_HZ)
        span = samples[row["chunk_start_ms"] * RATE_HZ // 1000 : row["chunk_end_ms"] * RATE_HZ // 1000]
        expected = acoustic_indices(span, RATE_HZ, LOW)
        assert [row[name] for name in INDEX_NAMES] == [getattr(expected, name) for name in INDEX_NAMES]
        assert row["note"] == ""


def test_channels_are_averaged(tmp_path):
    left, right = noise(2), with_tone(noise(2, seed=1), 0.5, 1, 2500)
    dataset = dataset_of(tmp_path, np.stack([left, right], axis=1), subtype="FLOAT")
    indexed(dataset)
    expected = acoustic_indices((left + right) / 2, RATE_HZ, LOW)
    (row,) = rows_of(dataset)
    assert row["h"] == pytest.approx(expected.h, rel=1e-5)
    assert row["aci"] == pytest.approx(expected.aci, rel=1e-4)


def test_channels_that_cancel_each_other_have_none(tmp_path):
    left = noise(2)
    dataset = dataset_of(tmp_path, np.stack([left, -left + noise(2, seed=1, level=1e-4)], axis=1))
    indexed(dataset)
    assert [row["note"] for row in rows_of(dataset)] == ["its channels cancel each other"]


def test_a_silent_chunk_has_none_and_says_so(tmp_path):
    sound = noise(6)
    sound[2 * RATE_HZ : 4 * RATE_HZ] = 0
    dataset = dataset_of(tmp_path, sound)
    (outcome,) = indexed(dataset)
    assert (outcome.is_complete, outcome.without_index) == (True, 1)
    assert [row["note"] for row in rows_of(dataset)] == ["", "is silent", ""]
    assert rows_of(dataset)[1]["h"] is None


def test_a_short_last_chunk_has_none(tmp_path):
    dataset = dataset_of(tmp_path, noise(2.05))
    indexed(dataset)
    assert ["fewer than 3 spectra" in row["note"] for row in rows_of(dataset)] == [False, True]


def test_a_low_sample_rate_leaves_out_what_does_not_fit(tmp_path):
    dataset = dataset_of(tmp_path, noise(2, rate_hz=8000), rate_hz=8000)
    assert indexed(dataset, IndexSettings())[0].is_complete
    (row,) = rows_of(dataset)
    assert (row["ndsi"], row["adi"], row["bi"]) == (None, None, None)
    assert row["aci"] > 0
    assert 0 < row["h"] <= 1
    assert "half the sample rate" in row["note"]


def test_a_second_run_reads_nothing(tmp_path):
    dataset = make_dataset(tmp_path, 2)
    dataset.chunk()
    first = indexed(dataset)
    written = [dataset.layout.indices(name).stat().st_mtime_ns for name in dataset.recording_ids]
    for name in dataset.recording_ids:
        dataset.layout.source(f"audio/{name}.wav").unlink()
    second = indexed(dataset)
    assert [outcome.was_reused for outcome in [*first, *second]] == [False, False, True, True]
    assert [outcome.key for outcome in second] == [outcome.key for outcome in first]
    assert [dataset.layout.indices(name).stat().st_mtime_ns for name in dataset.recording_ids] == written


def test_other_settings_other_chunks_other_sound_and_another_library_make_them_anew(tmp_path, monkeypatch):
    dataset = make_dataset(tmp_path, 1, seconds=6)
    dataset.chunk()
    keys = [indexed(dataset)[0].key]
    keys.append(indexed(dataset, IndexSettings(diversity_max_hz=8000, window=1024))[0].key)
    list(chunk_recordings(dataset.layout, dataset.recording_ids, ChunkSettings(length_s=3), fixed_clock))
    (outcome,) = index_recordings(dataset.layout, dataset.recording_ids, ChunkSettings(length_s=3), LOW)
    keys.append(outcome.key)
    assert [row["chunk_end_ms"] for row in rows_of(dataset)] == [3000, 6000]
    write_sound(dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav"), noise(6, seed=5))
    dataset.chunk()
    keys.append(indexed(dataset)[0].key)
    monkeypatch.setattr("badc_assets.chunks.indices.indexing.maad_version", lambda: "99")
    (outcome,) = indexed(dataset)
    assert not outcome.was_reused
    assert len({*keys, outcome.key}) == 5


def test_a_damaged_file_of_indices_is_made_anew(tmp_path):
    dataset = make_dataset(tmp_path, 1)
    dataset.chunk()
    indexed(dataset)
    path = dataset.layout.indices(dataset.recording_ids[0])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadcError, match="cannot be read as Parquet"):
        read_indices(path)
    (outcome,) = indexed(dataset)
    assert not outcome.was_reused
    assert len(rows_of(dataset)) == 3


def test_bad_recordings_have_their_reason_and_the_others_their_indices(tmp_path):
    dataset = make_dataset(tmp_path, 5, bad=(0,))
    dataset.chunk()
    _, truncated, changed, gone, good = dataset.recording_ids
    indexed(dataset)
    source = dataset.layout.source(f"audio/{truncated}.wav")
    source.write_bytes(source.read_bytes()[:-50_000])
    with dataset.layout.source(f"audio/{changed}.wav").open("r+b") as file:
        file.seek(50_000)
        file.write(b"other")
    dataset.layout.source(f"audio/{gone}.wav").unlink()
    outcomes = {outcome.recording_id: outcome for outcome in indexed(dataset, IndexSettings())}
    assert [name for name, outcome in outcomes.items() if outcome.is_complete] == [good]
    assert "unreadable" in outcomes[dataset.recording_ids[0]].reason
    assert "ends at" in outcomes[truncated].reason or "changed" in outcomes[truncated].reason
    assert "changed" in outcomes[changed].reason
    assert outcomes[gone].reason
    # What is left of other settings would be taken for these.
    assert not any(dataset.layout.indices(name).exists() for name in (truncated, changed, gone))
    assert len(rows_of(dataset, 4)) == 3


@pytest.mark.parametrize("state", ["in_progress", "failed"])
def test_nothing_without_completed_chunking(tmp_path, state):
    dataset = make_dataset(tmp_path, 1)
    dataset.chunk()
    path = dataset.layout.chunk_status(dataset.recording_ids[0])
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": state}))
    (outcome,) = indexed(dataset)
    assert not outcome.is_complete
    assert "chunking" in outcome.reason
    assert not dataset.layout.indices(dataset.recording_ids[0]).exists()


def test_a_folder_in_the_place_of_the_file_is_that_recordings_trouble(tmp_path):
    dataset = make_dataset(tmp_path, 2)
    dataset.chunk()
    dataset.layout.indices(dataset.recording_ids[0]).mkdir(parents=True)
    first, second = indexed(dataset)
    assert "folder in the place" in first.reason
    assert second.is_complete


def test_without_the_library_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    dataset = make_dataset(tmp_path, 1)
    dataset.chunk()
    monkeypatch.setattr("badc_assets.chunks.indices.scikit_maad.DISTRIBUTION", "scikit-maad-not-installed")
    with pytest.raises(BadcError, match=r"is not installed.*pip install 'badc-assets\[indices\]'"):
        indexed(dataset)


def _index_slowly(dataset: Dataset) -> None:
    indexed(dataset)


def test_kill_9_in_the_middle_leaves_whole_files_only(tmp_path):
    dataset = make_dataset(tmp_path, 12, seconds=20)
    dataset.chunk()
    victim = multiprocessing.Process(target=_index_slowly, args=(dataset,))
    victim.start()
    while victim.is_alive() and not dataset.layout.indices(dataset.recording_ids[1]).exists():
        time.sleep(0.002)
    assert victim.pid
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    finished = [name for name in dataset.recording_ids if dataset.layout.indices(name).exists()]
    assert 2 <= len(finished) < 12
    assert all(stored_key(dataset.layout.indices(name)) for name in finished)
    again = indexed(dataset)
    assert all(outcome.is_complete for outcome in again)
    assert [outcome.recording_id for outcome in again if outcome.was_reused] == finished


def test_all_files_together_are_one_table(tmp_path):
    dataset = make_dataset(tmp_path, 3)
    dataset.chunk()
    indexed(dataset)
    files = dataset.layout.indices("*")
    assert duckdb.sql(f"select count(*), count(distinct recording_id), count(h) from '{files}'").fetchall() == [
        (9, 3, 9)
    ]


class TestBounds:
    @pytest.fixture
    def dataset(self, tmp_path):
        dataset = make_dataset(tmp_path, 2)
        dataset.chunk()
        indexed(dataset)
        return dataset

    def test_good_ones_break_none(self, dataset):
        assert indices_out_of_bounds(dataset.layout, dataset.recording_ids) == {}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("h", 1.1),
            ("ndsi", -1.5),
            ("aei", -0.1),
            ("adi", float("inf")),
            ("aci", float("nan")),
            ("bi", -1.0),
            ("h", None),
        ],
    )
    def test_a_value_that_cannot_be_is_named(self, dataset, name, value):
        path = dataset.layout.indices(dataset.recording_ids[1])
        table = pq.ParquetFile(path).read()
        rows = table.to_pylist()
        rows[1][name] = value
        pq.write_table(type(table).from_pylist(rows, table.schema), path)
        problems = indices_out_of_bounds(dataset.layout, dataset.recording_ids)
        assert list(problems) == [dataset.recording_ids[1]]
        assert f"{rows[1]['chunk_id']}: {name} is" in problems[dataset.recording_ids[1]]
