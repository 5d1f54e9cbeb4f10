"""HawkEars 2 through its stand-in: what is passed on, and what its answers become."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from badc_assets.detectors.hawkears.detector import HawkEarsDetector
from badc_assets.detectors.protocol import Device, Event
from badc_assets.errors import BadcError
from badc_assets_tests.detectors.hawkears.environment import (
    OVEN,
    RATE_HZ,
    WTSP,
    calls,
    clip_of,
    make_environment,
    make_root,
    recording,
    settings_of,
    sound,
    spans,
)
from badc_assets_tests.sounds import write_sound


class TestWhatIsPassedOn:
    def test_one_recording_by_its_own_path_and_nothing_written_beside_it(self, made, root, tmp_path) -> None:
        clip = recording(tmp_path / "dataset", "A")
        before = sorted((tmp_path / "dataset").iterdir())
        made().detect(clip)
        (call,) = calls(root)
        assert call["recording_paths"] == [str(clip.path)]
        assert (call["rtype"], call["raise_errors"], call["return_results"]) == (None, True, True)
        assert (call["min_score"], call["segment_len"], call["max_models"]) == (0.1, 3.0, 1)
        assert not Path(call["output_path"]).exists()
        assert sorted((tmp_path / "dataset").iterdir()) == before

    def test_the_filter_of_rare_species_is_off(self, made, root, tmp_path) -> None:
        made().detect(recording(tmp_path, "A"))
        (call,) = calls(root)
        assert [call[name] for name in ("region", "lat", "lon", "date", "filelist")] == [None] * 5

    def test_settings_arrive(self, made, root, tmp_path) -> None:
        make_root(root, models=2, low_band=1)
        (root / "data/occurrence.pkl").touch()
        detector = made(min_score=0.25, segment_s="variable", max_models=1, region="CA-ON-OT", date="0601",
                        options={"max_label_length": 5, "audio.choose_channel": False})  # fmt: skip
        assert detector.detect(recording(tmp_path, "A")) == []
        (call,) = calls(root)
        wanted = {"min_score": 0.25, "segment_len": None, "max_models": 1, "low_band": True, "region": "CA-ON-OT",
                  "date": "0601", "max_label_length": 5, "choose_channel": False}  # fmt: skip
        assert {name: call[name] for name in wanted} == wanted

    def test_what_hawkears_chooses_by_device_is_chosen_by_us(self, made, root, tmp_path, monkeypatch) -> None:
        """On a CPU it would take 3 models, none for low bands, and the mean of the channels."""
        make_root(root, models=6, low_band=2)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        seen = []
        for device in (Device(), Device("cuda")):
            made(device).detect(recording(tmp_path, "A"))
            seen.append({name: calls(root)[-1][name] for name in ("max_models", "low_band", "choose_channel")})
        assert seen == [{"max_models": 6, "low_band": True, "choose_channel": True}] * 2

    def test_a_configuration_file_cannot_bring_other_checkpoints_or_labels(self, made, root, tmp_path) -> None:
        other = make_root(tmp_path / "other", models=1) / "data/ckpt"
        (other / "model-0.ckpt").write_text('{"classes": [["Evil", "EVIL", null, null]]}')
        (root / "yaml").mkdir()
        text = json.dumps({"misc": {"ckpt_folder": str(other)}, "infer": {"segment_len": 5}})
        (root / "yaml/default.yaml").write_text(text)
        events = made(segment_s="variable", min_score=0.5).detect(recording(tmp_path, "A", 6, (1.0, 1.25)))
        assert events == [Event(1000, 1250, OVEN, pytest.approx(0.9, abs=1e-3))]

    def test_each_recording_has_its_own_date(self, made, root, tmp_path) -> None:
        (root / "data/occurrence.pkl").touch()
        detector = made(region="CA-AB", date="recording")
        path = recording(tmp_path, "A").path
        detector.detect(clip_of(path, start_local="2023-06-01T05:00:00"))
        assert calls(root)[-1]["date"] == "20230601"
        with pytest.raises(
            BadcError, match="its date is unknown, and HawkEars would take every species for a rare one"
        ):
            detector.detect(clip_of(path))


class TestEvents:
    def test_times_labels_and_scores(self, made, tmp_path) -> None:
        events = made(min_score=0.4).detect(recording(tmp_path, "A", 7.5, (1.0, 2.0), (6.5, 7.0)))
        assert [(event.start_ms, event.end_ms, event.label) for event in events] == [
            (0, 3000, OVEN), (0, 3000, WTSP), (6000, 7500, OVEN), (6000, 7500, WTSP),
        ]  # fmt: skip
        assert events[0] == Event(0, 3000, OVEN, pytest.approx(0.9, abs=1e-3))
        assert events[1].confidence == pytest.approx(0.45, abs=1e-3)

    def test_low_scores_are_kept_for_later_thresholds(self, made, tmp_path) -> None:
        clip = recording(tmp_path, "A", 9, (1.0, 2.0), (4.0, 5.0))
        low, high = made(min_score=0.05).detect(clip), made(min_score=0.8).detect(clip)
        assert len(low) > len(high) > 0
        assert [event for event in low if event.confidence >= 0.8] == high

    def test_labels_of_variable_length(self, made, tmp_path) -> None:
        events = made(segment_s="variable", min_score=0.5).detect(recording(tmp_path, "A", 6, (1.0, 1.5)))
        assert spans(events) == [(1000, 1250), (1250, 1500)]

    @pytest.mark.parametrize(
        ("style", "codes"),
        [
            ("codes", ["OVEN", "WTSP", "Chorus of something"]),
            ("names", ["Ovenbird", "White-throated Sparrow", "Chorus of something"]),
            ("alt_codes", ["ovenbi1", "whtspa", "Chorus of something"]),
            ("alt_names", ["Seiurus aurocapilla", "Zonotrichia albicollis", "Chorus of something"]),
        ],
    )
    def test_label_styles(self, made, tmp_path, style, codes) -> None:
        """A class without a code is not lost: HawkEars itself would drop it where it labels by code."""
        events = made(label_style=style).detect(recording(tmp_path, "A", 3))
        by_score = sorted(events, key=lambda event: -event.confidence)
        assert [event.label.code for event in by_score] == codes
        assert by_score[0].label.name == "Ovenbird"

    def test_a_git_annex_link_keeps_its_name(self, made, root, tmp_path) -> None:
        target = recording(tmp_path / ".git/annex/objects/x", "MD5E-s3840044--abc").path
        link = tmp_path / "GNWT1_20230601_050000.wav"
        link.symlink_to(target)
        assert spans(made().detect(clip_of(link))) == [(0, 3000)]
        assert calls(root)[-1]["recording_paths"] == [str(link)]

    def test_a_relative_path_of_any_letters(self, made, tmp_path, monkeypatch) -> None:
        recording(tmp_path / "dé pôt", "Grünspecht 'x'")
        monkeypatch.chdir(tmp_path)
        assert spans(made().detect(clip_of(Path("dé pôt/Grünspecht 'x'.wav"))))

    def test_a_chunk_of_a_recording(self, made, tmp_path) -> None:
        clip = clip_of(recording(tmp_path, "R_chunk_0_6000").path, chunk_id="R_chunk_0_6000")
        assert spans(made(unit="chunk").detect(clip), OVEN)[0] == (0, 3000)


class TestTraps:
    """What HawkEars reports as if nothing were calling, or as if something were."""

    def test_models_are_loaded_once(self, made, root, tmp_path) -> None:
        make_root(root, models=3)
        detector, clip = made(), recording(tmp_path, "A")
        before = detector.detect(clip)
        for model in (root / "data/ckpt").iterdir():
            model.write_text("no model any more")
        assert detector.detect(clip) == before

    def test_a_kept_model_configures_britekit_as_a_loaded_one_does(self, made, root, tmp_path) -> None:
        """Otherwise the configuration of the model that was loaded last would stay, that for low bands."""
        detector = made()
        applied = [(root / "applied.log").read_text().count("\n")]
        for name in ("A", "B"):
            detector.detect(recording(tmp_path, name))
            applied.append((root / "applied.log").read_text().count("\n"))
        assert applied == [applied[0], applied[0] + 1, applied[0] + 2]

    def test_versions_with_unknown_insides_are_run_as_they_are(self, root, tmp_path) -> None:
        python = make_environment(tmp_path / "newer", {"hawkears": "2.4.0"})
        detector = HawkEarsDetector(settings_of(python, root))
        try:
            assert detector.load(Device())["models"] == "1, loaded for each recording"
            assert spans(detector.detect(recording(tmp_path, "A", 3))) == [(0, 3000)]
            with pytest.raises(BadcError, match="HawkEars gives no scores for so short a sound"):
                detector.detect(recording(tmp_path, "short", 0.3, (0, 0.1)))
        finally:
            detector.close()

    def test_a_list_of_species_that_leaves_none_is_an_error(self, python, root, made, tmp_path) -> None:
        """HawkEars takes a missing list for an empty one, and then reports nothing at all."""
        species, clip = tmp_path / "species.txt", recording(tmp_path, "A", 3)
        with pytest.raises(
            BadcError, match=r"species\.txt: there is no such file; correct detectors\.hawkears\.options"
        ):
            HawkEarsDetector(settings_of(python, root, options={"include": str(species)}))
        species.write_text("White-throated Sparrow\n")
        assert {e.label for e in made(options={"include": str(species)}).detect(clip)} == {WTSP}
        species.write_text("White-throated Sparow\n")
        with pytest.raises(BadcError, match="the lists of species leave none of the model's classes"):
            made(options={"include": str(species)})

    def test_one_bad_recording_is_its_own_trouble(self, made, tmp_path) -> None:
        detector = made()
        good, bad = recording(tmp_path, "good"), recording(tmp_path, "bad")
        expected = detector.detect(good)
        bad.path.write_bytes(bad.path.read_bytes()[:10])
        with pytest.raises(BadcError, match=r"bad\.wav"):
            detector.detect(bad)
        assert detector.detect(good) == expected

    def test_what_hawkears_cannot_read_is_an_error(self, made, root, tmp_path) -> None:
        """FLAC here: we can read it, the stand-in cannot."""
        path = write_sound(tmp_path / "A.flac", sound(3, (1, 2)), rate_hz=RATE_HZ)
        with pytest.raises(
            BadcError, match=r"A\.flac: HawkEars cannot use it \(InferenceError: Could not load recording"
        ):
            made().detect(clip_of(path))

    def test_a_recording_that_was_not_counted_is_an_error(self, made, tmp_path) -> None:
        with pytest.raises(BadcError, match="HawkEars analysed 0 recordings instead of this one"):
            made().detect(recording(tmp_path, "uncounted"))

    def test_a_truncated_recording_is_an_error(self, made, tmp_path) -> None:
        whole = recording(tmp_path, "A", 20)
        cut = tmp_path / "cut.wav"
        cut.write_bytes(whole.path.read_bytes()[:400_000])
        with pytest.raises(BadcError, match=r"cut\.wav: holds \d+ ms of sound, 20000 ms were expected"):
            made().detect(clip_of(cut, duration_ms=20_000))

    def test_a_recording_that_hawkears_did_not_read_to_its_end_is_an_error(self, made, tmp_path) -> None:
        with pytest.raises(BadcError, match="HawkEars read 1000 ms of its 20000 ms"):
            made().detect(recording(tmp_path, "breaks-off", 20))

    def test_too_short_a_clip_is_an_error(self, made, tmp_path) -> None:
        detector = made()
        with pytest.raises(BadcError, match=r"HawkEars gives no scores for so short a sound \(250 ms\)"):
            detector.detect(recording(tmp_path, "A", 0.25, (0, 0.1)))
        assert spans(detector.detect(recording(tmp_path, "B", 0.8, (0, 0.1)))) == [(0, 800)]

    def test_nothing_is_found_in_digital_silence(self, made, root, tmp_path) -> None:
        silent = write_sound(tmp_path / "silent.wav", np.zeros(6 * RATE_HZ, np.float32), rate_hz=RATE_HZ)
        half = sound(12, (1, 2))
        half[6 * RATE_HZ :] = 0
        write_sound(tmp_path / "half.wav", half, rate_hz=RATE_HZ)
        detector = made()
        assert list(detector.detect(clip_of(silent))) == []
        assert [event.end_ms for event in detector.detect(clip_of(tmp_path / "half.wav"))][-1] == 3000

    def test_samples_that_are_no_numbers_are_an_error(self, made, tmp_path) -> None:
        samples = sound(6, (1, 2))
        samples[RATE_HZ] = np.nan
        path = write_sound(tmp_path / "nan.wav", samples, rate_hz=RATE_HZ, subtype="FLOAT")
        with pytest.raises(BadcError, match=r"nan\.wav: holds samples that are not numbers"):
            made().detect(clip_of(path))

    def test_scores_that_are_no_numbers_are_an_error(self, made, tmp_path) -> None:
        """`NaN >= min_score` is False: HawkEars itself reports nothing then."""
        with pytest.raises(BadcError, match="the scores are not numbers"):
            made().detect(recording(tmp_path, "no-number"))

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("too-sure", r"reports 'OVEN' from 0 to 3 s: its score is 1\.5, not in 0\.\.1"),
            ("not-a-score", r"its score is nan, not in 0\.\.1"),
            ("unheard-of", "reports 'Dodo', which is no class of its model"),
            ("too-late", "lies outside the clip, which lasts 6000 ms"),
            ("backwards", "its times are no span of time"),
            ("elsewhere", r"reports on another file \(.*other\.wav\)"),
        ],
    )
    def test_what_cannot_be_true_is_an_error(self, made, tmp_path, name, says) -> None:
        detector = made()
        with pytest.raises(BadcError, match=says):
            detector.detect(recording(tmp_path, name))
        assert detector.detect(recording(tmp_path, "well"))

    def test_the_same_twice_counts_once_with_the_higher_score(self, made, tmp_path) -> None:
        detector = made()
        assert detector.detect(recording(tmp_path, "twice")) == detector.detect(recording(tmp_path, "once"))
