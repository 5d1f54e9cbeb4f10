"""HawkEars 2 through its stand-in: how it is found and started, what is passed on, and what its answers become."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from badc_assets.detectors.hawkears.detector import HawkEarsDetector, HawkEarsSettings
from badc_assets.detectors.hawkears.process import HawkEarsFailed, clean_environment
from badc_assets.detectors.protocol import Device, Event, Label
from badc_assets.errors import BadcError
from badc_assets_tests.detector_contract import FileDetectorContract
from badc_assets_tests.detector_examples import example_sounds
from badc_assets_tests.detectors.hawkears.environment import (
    RATE_HZ,
    calls,
    clip_of,
    make_environment,
    make_root,
    recording,
    sound,
)
from badc_assets_tests.sounds import write_sound

OVEN, WTSP = Label("OVEN", "Ovenbird"), Label("WTSP", "White-throated Sparrow")


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    return make_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def root(tmp_path) -> Path:
    return make_root(tmp_path / "root")


@pytest.fixture
def made(python, root) -> Iterator:
    """Makes loaded detectors, and closes them."""
    detectors: list[HawkEarsDetector] = []

    def make(device: Device | None = None, **values) -> HawkEarsDetector:
        detectors.append(HawkEarsDetector(settings(python, root, **values)))
        detectors[-1].load(device or Device())
        return detectors[-1]

    yield make
    for detector in detectors:
        detector.close()


def settings(python: Path, root: Path, **values) -> HawkEarsSettings:
    return HawkEarsSettings.model_validate({"python": python, "root": root, **values})


def spans(events, label: Label = OVEN) -> list[tuple[int, int]]:
    return [(event.start_ms, event.end_ms) for event in events if event.label == label]


class TestContract(FileDetectorContract):
    make = HawkEarsDetector

    @pytest.fixture
    def settings(self, python, tmp_path):
        root = make_root(tmp_path / "root", models=3, low_band=1)
        (root / "data/occurrence.pkl").write_bytes(b"a table")
        return settings(python, root, latitude=50, longitude=-110)

    @pytest.fixture
    def sounds(self):
        """Without the shortest, for which HawkEars has no scores: an error."""
        return [one for one in example_sounds(RATE_HZ) if one.duration_ms >= 1000]

    @pytest.fixture
    def changes(self):
        return {
            "unit": "chunk", "min_score": 0.2, "segment_s": 6, "max_models": 2, "low_band": False, "latitude": 51,
            "longitude": -111, "date": "0601", "options": {"infer.block_size": 100}, "label_style": "names",
        }  # fmt: skip

    @pytest.fixture
    def neutral(self, python, tmp_path):
        other_place = make_root(tmp_path / "elsewhere", models=3, low_band=1)
        (other_place / "data/occurrence.pkl").write_bytes(b"a table")
        digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in other_place.rglob("*.ckpt")]
        return {"root": other_place, "weights_sha256": digests, "threads": 2, "python": python.parent / "python3",
                "generation": 2, "extra_args": (), "region": None}  # fmt: skip


class TestInfo:
    def test_it_tells_versions_and_weights_and_starts_nothing(self, tmp_path, root) -> None:
        # An interpreter that cannot be run: only its place is looked at.
        python = tmp_path / "environment/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text("no program")
        python.chmod(0o755)
        for package in ("hawkears-2.3.0", "britekit-1.8.4"):
            (tmp_path / f"environment/lib/python3.11/site-packages/{package}.dist-info").mkdir(parents=True)
        info = HawkEarsDetector(settings(python, root)).info
        assert (info.name, info.version, info.kind, info.unit) == ("hawkears", "2.3.0", "file", "recording")
        assert (info.labels, info.uses_gpu, info.is_stub) == ((), True, False)
        assert info.weights_sha256 == hashlib.sha256((root / "data/ckpt/model-0.ckpt").read_bytes()).hexdigest()

    def test_everything_that_changes_results_changes_it(self, python, tmp_path, root) -> None:
        def info():
            return HawkEarsDetector(settings(python, root)).info

        seen = [info()]
        for change in (
            lambda: (root / "data/exclude.txt").write_text("Ovenbird\n"),
            lambda: (root / "data/taxonomy.csv").write_text("model_code\n"),
            lambda: ((root / "yaml").mkdir(), (root / "yaml/default.yaml").write_text("infer:\n")),
            lambda: make_root(root, models=2),
            lambda: make_root(root, models=2, low_band=1),
            lambda: (root / "data/ckpt-low-band/model-0.ckpt").write_text('{"classes": []}'),
        ):
            change()
            assert info() not in seen
            seen.append(info())
        other = make_environment(tmp_path / "other", {"britekit": "1.8.5"})
        assert HawkEarsDetector(settings(other, root)).info.settings_hash != seen[-1].settings_hash

    def test_a_species_list_counts_by_its_content(self, python, tmp_path, root) -> None:
        species = tmp_path / "species.txt"
        hashes = set()
        for text in ("Ovenbird\n", "Sora\n"):
            species.write_text(text)
            chosen = settings(python, root, options={"include": str(species)})
            hashes.add(HawkEarsDetector(chosen).info.settings_hash)
        assert len(hashes) == 2

    def test_the_default_is_what_setup_makes(self, tmp_path) -> None:
        with pytest.raises(
            BadcError, match=r"environments/hawkears/bin/python: there is no .*`badc detectors setup hawkears`"
        ):
            HawkEarsDetector(HawkEarsSettings())  # pyright: ignore[reportCallIssue]
        make_environment(tmp_path / "cache/badc_assets/environments/hawkears")
        with pytest.raises(BadcError, match=r"cache/badc_assets/hawkears/data/ckpt: there are no checkpoints"):
            HawkEarsDetector(HawkEarsSettings())  # pyright: ignore[reportCallIssue]
        make_root(tmp_path / "cache/badc_assets/hawkears")
        assert HawkEarsDetector(HawkEarsSettings()).info.version == "2.3.0"  # pyright: ignore[reportCallIssue]

    def test_an_environment_without_hawkears_is_one_line(self, tmp_path, root) -> None:
        python = tmp_path / "bare/bin/python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
        with pytest.raises(BadcError, match=r"bare/bin/python: its environment has no package 'hawkears'; run `badc"):
            HawkEarsDetector(settings(python, root))
        for version in ("2.2.0", "2.3.0"):
            (tmp_path / f"bare/lib/python3.11/site-packages/hawkears-{version}.dist-info").mkdir(parents=True)
        with pytest.raises(BadcError, match=r"several versions of 'hawkears' \(2.2.0, 2.3.0\)"):
            HawkEarsDetector(settings(python, root))

    @pytest.mark.parametrize(
        ("values", "says"),
        [
            ({"max_models": 2}, "holds 1 checkpoints, max_models asks for 2"),
            ({"low_band": True}, "ckpt-low-band: there are no models"),
            ({"region": "CA-AB"}, "occurrence.pkl: is missing, and a place is set"),
        ],
    )
    def test_what_is_asked_for_must_be_there(self, python, root, values, says) -> None:
        with pytest.raises(BadcError, match=says):
            HawkEarsDetector(settings(python, root, **values))


class TestWeights:
    """A checkpoint is code: it is known before it is loaded."""

    def test_only_accepted_ones_are_used(self, python, root) -> None:
        make_root(root, models=2)
        first, second = (hashlib.sha256((root / f"data/ckpt/model-{n}.ckpt").read_bytes()).hexdigest() for n in (0, 1))
        for accepted in ([first, second], {"model-0.ckpt": first, "model-1.ckpt": second}, f"{first},{second}"):
            assert HawkEarsDetector(settings(python, root, weights_sha256=accepted)).info.weights_sha256
        for refused in ([first], {"model-0.ckpt": first}, {"model-0.ckpt": first, "model-1.ckpt": first}):
            with pytest.raises(BadcError, match=rf"model-1\.ckpt: its sha256 .*{second}.*can run any code"):
                HawkEarsDetector(settings(python, root, weights_sha256=refused))
        assert not (root / "calls.jsonl").exists()

    def test_ones_that_change_before_loading_are_not_loaded(self, python, root) -> None:
        detector = pickle.loads(pickle.dumps(HawkEarsDetector(settings(python, root))))
        (root / "data/ckpt/model-0.ckpt").write_text('{"classes": [["Evil", "EVIL", null, null]]}')
        with pytest.raises(BadcError, match="its checkpoints changed since the run began"):
            detector.load(Device())
        assert not (root / "calls.jsonl").exists()

    def test_ones_that_change_are_not_loaded_when_the_process_is_started_anew(self, made, root, tmp_path) -> None:
        detector, clip = made(), recording(tmp_path, "dies-once")
        with pytest.raises(HawkEarsFailed):
            detector.detect(clip)
        (root / "data/ckpt/model-0.ckpt").write_text('{"classes": [["Evil", "EVIL", null, null]]}')
        with pytest.raises(BadcError, match="its checkpoints changed since the run began"):
            detector.detect(clip)

    def test_files_of_the_same_name_count_each(self, python, root) -> None:
        make_root(root, models=1, low_band=1)
        before = HawkEarsDetector(settings(python, root)).info.weights_sha256
        (root / "data/ckpt/model-0.ckpt").write_text(json.dumps({"classes": [["Sora", "SORA", None, None]]}))
        assert HawkEarsDetector(settings(python, root)).info.weights_sha256 != before


class TestLoad:
    def test_it_says_what_runs(self, python, root) -> None:
        make_root(root, models=8)
        detector = HawkEarsDetector(settings(python, root))
        chosen = detector.load(Device())
        detector.close()
        assert chosen == {
            "hawkears": "2.3.0",
            "britekit": "1.8.4",
            "torch": "2.11.0",
            "device": "cpu",
            "models": "6, kept",
        }

    def test_our_python_does_not_reach_into_theirs(self, made, root, tmp_path, monkeypatch) -> None:
        (tmp_path / "ours").mkdir()
        (tmp_path / "ours/hawkears.py").write_text("raise SystemExit('the wrong hawkears')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "ours"))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        made()  # the device says `cuda` where CUDA_VISIBLE_DEVICES is not empty, and is checked below
        environment = clean_environment(is_gpu=False, threads=3)
        assert "PYTHONPATH" not in environment
        assert (environment["CUDA_VISIBLE_DEVICES"], environment["OMP_NUM_THREADS"]) == ("", "3")
        assert clean_environment(is_gpu=True, threads=1)["CUDA_VISIBLE_DEVICES"] == "0"

    def test_a_gpu_is_used_where_it_was_given_and_missed_where_it_is_not_seen(self, python, root, monkeypatch) -> None:
        gpu = Device("cuda", index=1, uuid="GPU-1")
        with pytest.raises(BadcError, match=r"its torch 2\.11\.0 sees no GPU"):
            HawkEarsDetector(settings(python, root)).load(gpu)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1")
        detector = HawkEarsDetector(settings(python, root))
        assert detector.load(gpu)["device"] == "cuda"
        detector.close()
        assert detector.load(Device())["device"] == "cpu"
        detector.close()

    @pytest.mark.parametrize(
        ("spoil", "says"),
        [
            (
                lambda root: (root / "data/ckpt/model-0.ckpt").write_text("not JSON"),
                "HawkEars cannot be used: JSONDecodeError",
            ),
            (
                lambda root: (root / "data/ckpt/model-0.ckpt").write_text("{}"),
                "HawkEars cannot be used: KeyError: 'classes'",
            ),
        ],
    )
    def test_models_that_cannot_be_loaded_are_noticed_at_once(self, python, root, spoil, says) -> None:
        spoil(root)
        with pytest.raises(BadcError, match=says):
            HawkEarsDetector(settings(python, root)).load(Device())

    def test_an_unknown_entry_of_the_configuration_is_noticed_at_once(self, python, root) -> None:
        detector = HawkEarsDetector(settings(python, root, options={"infer.blok_size": 1}))
        with pytest.raises(BadcError, match="ConfigKeyError: Key 'blok_size' is not in struct"):
            detector.load(Device())

    def test_onnx_models_must_be_there_where_openvino_would_take_them(self, tmp_path, root) -> None:
        python = make_environment(tmp_path / "environment")
        next((tmp_path / "environment").glob("lib/python3*/site-packages")).joinpath("openvino").mkdir()
        make_root(root, models=2)
        (root / "data/ckpt/model-0.onnx").touch()
        with pytest.raises(BadcError, match=r"holds 1 \*\.onnx for 2 models, and openvino is installed"):
            HawkEarsDetector(settings(python, root)).load(Device())
        (root / "data/ckpt/model-1.onnx").touch()
        detector = HawkEarsDetector(settings(python, root))
        detector.load(Device())
        detector.close()

    def test_an_interpreter_that_fails_is_one_line_with_its_last_words(self, python, root, tmp_path) -> None:
        broken = tmp_path / "broken/bin/python"
        broken.parent.mkdir(parents=True)
        (tmp_path / "broken/lib").symlink_to(python.parent.parent / "lib")
        broken.write_text("#!/bin/sh\necho no such library >&2\nexit 3\n")
        broken.chmod(0o755)
        with pytest.raises(
            BadcError, match="HawkEars' process ended with status 3; it said: no such library"
        ) as caught:
            HawkEarsDetector(settings(broken, root)).load(Device())
        assert "\n" not in str(caught.value)

    def test_another_version_than_its_dist_info_says_is_refused(self, python, root, tmp_path) -> None:
        claimed = tmp_path / "claimed"
        (claimed / "bin").mkdir(parents=True)
        for package in ("hawkears-2.9.9", "britekit-1.8.4"):
            (claimed / f"lib/python3.11/site-packages/{package}.dist-info").mkdir(parents=True)
        wrapper = claimed / "bin/python"
        wrapper.write_text(f'#!/bin/sh\nexec "{python}" "$@"\n')
        wrapper.chmod(0o755)
        with pytest.raises(BadcError, match=r"runs HawkEars 2\.3\.0, beside it lies 2\.9\.9"):
            HawkEarsDetector(settings(wrapper, root)).load(Device())


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
        detector = HawkEarsDetector(settings(python, root))
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
            HawkEarsDetector(settings(python, root, options={"include": str(species)}))
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


class TestProcess:
    def test_what_libraries_print_and_read_is_kept_apart(self, made, tmp_path) -> None:
        assert made().detect(recording(tmp_path, "chatty"))

    def test_a_process_that_dies_is_started_anew(self, made, tmp_path) -> None:
        detector, clip = made(), recording(tmp_path, "dies-once")
        with pytest.raises(
            HawkEarsFailed, match=r"was killed by SIGKILL \(out of memory\?\); it said: .*the last words"
        ):
            detector.detect(clip)
        assert detector.detect(clip)

    def test_a_copy_of_a_running_one_starts_its_own(self, made, tmp_path) -> None:
        detector, clip = made(), recording(tmp_path, "A")
        copy = pickle.loads(pickle.dumps(detector))
        assert copy.detect(clip) == detector.detect(clip)
        copy.close()
        assert detector.detect(clip)

    def test_errors_that_may_go_away_are_no_badc_errors(self, made, tmp_path) -> None:
        detector = made()
        with pytest.raises(MemoryError, match="CUDA out of memory"):
            detector.detect(recording(tmp_path, "gpu-full"))
        with pytest.raises(HawkEarsFailed, match=r"RuntimeError: something\\nunforeseen"):
            detector.detect(recording(tmp_path, "surprise"))
        assert detector.detect(recording(tmp_path, "well"))

    def test_closing_ends_it_leaves_no_files_and_may_be_done_twice(self, python, root, tmp_path, monkeypatch) -> None:
        (tmp_path / "temporary").mkdir()
        monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
        detector = HawkEarsDetector(settings(python, root))
        detector.close()
        detector.load(Device())
        assert detector.detect(recording(tmp_path, "A"))
        assert len(list((tmp_path / "temporary").rglob("*"))) == 2  # its folder and its configuration
        detector.close()
        detector.close()
        assert not processes_of(root)
        assert not list((tmp_path / "temporary").iterdir())

    def test_it_does_not_outlive_a_killed_owner(self, python, root, tmp_path) -> None:
        code = (
            "import os, pickle, sys, signal; from badc_assets.detectors.protocol import Device\n"
            "detector = pickle.load(sys.stdin.buffer); detector.load(Device()); print('up', flush=True); signal.pause()"
        )
        owner = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert owner.stdin is not None
        assert owner.stdout is not None
        owner.stdin.write(pickle.dumps(HawkEarsDetector(settings(python, root))))
        owner.stdin.close()
        assert owner.stdout.readline() == b"up\n"
        assert processes_of(root)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        owner.stdout.close()
        deadline = time.monotonic() + 10
        while processes_of(root) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not processes_of(root)


def processes_of(root: Path) -> list[int]:
    """Processes whose current folder is this root."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and os.access(entry / "cwd", os.R_OK):
            try:
                if (entry / "cwd").readlink() == root:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
