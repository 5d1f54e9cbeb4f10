"""HawkEars 1 through a stand-in for its analyze.py."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from badc_assets.detectors.command.run import ProgramFailed
from badc_assets.detectors.hawkears.detector import HawkEarsDetector, HawkEarsSettings
from badc_assets.detectors.protocol import Device, Label
from badc_assets.errors import BadcError
from badc_assets_tests.detector_contract import FileDetectorContract
from badc_assets_tests.detectors.hawkears.environment import FAKE, RATE_HZ, clip_of, recording
from badc_assets_tests.sounds import write_sound


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path) -> Path:
    return make_repository(tmp_path / "HawkEars")


def make_repository(folder: Path) -> Path:
    (folder / "data/ckpt").mkdir(parents=True)
    (folder / "data/ckpt/hgnet.ckpt").write_bytes(b"weights")
    (folder / "version.txt").write_text("1.0.8\n")
    shutil.copy(FAKE / "analyze.py", folder)
    return folder


def made(root: Path, device: Device | None = None, **values) -> HawkEarsDetector:
    chosen = {"generation": 1, "python": sys.executable, "root": root, **values}
    detector = HawkEarsDetector(HawkEarsSettings.model_validate(chosen))
    detector.load(device or Device())
    return detector


def told(root: Path) -> dict:
    return json.loads((root / "words.json").read_text())


class TestContract(FileDetectorContract):
    make = HawkEarsDetector

    @pytest.fixture
    def settings(self, root):
        chosen = {"generation": 1, "python": sys.executable, "root": root, "latitude": 50, "longitude": -110}
        return HawkEarsSettings.model_validate(chosen)

    @pytest.fixture
    def changes(self):
        return {"unit": "chunk", "min_score": 0.2, "segment_s": "variable", "latitude": 51, "longitude": -111,
                "date": "0601", "extra_args": ["--fast"], "label_style": "names"}  # fmt: skip

    @pytest.fixture
    def neutral(self, tmp_path):
        elsewhere = make_repository(tmp_path / "elsewhere")
        return {"root": elsewhere, "weights_sha256": [hashlib.sha256(b"weights").hexdigest()], "threads": 2,
                "python": Path(sys.executable).with_name("python"), "generation": 1, "options": {}, "region": None,
                "max_models": None, "low_band": None}  # fmt: skip


class TestInfo:
    def test_version_weights_and_code_of_the_repository(self, root) -> None:
        detector = made(root)
        info = detector.info
        assert (info.name, info.version, info.kind, info.uses_gpu) == ("hawkears", "1.0.8", "file", True)
        assert info.weights_sha256 == hashlib.sha256(b"weights").hexdigest()
        with (root / "analyze.py").open("a") as file:
            file.write("# a change of the fork\n")
        assert made(root).info.settings_hash != info.settings_hash
        (root / "data/low.ckpt").write_bytes(b"more")
        assert made(root).info.weights_sha256 != info.weights_sha256

    @pytest.mark.parametrize(
        ("spoil", "says"),
        [
            (lambda root: (root / "analyze.py").unlink(), r"analyze\.py: there is no such program"),
            (lambda root: (root / "version.txt").unlink(), r"version\.txt: there is no such file"),
            (lambda root: (root / "version.txt").write_text("a b\n"), r"version\.txt: states no version \('a b'\)"),
            (lambda root: (root / "data/ckpt/hgnet.ckpt").unlink(), "data: there are no checkpoints"),
        ],
    )
    def test_what_is_missing_is_one_line(self, root, spoil, says) -> None:
        spoil(root)
        with pytest.raises(BadcError, match=says):
            made(root)

    def test_checkpoints_must_be_accepted_and_stay(self, root, tmp_path) -> None:
        with pytest.raises(BadcError, match=r"hgnet\.ckpt: its sha256 .* is not accepted"):
            made(root, weights_sha256=["0" * 64])
        detector = made(root)
        (root / "data/ckpt/hgnet.ckpt").write_bytes(b"other")
        with pytest.raises(BadcError, match="its checkpoints changed since the run began"):
            detector.load(Device())
        with pytest.raises(BadcError, match="its checkpoints changed since the run began"):
            detector.detect(recording(tmp_path, "A"))


class TestRun:
    def test_the_words_that_it_is_run_with(self, root, tmp_path, monkeypatch) -> None:
        monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        clip = recording(tmp_path, "A")
        made(root, threads=2, extra_args="--overlap 1 --fast").detect(clip)
        words = told(root)
        wanted = {"input": str(clip.path), "rtype": "csv", "merge": 0, "min_score": 0.1, "overlap": 1.0, "fast": True,
                  "region": None, "lat": None, "lon": None, "date": None, "cwd": str(root)}  # fmt: skip
        assert {name: words[name] for name in wanted} == wanted
        environment = {
            name: words["environment"][name] for name in ("PYTHONPATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
        }
        assert environment == {"PYTHONPATH": "", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "2"}
        made(root, Device("cuda")).detect(clip)
        assert told(root)["environment"]["CUDA_VISIBLE_DEVICES"] == "0"

    def test_a_place_and_the_recordings_own_date(self, root, tmp_path) -> None:
        detector = made(root, latitude=-1.5, longitude=-110, date="recording")
        path = recording(tmp_path, "A").path
        detector.detect(clip_of(path, start_local="2023-06-01T05:00:00"))
        assert [told(root)[name] for name in ("lat", "lon", "date")] == [-1.5, -110.0, "20230601"]
        with pytest.raises(BadcError, match="its date is unknown"):
            detector.detect(clip_of(path))

    def test_rows_become_events(self, root, tmp_path) -> None:
        clip = recording(tmp_path, "A", 4)
        events = made(root).detect(clip)
        assert [(one.start_ms, one.end_ms, one.label) for one in events] == [
            (0, 3000, Label("OVEN", "Ovenbird")), (1500, 4000, Label("OVEN", "Ovenbird")),
        ]  # fmt: skip
        assert events[0].confidence == pytest.approx(0.9, abs=1e-3)
        assert [one.end_ms for one in made(root, segment_s="variable").detect(clip)] == [3000]
        assert {one.label.code for one in made(root, label_style="names").detect(clip)} == {"Ovenbird"}

    def test_nothing_found_is_no_error(self, root, tmp_path) -> None:
        assert made(root, min_score=0.95).detect(recording(tmp_path, "A")) == []

    @pytest.mark.parametrize("name", ["GNWT1_20230601_050000", "resolved_20230601_050000"])
    def test_a_git_annex_link_by_either_name(self, root, tmp_path, name) -> None:
        target = recording(tmp_path / ".git/annex/objects", "MD5E-s1--abc").path
        link = tmp_path / f"{name}.wav"
        link.symlink_to(target)
        assert made(root).detect(clip_of(link))

    def test_the_csv_file_is_kept_and_never_overwritten(self, root, tmp_path) -> None:
        clip = clip_of(recording(tmp_path, "R_chunk_0_6000").path, tmp_path / "kept", chunk_id="R_chunk_0_6000")
        for _ in range(3):
            made(root).detect(clip)
        kept = sorted((tmp_path / "kept").rglob("*"))[1:]
        names = ["HawkEars_labels.2.csv", "HawkEars_labels.3.csv", "HawkEars_labels.csv"]
        assert [path.name for path in kept] == names
        assert kept[0].parent.name == "R_chunk_0_6000_hawkears"
        assert kept[0].read_text().startswith("filename,start_time,end_time,class_name,class_code,score")

    def test_a_link_without_content_takes_up_its_name(self, root, tmp_path) -> None:
        clip = recording(tmp_path, "R")
        folder = clip.keep_in / "R_hawkears"
        folder.mkdir(parents=True)
        (folder / "HawkEars_labels.csv").symlink_to("../.git/annex/objects/absent")
        made(root).detect(clip)
        assert (folder / "HawkEars_labels.csv").is_symlink()
        assert (folder / "HawkEars_labels.2.csv").is_file()


class TestTraps:
    def test_status_0_without_a_csv_file_is_an_error(self, root, tmp_path) -> None:
        path = recording(tmp_path, "A").path
        odd = path.rename(path.with_suffix(".riff"))
        says = r"ended well, but wrote no HawkEars_labels\.csv; it said: .*is not a directory or an audio file"
        with pytest.raises(BadcError, match=says) as caught:
            made(root).detect(clip_of(odd))
        assert "\n" not in str(caught.value)

    def test_a_file_that_it_cannot_read_is_an_error(self, root, tmp_path) -> None:
        """It would log that, write a CSV file without rows, and end with status 0."""
        path = tmp_path / "bad.wav"
        path.write_bytes(b"RIFF")
        with pytest.raises(BadcError, match=r"bad\.wav"):
            made(root).detect(clip_of(path, duration_ms=1000))
        assert not (root / "words.json").exists()

    def test_what_may_go_away_is_no_badc_error(self, root, tmp_path) -> None:
        detector = made(root)
        with pytest.raises(ProgramFailed, match=r"ended with status 1; it said: .*unforeseen"):
            detector.detect(recording(tmp_path, "crash"))
        with pytest.raises(ProgramFailed, match="CUDA out of memory"):
            detector.detect(recording(tmp_path, "gpu-full"))

    def test_rows_about_another_file_are_an_error(self, root, tmp_path) -> None:
        clip = recording(tmp_path, "other-one")
        with pytest.raises(BadcError, match=r"HawkEars_labels\.csv: line 2 is about another file \('other\.wav'\)"):
            made(root).detect(clip)
        assert (clip.keep_in / "other-one_hawkears/HawkEars_labels.csv").is_file()

    def test_nothing_is_found_in_digital_silence(self, root, tmp_path) -> None:
        path = write_sound(tmp_path / "silent.wav", np.zeros(6 * RATE_HZ, np.float32), rate_hz=RATE_HZ)
        assert made(root, min_score=0).detect(clip_of(path)) == ()
