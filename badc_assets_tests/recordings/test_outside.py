from __future__ import annotations

from badc_assets.layout import Layout
from badc_assets.recordings.catalog import scan_dataset
from badc_assets_tests.sounds import noise, write_sound


def test_sound_beside_the_audio_folder_is_reported(tmp_path):
    for name in ("audio/a.wav", "site2/deep/b.WAV", "top.flac", "artifacts/chunks/c.wav", ".hidden/d.wav"):
        write_sound(tmp_path / name, noise(0.1))
    (tmp_path / "notes").mkdir()
    catalog, _ = scan_dataset(Layout(tmp_path, tmp_path / "audio", tmp_path), None)
    assert [entry.audio_path for entry in catalog.entries] == ["audio/a.wav"]
    assert [problem.split(":")[0] for problem in catalog.problems] == ["site2/deep/b.WAV", "top.flac"]


def test_nothing_is_outside_when_the_whole_dataset_is_scanned(tmp_path):
    for seed, name in enumerate(("audio/a.wav", "site2/b.wav")):
        write_sound(tmp_path / name, noise(0.1, seed=seed))
    catalog, _ = scan_dataset(Layout(tmp_path, tmp_path, tmp_path), None)
    assert catalog.problems == ()
    assert len(catalog.entries) == 2
