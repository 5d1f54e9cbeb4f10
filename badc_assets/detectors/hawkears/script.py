"""HawkEars 1, a repository of scripts: `analyze.py` is run once for each clip, and its CSV file read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from badc_assets.detectors.command.run import Ended, ProgramFailed, run_program
from badc_assets.detectors.hawkears.answers import recorded_on
from badc_assets.detectors.hawkears.events import Found
from badc_assets.detectors.hawkears.files import (
    MODEL_SUFFIXES,
    combined_sha256,
    repository_version,
    require_accepted,
    require_python,
    require_same,
    text_digest,
)
from badc_assets.detectors.hawkears.labels import FILE_NAME, read_labels
from badc_assets.detectors.hawkears.settings import HawkEarsSettings
from badc_assets.detectors.protocol import Clip, Device
from badc_assets.errors import BadcError
from badc_assets.files import atomic_path, scratch_prefix

_PROGRAM = "analyze.py"
_TEXTS = ("*.py", "*/*.py", "*.yaml", "yaml/*.yaml", "data/*.txt", "data/*.csv")
_START_IN = "import os, sys; os.chdir(sys.argv[1]); os.execv(sys.argv[2], sys.argv[2:])"
"""HawkEars 1 finds its models below the folder that it is started in."""


class HawkEarsScript:
    """Runs analyze.py. Nothing is loaded in advance: the program ends after each clip."""

    def __init__(self, settings: HawkEarsSettings) -> None:
        """Raises BadcError when the repository or its checkpoints are missing, or a checkpoint is not accepted."""
        assert settings.root is not None
        self._settings = settings
        self._python = require_python(settings.python)
        self._root = settings.root.expanduser().absolute()
        if not (self._root / _PROGRAM).is_file():
            raise BadcError(self._root / _PROGRAM, "there is no such program", "correct detectors.hawkears.root")
        self.version = repository_version(self._root)
        data = (self._root / "data").rglob("*")
        self._files = sorted(path for path in data if path.suffix in MODEL_SUFFIXES and path.is_file())
        if not self._files:
            raise BadcError(self._root / "data", "there are no checkpoints", "put those of HawkEars 1 into data/ckpt")
        require_accepted(self._files, settings.weights_sha256)
        self.weights_sha256 = combined_sha256(self._root, self._files)
        self.digest: list[Any] = [text_digest(self._root, _TEXTS)]
        self._environment: dict[str, str] = {}

    def load(self, device: Device) -> Mapping[str, str]:
        """Set the environment of the program. Raises BadcError when the checkpoints are no longer those of `weights_sha256`."""
        require_same(self._root, self._files, self.weights_sha256)
        # Empty is as good as unset for these.
        self._environment = {"PYTHONPATH": "", "PYTHONHOME": "", "PYTHONNOUSERSITE": "1"}
        threads = str(self._settings.threads or device.threads)
        self._environment |= {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        if device.kind == "cpu":
            self._environment["CUDA_VISIBLE_DEVICES"] = ""
        return {"hawkears": self.version, "device": device.kind, "models": "loaded for each clip"}

    def find(self, clip: Clip) -> list[Found]:
        """The detections in a clip. The CSV file is kept in `clip.keep_in`, also where it is no valid one.

        Raises BadcError when HawkEars ends well without that file or the file is not valid, ProgramFailed when it ends badly.
        """
        require_same(self._root, self._files, self.weights_sha256)
        with TemporaryDirectory(prefix=scratch_prefix(), ignore_cleanup_errors=True) as folder:
            ended = run_program(self._command(clip, Path(folder)), self._environment)
            if ended.exit_status:
                raise ProgramFailed(str(self._root / _PROGRAM), f"ended with status {ended.exit_status}", ended.said)
            written = Path(folder) / FILE_NAME
            if not written.is_file():
                raise _without_result(clip, ended)
            kept = _keep(written, clip)
        names = {clip.path.name, clip.path.resolve().name}
        return read_labels(kept, names, use_names=self._settings.label_style == "names")

    def close(self) -> None:
        """There is nothing to end."""

    def _command(self, clip: Clip, output: Path) -> list[str]:
        settings = self._settings
        program = [str(self._python), _PROGRAM, "-i", str(clip.path.absolute()), "-o", str(output), "--rtype", "csv"]
        program += ["--merge", "1" if settings.segment_s is None else "0", "--min_score", str(settings.min_score)]
        place = {"--region": settings.region, "--lat": settings.latitude, "--lon": settings.longitude}
        place["--date"] = recorded_on(clip) if settings.date == "recording" else settings.date
        program += [f"{name}={value}" for name, value in place.items() if value is not None]
        return [str(self._python), "-I", "-S", "-c", _START_IN, str(self._root), *program, *settings.extra_args]


def _without_result(clip: Clip, ended: Ended) -> Exception:
    """HawkEars 1 ends with status 0 after most errors."""
    problem = f"HawkEars ended well, but wrote no {FILE_NAME}" + (f"; it said: {ended.said}" if ended.said else "")
    if "out of memory" in ended.said.lower():
        return ProgramFailed(str(clip.path), problem)
    return BadcError(clip.path, problem, "see what it said; correct detectors.hawkears.root or extra_args")


def _keep(written: Path, clip: Clip) -> Path:
    """Copy the CSV file to the first free name in the clip's folder, called as BADC called it; earlier ones stay as they are."""
    folder = clip.keep_in / f"{clip.chunk_id or clip.recording_id}_hawkears"
    target, number = folder / FILE_NAME, 1
    while os.path.lexists(target):
        number += 1
        target = folder / f"{written.stem}.{number}.csv"
    with atomic_path(target) as temporary:
        shutil.copyfile(written, temporary)
    return target
