"""The tests that every detector has to pass, yours too (`badc_assets/detectors/protocol.py` says why).

Take the class for the kind of your detector, and name what makes one, its settings, and what each setting does:

    from badc_assets_tests.detector_contract import WindowDetectorContract

    class TestMyDetector(WindowDetectorContract):
        make = MyDetector                          # from settings to detector, as in the registry

        @pytest.fixture
        def settings(self): return MySettings(model="small")

        @pytest.fixture
        def changes(self): return {"model": "large"}       # other values, which change results

        @pytest.fixture
        def neutral(self): return {"threads": 4}           # other values, which do not

Every fixture may be replaced: `device`, and `windows` or `sounds` if your detector finds nothing in those of `detector_examples`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from badc_assets.detectors.protocol import (
    Clip,
    Event,
    FileDetector,
    Float32,
    PipelinedDetector,
    SizedDetector,
    StreamDetector,
    StreamInfo,
    WindowDetector,
)
from badc_assets_tests.detector_contract_base import DetectorContract
from badc_assets_tests.detector_examples import (
    Sound,
    assert_possible,
    assert_same,
    block_cuts,
    example_clips,
    example_sounds,
    example_windows,
)


class WindowDetectorContract(DetectorContract):
    """For detectors with `score`."""

    @pytest.fixture
    def windows(self, detector: WindowDetector) -> Float32:
        """At least four different windows, shape (batch, samples)."""
        return example_windows(detector.info)

    def assert_scores(self, found: Float32, expected: Float32, why: str) -> None:
        assert np.allclose(found, expected, rtol=0, atol=self.tolerance), f"other scores {why}: {found} not {expected}"

    def test_windows_and_labels_are_known(self, settings: BaseModel) -> None:
        info = self.made(settings).info
        assert info.labels, "a window detector needs labels"
        assert (info.sample_rate_hz or 0) > 0, "a window detector needs a sample rate"
        assert 0 < info.hop_ms <= info.window_ms, f"hop {info.hop_ms} ms, window {info.window_ms} ms"

    def test_scores_are_one_per_window_and_label(self, detector: WindowDetector, windows: Float32) -> None:
        for count in (1, 2, len(windows)):
            scores = detector.score(windows[:count].copy())
            assert scores.shape == (count, len(detector.info.labels)), f"shape {scores.shape} for {count} windows"
            assert scores.dtype == np.float32, f"scores are {scores.dtype}, not float32"
            assert ((scores >= 0) & (scores <= 1)).all(), f"scores outside 0..1: {scores}"

    def test_scores_depend_on_the_sound(self, detector: WindowDetector, windows: Float32) -> None:
        scores = detector.score(windows.copy())
        is_same = np.allclose(scores, scores[:1], rtol=0, atol=self.tolerance)
        assert is_same != self.finds_something, f"finds_something is {self.finds_something}, scores are {scores}"

    def test_scores_do_not_depend_on_the_batch(self, detector: WindowDetector, windows: Float32) -> None:
        whole = detector.score(windows.copy()).copy()
        single = np.concatenate([detector.score(window[None].copy()).copy() for window in windows])
        self.assert_scores(single, whole, "one by one")
        halves = [detector.score(part.copy()).copy() for part in np.array_split(windows, 3)]
        self.assert_scores(np.concatenate(halves), whole, "in parts")
        for shift in range(1, len(windows)):
            turned = detector.score(np.roll(windows, shift, axis=0))
            self.assert_scores(np.roll(turned, -shift, axis=0), whole, f"{shift} places further in the batch")
        same = detector.score(np.repeat(windows[3:4], len(windows), axis=0))
        self.assert_scores(same, np.repeat(whole[3:4], len(windows), axis=0), "among equal windows")

    def test_scores_stay_when_memory_is_used_again(self, detector: WindowDetector, windows: Float32) -> None:
        buffer = windows.copy()
        scores = detector.score(buffer)
        assert np.array_equal(buffer, windows), "score() changed the windows, which may have to be tried again"
        first = scores.copy()
        buffer[:] = 0.3
        detector.score(buffer)
        assert np.array_equal(scores, first), "scores changed when the next batch was scored"

    def test_submitted_batches_score_alike(self, detector: WindowDetector, windows: Float32) -> None:
        if not isinstance(detector, PipelinedDetector):
            pytest.skip("is not pipelined")
        assert detector.depth >= 1, f"depth is {detector.depth}"
        batches = [windows[: 1 + number % len(windows)].copy() for number in range(2 * detector.depth + 1)]
        expected = [detector.score(batch.copy()).copy() for batch in batches]
        pending, results = [], []
        for batch in [*batches, *[None] * detector.depth]:
            if len(pending) == detector.depth or batch is None:
                wait, memory = pending.pop(0)
                results.append(wait())
                memory[:] = np.nan
            if batch is not None:
                pending.append((detector.submit(batch), batch))
        for scores, known in zip(results, expected, strict=True):
            self.assert_scores(scores, known, "when submitted")

    def test_the_best_batch_is_a_number(self, detector: WindowDetector) -> None:
        if not isinstance(detector, SizedDetector):
            pytest.skip("leaves the size of batches to the engine")
        assert detector.best_batch >= 1, f"best_batch is {detector.best_batch}"


class StreamDetectorContract(DetectorContract):
    """For detectors with `open`."""

    @pytest.fixture
    def sounds(self, settings: BaseModel) -> Sequence[Sound]:
        """Recordings; in one of them at least it finds something."""
        return example_sounds(self.made(settings).info.sample_rate_hz)

    @staticmethod
    def events(detector: StreamDetector, sound: Sound, blocks: Iterator[Float32] | None = None) -> list[Event]:
        """What it finds in the sound fed as a whole, or in blocks, each of which is overwritten afterwards."""
        session = detector.open(StreamInfo("R", sound.rate_hz, len(sound.samples)))
        if blocks is None:
            return [*session.feed(sound.samples.copy()), *session.close()]
        events: list[Event] = []
        for block in blocks:
            events += session.feed(block)
            block[:] = np.nan
        return [*events, *session.close()]

    def test_events_are_possible(self, detector: StreamDetector, sounds: Sequence[Sound]) -> None:
        found = [self.events(detector, sound) for sound in sounds]
        for sound, events in zip(sounds, found, strict=True):
            assert_possible(events, sound.duration_ms, detector.info)
        assert any(found) == self.finds_something, f"finds_something is {self.finds_something}, found: {found}"

    @pytest.mark.parametrize("size", [999, 30_000, 500_000])
    def test_events_do_not_depend_on_the_blocks(
        self, detector: StreamDetector, sounds: Sequence[Sound], size: int
    ) -> None:
        for sound in sounds:
            whole = self.events(detector, sound)
            cut = self.events(detector, sound, block_cuts(sound.samples, size))
            assert_same(cut, whole, self.tolerance, f"in blocks of up to {size} samples")

    def test_recordings_do_not_disturb_each_other(self, detector: StreamDetector, sounds: Sequence[Sound]) -> None:
        alone = [self.events(detector, sound) for sound in sounds]
        sessions = [detector.open(StreamInfo("R", sound.rate_hz, len(sound.samples))) for sound in sounds]
        together: list[list[Event]] = [[] for _ in sounds]
        for part in range(10):
            for number, sound in enumerate(sounds):
                together[number] += sessions[number].feed(np.array_split(sound.samples, 10)[part].copy())
        for number, session in enumerate(sessions):
            assert_same([*together[number], *session.close()], alone[number], self.tolerance, "beside other recordings")


class FileDetectorContract(DetectorContract):
    """For detectors with `detect`."""

    @pytest.fixture
    def sounds(self, settings: BaseModel) -> Sequence[Sound]:
        """What the clips hold; in one of them at least it finds something."""
        return example_sounds(self.made(settings).info.sample_rate_hz)

    @pytest.fixture
    def clips(self, settings: BaseModel, sounds: Sequence[Sound], tmp_path: Path) -> Sequence[Clip]:
        """The sounds as WAV files, one beside the other."""
        return example_clips(tmp_path, sounds, self.made(settings).info.unit)

    def test_events_are_possible(self, detector: FileDetector, clips: Sequence[Clip]) -> None:
        found = [detector.detect(clip) for clip in clips]
        for clip, events in zip(clips, found, strict=True):
            assert_possible(events, clip.duration_ms, detector.info)
        assert any(found) == self.finds_something, f"finds_something is {self.finds_something}, found: {found}"

    def test_events_do_not_depend_on_what_came_before(self, detector: FileDetector, clips: Sequence[Clip]) -> None:
        forward = [detector.detect(clip) for clip in clips]
        backward = [detector.detect(clip) for clip in reversed(clips)]
        for events, expected in zip(reversed(backward), forward, strict=True):
            assert_same(events, expected, self.tolerance, "the second time")

    def test_a_link_counts_by_its_own_name(self, detector: FileDetector, clips: Sequence[Clip], tmp_path: Path) -> None:
        target = clips[0].path.rename(tmp_path / "object")
        clips[0].path.symlink_to(target)
        (tmp_path / "plain.wav").write_bytes(target.read_bytes())
        expected = detector.detect(replace(clips[0], path=tmp_path / "plain.wav"))
        assert_same(detector.detect(clips[0]), expected, self.tolerance, "through a link")

    def test_a_missing_file_is_not_silence(self, detector: FileDetector, clips: Sequence[Clip]) -> None:
        clips[0].path.unlink()
        with pytest.raises(Exception, match=r"."):
            detector.detect(clips[0])

    def test_the_sound_and_its_folder_are_left_alone(self, detector: FileDetector, clips: Sequence[Clip]) -> None:
        before = _content(clips[0].path.parent)
        for clip in clips:
            detector.detect(clip)
        assert _content(clips[0].path.parent) == before, "the folder of the sound has changed"

    def test_what_is_kept_is_not_overwritten(self, detector: FileDetector, clips: Sequence[Clip]) -> None:
        detector.detect(clips[0])
        before = _content(clips[0].keep_in)
        detector.detect(clips[0])
        after = _content(clips[0].keep_in)
        lost = [name for name in before if after.get(name) != before[name]]
        assert not lost, f"a second run overwrote {lost}"


def _content(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
