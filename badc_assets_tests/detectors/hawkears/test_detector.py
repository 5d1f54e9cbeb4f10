"""HawkEars 2 through its stand-in: how it is found and started."""

from __future__ import annotations

import hashlib
import json
import pickle
import sys

import pytest

from badc_assets.detectors.hawkears.detector import HawkEarsDetector, HawkEarsSettings
from badc_assets.detectors.hawkears.process import HawkEarsFailed, clean_environment
from badc_assets.detectors.protocol import Device
from badc_assets.errors import BadcError
from badc_assets_tests.detector_contract import FileDetectorContract
from badc_assets_tests.detector_examples import example_sounds
from badc_assets_tests.detectors.hawkears.environment import (
    RATE_HZ,
    make_environment,
    make_root,
    recording,
    settings_of,
)


class TestContract(FileDetectorContract):
    make = HawkEarsDetector

    @pytest.fixture
    def settings(self, python, tmp_path):
        root = make_root(tmp_path / "root", models=3, low_band=1)
        (root / "data/occurrence.pkl").write_bytes(b"a table")
        return settings_of(python, root, latitude=50, longitude=-110)

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
        info = HawkEarsDetector(settings_of(python, root)).info
        assert (info.name, info.version, info.kind, info.unit) == ("hawkears", "2.3.0", "file", "recording")
        assert (info.labels, info.uses_gpu, info.is_stub) == ((), True, False)
        assert info.weights_sha256 == hashlib.sha256((root / "data/ckpt/model-0.ckpt").read_bytes()).hexdigest()

    def test_everything_that_changes_results_changes_it(self, python, tmp_path, root) -> None:
        def info():
            return HawkEarsDetector(settings_of(python, root)).info

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
        assert HawkEarsDetector(settings_of(other, root)).info.settings_hash != seen[-1].settings_hash

    def test_a_species_list_counts_by_its_content(self, python, tmp_path, root) -> None:
        species = tmp_path / "species.txt"
        hashes = set()
        for text in ("Ovenbird\n", "Sora\n"):
            species.write_text(text)
            chosen = settings_of(python, root, options={"include": str(species)})
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
            HawkEarsDetector(settings_of(python, root))
        for version in ("2.2.0", "2.3.0"):
            (tmp_path / f"bare/lib/python3.11/site-packages/hawkears-{version}.dist-info").mkdir(parents=True)
        with pytest.raises(BadcError, match=r"several versions of 'hawkears' \(2.2.0, 2.3.0\)"):
            HawkEarsDetector(settings_of(python, root))

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
            HawkEarsDetector(settings_of(python, root, **values))


class TestWeights:
    """A checkpoint is code: it is known before it is loaded."""

    def test_only_accepted_ones_are_used(self, python, root) -> None:
        make_root(root, models=2)
        first, second = (hashlib.sha256((root / f"data/ckpt/model-{n}.ckpt").read_bytes()).hexdigest() for n in (0, 1))
        for accepted in ([first, second], {"model-0.ckpt": first, "model-1.ckpt": second}, f"{first},{second}"):
            assert HawkEarsDetector(settings_of(python, root, weights_sha256=accepted)).info.weights_sha256
        for refused in ([first], {"model-0.ckpt": first}, {"model-0.ckpt": first, "model-1.ckpt": first}):
            with pytest.raises(BadcError, match=rf"model-1\.ckpt: its sha256 .*{second}.*can run any code"):
                HawkEarsDetector(settings_of(python, root, weights_sha256=refused))
        assert not (root / "calls.jsonl").exists()

    def test_ones_that_change_before_loading_are_not_loaded(self, python, root) -> None:
        detector = pickle.loads(pickle.dumps(HawkEarsDetector(settings_of(python, root))))
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
        before = HawkEarsDetector(settings_of(python, root)).info.weights_sha256
        (root / "data/ckpt/model-0.ckpt").write_text(json.dumps({"classes": [["Sora", "SORA", None, None]]}))
        assert HawkEarsDetector(settings_of(python, root)).info.weights_sha256 != before


class TestLoad:
    def test_it_says_what_runs(self, python, root) -> None:
        make_root(root, models=8)
        detector = HawkEarsDetector(settings_of(python, root))
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
            HawkEarsDetector(settings_of(python, root)).load(gpu)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1")
        detector = HawkEarsDetector(settings_of(python, root))
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
            HawkEarsDetector(settings_of(python, root)).load(Device())

    def test_an_unknown_entry_of_the_configuration_is_noticed_at_once(self, python, root) -> None:
        detector = HawkEarsDetector(settings_of(python, root, options={"infer.blok_size": 1}))
        with pytest.raises(BadcError, match="ConfigKeyError: Key 'blok_size' is not in struct"):
            detector.load(Device())

    def test_onnx_models_must_be_there_where_openvino_would_take_them(self, tmp_path, root) -> None:
        python = make_environment(tmp_path / "environment")
        next((tmp_path / "environment").glob("lib/python3*/site-packages")).joinpath("openvino").mkdir()
        make_root(root, models=2)
        (root / "data/ckpt/model-0.onnx").touch()
        with pytest.raises(BadcError, match=r"holds 1 \*\.onnx for 2 models, and openvino is installed"):
            HawkEarsDetector(settings_of(python, root)).load(Device())
        (root / "data/ckpt/model-1.onnx").touch()
        detector = HawkEarsDetector(settings_of(python, root))
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
            HawkEarsDetector(settings_of(broken, root)).load(Device())
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
            HawkEarsDetector(settings_of(wrapper, root)).load(Device())
