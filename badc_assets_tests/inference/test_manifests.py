"""The files of a manifest's recording, and what is said of those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.chunks.located import ManifestRecording
from badc_assets.chunks.manifest import Chunk, chunk_id
from badc_assets.inference.manifests import pieces_of
from badc_assets_tests.sounds import noise, write_sound

SECONDS = 6


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "R.wav"
    write_sound(path, noise(SECONDS, seed=1))
    return path


def recording(file: Path, *spans: tuple[int, int], **more) -> ManifestRecording:
    chunks = tuple(
        Chunk("R", chunk_id("R", a, b), "R.wav", a, b, 0, **{"sha256": "TODO_HASH", **more}) for a, b in spans
    )
    return ManifestRecording("R", None, chunks, {chunk.chunk_id: file for chunk in chunks})


@given(
    st.lists(st.tuples(st.integers(0, 70), st.integers(1, 30)), min_size=2, max_size=6, unique_by=lambda span: span[0])
)
def test_the_chunks_that_a_worker_gets_cover_the_file_and_every_row_is_used_or_has_a_reason(sound, tenths):
    spans = sorted((start * 100, (start + length) * 100) for start, length in tenths)
    pieces, unusable = pieces_of(recording(sound, *spans))
    asked = {chunk_id("R", *span) for span in spans}
    assert unusable.keys() == {chunk_id("R", start, end) for start, end in spans if end > SECONDS * 1000}
    used = {chunk.chunk_id for piece in pieces for chunk in piece.chunks} & asked
    assert used == asked - unusable.keys()
    for piece in pieces:
        assert piece.starts_at_ms == 0
        reached = 0
        for chunk in piece.chunks:
            assert chunk.start_ms <= reached
            reached = max(reached, chunk.end_ms)
        assert reached == SECONDS * 1000


def test_a_single_row_is_a_file_of_its_own_when_it_is_as_long(sound):
    (piece,), unusable = pieces_of(recording(sound, (60_000, 60_000 + SECONDS * 1000)))
    assert not unusable
    assert piece.starts_at_ms == 60_000
    assert [(chunk.start_ms, chunk.end_ms) for chunk in piece.chunks] == [(0, SECONDS * 1000)]
    (piece,), _ = pieces_of(recording(sound, (1000, 2000)))
    assert piece.starts_at_ms == 0


def test_what_cannot_be_used_is_said(tmp_path, sound):
    away = tmp_path / "away.wav"
    away.symlink_to(".git/annex/objects/xx/yy/MD5E-s1--ab.wav/MD5E-s1--ab.wav")
    whole = (0, SECONDS * 1000)
    for file, more, says in (
        (tmp_path / "none.wav", {}, "does not exist"),
        (away, {}, "content"),
        (sound, {"sha256": "0" * 64}, "its sha256"),
        (sound, {"sample_rate_hz": 7}, "by the manifest 7 Hz"),
    ):
        spans = [(0, 1000), (1000, 2000)] if "sample_rate_hz" in more else [whole]
        pieces, unusable = pieces_of(recording(file, *spans, **more))
        assert pieces == ()
        assert all(says in reason for reason in unusable.values()), unusable
        assert len(unusable) == len(spans)
