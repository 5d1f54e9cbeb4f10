"""The process that runs HawkEars, through its stand-in: it answers, dies and ends as it should."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from badc_assets.detectors.hawkears.detector import HawkEarsDetector
from badc_assets.detectors.hawkears.process import HawkEarsFailed
from badc_assets.detectors.protocol import Device
from badc_assets.files import scratch_prefix
from badc_assets_tests.detectors.hawkears.environment import (
    recording,
    settings_of,
)


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
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        detector = HawkEarsDetector(settings_of(python, root))
        detector.close()
        detector.load(Device())
        assert detector.detect(recording(tmp_path, "A"))
        names = [path.name for path in (tmp_path / "temporary").rglob("*")]
        assert len(names) == 3  # ours, in it that of the process, and its configuration
        assert names[0].startswith(scratch_prefix())  # so that the next run removes it if we are killed
        detector.close()
        detector.close()
        assert not processes_of(root)
        assert not list((tmp_path / "temporary").iterdir())

    def test_what_it_leaves_when_it_is_killed_is_removed(self, python, root, tmp_path, monkeypatch) -> None:
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        detector = HawkEarsDetector(settings_of(python, root))
        detector.load(Device())
        for pid in processes_of(root):
            os.kill(pid, signal.SIGKILL)
        detector.close()
        assert not list((tmp_path / "temporary").iterdir())

    def test_it_does_not_outlive_a_killed_owner(self, python, root, tmp_path) -> None:
        code = (
            "import os, pickle, sys, signal; from badc_assets.detectors.protocol import Device\n"
            "detector = pickle.load(sys.stdin.buffer); detector.load(Device()); print('up', flush=True); signal.pause()"
        )
        owner = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert owner.stdin is not None
        assert owner.stdout is not None
        owner.stdin.write(pickle.dumps(HawkEarsDetector(settings_of(python, root))))
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
