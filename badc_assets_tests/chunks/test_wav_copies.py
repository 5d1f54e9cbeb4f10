"""Chunks of a dataset's recordings as files: on request, once, and never of another state of the sound."""

from __future__ import annotations

import hashlib

import soundfile

from badc_assets.chunks.chunking import chunk_recordings
from badc_assets.chunks.manifest import read_manifest
from badc_assets.chunks.wav_copies import copies_manifest, has_wav_copies, write_wav_copies
from badc_assets_tests.datasets import Dataset, fixed_clock, make_dataset
from badc_assets_tests.sounds import noise, write_sound


def copies(dataset: Dataset, workers: int = 1, **chunking) -> list:
    settings = dataset.project.chunking.model_copy(update=chunking)
    return list(write_wav_copies(dataset.layout, dataset.recording_ids, settings, workers))


def test_files_and_their_manifest_are_written_once_and_follow_sound_and_settings(tmp_path):
    dataset = make_dataset(tmp_path / "data", 3, bad=(1,))
    dataset.chunk()
    layout, (first, bad, _) = dataset.layout, dataset.recording_ids
    found = copies(dataset, workers=2)
    assert [(each.files, each.was_reused, bool(each.reason)) for each in found] == [
        (3, False, False), (0, False, True), (3, False, False),
    ]  # fmt: skip
    assert found[1].recording_id == bad
    chunks = read_manifest(copies_manifest(layout, first))
    for chunk in chunks:
        path = layout.output / chunk.source_path
        assert path == layout.chunk_dir(first) / f"{chunk.chunk_id}.wav"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == chunk.sha256
    virtual = read_manifest(layout.manifest(first))
    assert [(c.chunk_id, c.start_ms, c.end_ms) for c in chunks] == [(c.chunk_id, c.start_ms, c.end_ms) for c in virtual]
    assert soundfile.info(layout.output / chunks[-1].source_path).duration == 1.0
    assert [each.was_reused for each in copies(dataset)] == [True, False, True]

    (layout.output / chunks[0].source_path).unlink()
    assert not has_wav_copies(layout, first, dataset.project.chunking)
    assert not copies(dataset)[0].was_reused
    assert copies(dataset, length_s=4)[0].files == 2
    names = {path.name for path in layout.chunk_dir(first).glob("*.wav")}
    assert names == {f"{first}_chunk_0_4000.wav", f"{first}_chunk_4000_5000.wav"}

    write_sound(layout.source(f"audio/{first}.wav"), noise(3, seed=99))
    dataset.chunk()
    assert [each.files for each in copies(dataset)] == [2, 0, 3]


def test_several_at_a_time_give_the_same(tmp_path):
    alone, together = (make_dataset(tmp_path / name, 6, seconds=3, bad=(2,)) for name in ("alone", "together"))
    alone.chunk()
    together.examine()
    settings = together.project.chunking
    outcomes = list(chunk_recordings(together.layout, together.recording_ids, settings, fixed_clock, 4))
    assert [outcome.recording_id for outcome in outcomes] == list(together.recording_ids)
    assert [outcome.is_complete for outcome in outcomes] == [True, True, False, True, True, True]
    for recording in (each.recording_id for each in outcomes if each.is_complete):
        assert read_manifest(alone.layout.manifest(recording)) == read_manifest(together.layout.manifest(recording))
