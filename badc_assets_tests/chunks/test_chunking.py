"""Chunking: one pass, atomic, resumable, and never a mix of old and new rows."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import soundfile

from badc_assets.chunks.chunking import chunk_recordings
from badc_assets.chunks.gate import NotChunked, chunking_problem, chunks_for_inference
from badc_assets.chunks.manifest import read_manifest
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.status import is_interrupted, lock_file, read_status
from badc_assets.chunks.verify import manifest_mismatches
from badc_assets.errors import BadcError
from badc_assets.files import exclusive
from badc_assets.recordings.current import examine_recordings, update_catalog
from badc_assets_tests.datasets import fixed_clock, make_dataset
from badc_assets_tests.sounds import noise, write_sound


def chunk_again(dataset, settings=None):
    update_catalog(dataset.layout)
    list(examine_recordings(dataset.layout, dataset.recording_ids, dataset.project.recordings))
    return list(
        chunk_recordings(dataset.layout, dataset.recording_ids, settings or dataset.project.chunking, fixed_clock)
    )


def test_each_hash_is_that_of_the_samples(tmp_path):
    dataset = make_dataset(tmp_path, 1, seconds=5, chunking={"length_s": 2, "overlap_s": 0.5})
    dataset.chunk()
    (recording,) = dataset.recording_ids
    samples, rate = soundfile.read(dataset.layout.source(f"audio/{recording}.wav"), dtype="int16")
    chunks = read_manifest(dataset.layout.manifest(recording))
    assert [(c.start_ms, c.end_ms) for c in chunks] == [(0, 2000), (1500, 3500), (3000, 5000)]
    for chunk in chunks:
        span = samples[chunk.start_ms * rate // 1000 : chunk.end_ms * rate // 1000]
        assert chunk.sha256 == hashlib.sha256(span.tobytes()).hexdigest()
        assert chunk.source_path == f"audio/{recording}.wav"


@pytest.mark.parametrize(
    ("name", "subtype", "dtype"),
    [
        ("a.wav", "PCM_24", "int32"),
        ("a.wav", "FLOAT", "float32"),
        ("a.flac", "PCM_16", "int16"),
        ("a.ogg", "VORBIS", "float32"),
        ("a.mp3", "MPEG_LAYER_III", "float32"),
    ],
)
def test_hashes_do_not_depend_on_how_the_file_is_read(tmp_path, name, subtype, dtype):
    dataset = make_dataset(tmp_path, 0)
    stereo = np.stack([noise(3), noise(3, seed=1)], axis=1)
    write_sound(dataset.layout.dataset / "audio" / name, stereo, subtype=subtype)
    update_catalog(dataset.layout)
    list(examine_recordings(dataset.layout, ["a"], dataset.project.recordings))
    (outcome,) = chunk_recordings(dataset.layout, ["a"], ChunkSettings(length_s=1), fixed_clock)
    assert outcome.is_complete
    assert {chunk.sample_dtype for chunk in read_manifest(dataset.layout.manifest("a"))} == {dtype}
    assert manifest_mismatches(dataset.layout, "a") == []


def test_no_audio_is_written(tmp_path):
    dataset = make_dataset(tmp_path, 1)
    dataset.chunk()
    folder = dataset.layout.chunk_dir(dataset.recording_ids[0])
    assert sorted(path.name for path in folder.iterdir()) == [".chunk_status.json", "quality.json"]
    assert len(list(tmp_path.rglob("*.wav"))) == 1


def test_the_status_has_badcs_fields(tmp_path):
    dataset = make_dataset(tmp_path, 1)
    dataset.chunk()
    value = json.loads(dataset.layout.chunk_status(dataset.recording_ids[0]).read_text())
    assert value["status"] == "completed"
    assert value["manifest_rows"] == 3
    for name in ("recording_id", "audio_path", "chunk_output_dir", "manifest_path", "chunk_duration", "overlap", "updated_at",
                 "started_at", "completed_at", "duration_s"):  # fmt: skip
        assert name in value
    assert not value["audio_path"].startswith("/")


def test_a_second_run_reads_nothing(tmp_path):
    dataset = make_dataset(tmp_path, 2)
    assert [outcome.was_reused for outcome in dataset.chunk()] == [False, False]
    assert [outcome.was_reused for outcome in chunk_again(dataset)] == [True, True]


def test_other_settings_replace_all_rows(tmp_path):
    dataset = make_dataset(tmp_path, 1, seconds=6)
    dataset.chunk()
    chunk_again(dataset, ChunkSettings(length_s=3))
    rows = read_manifest(dataset.layout.manifest(dataset.recording_ids[0]))
    assert [(row.start_ms, row.end_ms) for row in rows] == [(0, 3000), (3000, 6000)]


def test_changed_audio_is_chunked_again(tmp_path):
    dataset = make_dataset(tmp_path, 1)
    (before,) = dataset.chunk()
    write_sound(dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav"), noise(5, seed=7))
    (after,) = chunk_again(dataset)
    assert not after.was_reused
    assert after.manifest_digest != before.manifest_digest


def test_an_edited_manifest_is_made_again(tmp_path):
    dataset = make_dataset(tmp_path, 1)
    dataset.chunk()
    path = dataset.layout.manifest(dataset.recording_ids[0])
    good = path.read_text()
    path.write_text(good.replace(",2000,", ",1999,", 1))
    assert "manifest was changed" in chunking_problem(
        dataset.layout, dataset.recording_ids[0], dataset.project.chunking
    )
    assert [outcome.was_reused for outcome in chunk_again(dataset)] == [False]
    assert path.read_text() == good


def test_bad_recordings_are_recorded_and_the_others_done(tmp_path):
    dataset = make_dataset(tmp_path, 3, bad=(0,))
    outcomes = dataset.chunk()
    assert [outcome.status for outcome in outcomes] == ["failed", "completed", "completed"]
    status = read_status(dataset.layout, dataset.recording_ids[0])
    assert status is not None
    assert status.error
    assert "unreadable" in status.error


def test_a_file_that_changes_between_examination_and_chunking_fails(tmp_path):
    dataset = make_dataset(tmp_path, 1)
    dataset.examine()
    with dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav").open("ab") as file:
        file.write(b"more")
    (outcome,) = chunk_recordings(dataset.layout, dataset.recording_ids, dataset.project.chunking, fixed_clock)
    assert outcome.status == "failed"
    assert "changed" in outcome.reason


def test_a_dead_writer_is_told_from_a_live_one(tmp_path):
    dataset = make_dataset(tmp_path, 1)
    dataset.chunk()
    (recording,) = dataset.recording_ids
    path = dataset.layout.chunk_status(recording)
    path.write_text(path.read_text().replace('"completed"', '"in_progress"'))
    assert is_interrupted(dataset.layout, recording)
    with exclusive(lock_file(dataset.layout, recording)):
        assert not is_interrupted(dataset.layout, recording)
    (outcome,) = chunk_again(dataset)
    assert outcome.resumed_after_crash
    assert outcome.is_complete


def _chunk_slowly(dataset, started):
    started.set()
    dataset.chunk()


def test_kill_9_in_the_middle_leaves_nothing_half_done(tmp_path):
    dataset = make_dataset(tmp_path, 30, seconds=20)
    started = multiprocessing.Event()
    victim = multiprocessing.Process(target=_chunk_slowly, args=(dataset, started))
    victim.start()
    started.wait(30)
    while victim.is_alive() and not dataset.layout.manifest(dataset.recording_ids[2]).exists():
        time.sleep(0.002)
    assert victim.pid
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    finished = [r for r in dataset.recording_ids if (s := read_status(dataset.layout, r)) and s.status == "completed"]
    assert 2 <= len(finished) < 30
    again = chunk_again(dataset)
    assert all(outcome.is_complete for outcome in again)
    assert [outcome.recording_id for outcome in again if outcome.was_reused] == finished
    for recording in dataset.recording_ids:
        assert manifest_mismatches(dataset.layout, recording) == []


def test_two_at_once_share_the_work(tmp_path):
    dataset = make_dataset(tmp_path, 12, seconds=10)
    dataset.examine()
    with multiprocessing.Pool(2) as pool:
        results = pool.starmap(_outcomes, [(dataset, length) for length in (2, 2)])
    reused = [outcome.was_reused for result in results for outcome in result]
    assert sum(not was for was in reused) == 12
    assert all(outcome.is_complete for result in results for outcome in result)


def _outcomes(dataset, length_s):
    settings = ChunkSettings(length_s=length_s)
    return list(chunk_recordings(dataset.layout, dataset.recording_ids, settings, fixed_clock))


def test_an_output_folder_that_cannot_be_written_stops_with_one_line(tmp_path):
    dataset = make_dataset(tmp_path, 1)
    dataset.examine()
    (tmp_path / "manifests").write_text("a file where a folder must be")
    with pytest.raises(BadcError, match="cannot be written"):
        list(chunk_recordings(dataset.layout, dataset.recording_ids, dataset.project.chunking, fixed_clock))


class TestGate:
    def test_open_after_chunking(self, tmp_path):
        dataset = make_dataset(tmp_path, 1)
        dataset.chunk()
        assert len(chunks_for_inference(dataset.layout, dataset.recording_ids[0], dataset.project.chunking)) == 3

    @pytest.mark.parametrize("state", ["in_progress", "failed"])
    def test_closed_unless_completed(self, tmp_path, state):
        dataset = make_dataset(tmp_path, 1)
        dataset.chunk()
        path = dataset.layout.chunk_status(dataset.recording_ids[0])
        path.write_text(path.read_text().replace('"completed"', f'"{state}"'))
        with pytest.raises(NotChunked):
            chunks_for_inference(dataset.layout, dataset.recording_ids[0], dataset.project.chunking)

    def test_closed_for_other_settings(self, tmp_path):
        dataset = make_dataset(tmp_path, 1)
        dataset.chunk()
        with pytest.raises(NotChunked, match="other settings"):
            chunks_for_inference(dataset.layout, dataset.recording_ids[0], ChunkSettings(length_s=9))

    def test_closed_when_the_audio_changed(self, tmp_path):
        dataset = make_dataset(tmp_path, 1)
        dataset.chunk()
        write_sound(dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav"), noise(5, seed=7))
        dataset.examine()
        with pytest.raises(NotChunked, match="audio changed"):
            chunks_for_inference(dataset.layout, dataset.recording_ids[0], dataset.project.chunking)


def test_verification_finds_a_changed_sample(tmp_path):
    dataset = make_dataset(tmp_path, 1, seconds=6)
    dataset.chunk()
    path = dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav")
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    (problem,) = manifest_mismatches(dataset.layout, dataset.recording_ids[0])
    assert "4000_6000" in problem
