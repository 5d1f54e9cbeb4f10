"""HawkEars 2, the package: one process of its own Python that keeps the models loaded and analyses one recording at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from badc_assets.detectors.hawkears.answers import failure, recorded_on, require_analysed
from badc_assets.detectors.hawkears.events import Found
from badc_assets.detectors.hawkears.files import (
    LOW_BAND_MODELS,
    MAIN_MODELS,
    SETUP,
    combined_sha256,
    default_root,
    installed_version,
    models_in,
    require_accepted,
    require_python,
    require_same,
    text_digest,
)
from badc_assets.detectors.hawkears.process import HawkEarsFailed, WorkerProcess, clean_environment
from badc_assets.detectors.hawkears.settings import FILE_OPTIONS, MODEL_COUNTS, HawkEarsSettings
from badc_assets.detectors.protocol import Clip, Device, Label
from badc_assets.detectors.weights import weights_sha256
from badc_assets.errors import BadcError, printable

_SCRIPT = Path(__file__).with_name("worker.py")
_WORKER_VERSION = "1"
"""Part of the settings hash: raise it when the worker would give other results."""
_TEXTS = ("yaml/*.yaml", "data/exclude.txt", "data/taxonomy.csv")
_OCCURRENCE = Path("data/occurrence.pkl")
_STYLES = ("names", "codes", "alt_codes", "alt_names")
"""In the order in which the worker gives them for each class."""


class HawkEarsPackage:
    """Finds and runs HawkEars 2. Making it starts nothing; it survives pickling, its process does not."""

    def __init__(self, settings: HawkEarsSettings) -> None:
        """Raises BadcError when the environment or the checkpoints are missing, or a checkpoint is not accepted."""
        self._settings = settings
        self._python = require_python(settings.python)
        self._root = (settings.root or default_root()).expanduser().absolute()
        self.version = installed_version(self._python, "hawkears")
        main, low_band = models_in(self._root / MAIN_MODELS), models_in(self._root / LOW_BAND_MODELS)
        self._models = sum(path.suffix == ".ckpt" for path in main)
        self._require_models(low_band)
        self._uses_low_band = bool(low_band) if settings.low_band is None else settings.low_band
        self._files = [*main, *(low_band if self._uses_low_band else [])]
        require_accepted(self._files, settings.weights_sha256)
        self.weights_sha256 = combined_sha256(self._root, self._files)
        self.digest = self._digest()
        self._process: WorkerProcess | None = None
        self._device = Device()
        self._labels: dict[str, Label] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_process": None}

    def load(self, device: Device) -> Mapping[str, str]:
        """Start the process and have it load the models. Raises BadcError when it cannot, or may not."""
        self._device = device
        hello = self._start()
        versions = hello["versions"]
        return {**versions, "device": hello["device"], "models": f"{self._ensemble}, {hello['models']}"}

    def find(self, clip: Clip) -> list[Found]:
        """The detections in a clip. A process that has died is started anew.

        Raises BadcError for a clip that HawkEars cannot use, HawkEarsFailed and MemoryError for what may work another time.
        """
        if self._process is None or not self._process.is_alive:
            self.close()
            self._start()
        assert self._process is not None
        answer = self._process.ask({"path": str(clip.path.absolute()), "arguments": self._clip_arguments(clip)})
        if "error" in answer:
            raise failure(clip, answer["error"])
        require_analysed(clip, answer)
        return [self._found(clip, detection) for detection in answer["detections"]]

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.stop()
        self._process = None

    def _require_models(self, low_band: Sequence[Path]) -> None:
        folder = self._root / MAIN_MODELS
        if not self._models:
            remedy = f"{SETUP}, or put HawkEars' checkpoints there"
            raise BadcError(folder, "there are no checkpoints (*.ckpt)", remedy)
        if (self._settings.max_models or 0) > self._models:
            problem = f"holds {self._models} checkpoints, max_models asks for {self._settings.max_models}"
            raise BadcError(folder, problem, "lower detectors.hawkears.max_models")
        if self._settings.low_band and not low_band:
            raise BadcError(
                self._root / LOW_BAND_MODELS, "there are no models", "leave detectors.hawkears.low_band out"
            )

    @property
    def _ensemble(self) -> int:
        """How many models are used: all, as far as HawkEars can arrange them in time."""
        return self._settings.max_models or max(count for count in MODEL_COUNTS if count <= self._models)

    def _digest(self) -> list[Any]:
        """What decides results beside the settings and the checkpoints."""
        named = [self._root / value for name, value in self._settings.options.items() if name in FILE_OPTIONS]
        for path in named:
            if not path.is_file():
                # HawkEars would take it for an empty list, and report nothing at all.
                raise BadcError(path, "there is no such file", "correct detectors.hawkears.options")
        files = list(named)
        if self._settings.has_place:
            if not (self._root / _OCCURRENCE).is_file():
                raise BadcError(
                    self._root / _OCCURRENCE, "is missing, and a place is set", f"{SETUP}, or unset the place"
                )
            files.append(self._root / _OCCURRENCE)
        return [
            _WORKER_VERSION,
            installed_version(self._python, "britekit"),
            text_digest(self._root, _TEXTS),
            [weights_sha256([path]) for path in files],
            {"max_models": self._ensemble, "low_band": self._uses_low_band},
        ]

    def _start(self) -> dict[str, Any]:
        require_same(self._root, self._files, self.weights_sha256)
        threads = self._settings.threads or self._device.threads
        environment = clean_environment(is_gpu=self._device.kind == "cuda", threads=threads)
        self._process = WorkerProcess(self._python, _SCRIPT, environment, self._root)
        try:
            hello = self._process.ask(self._setup())
            self._check_hello(hello)
        except BaseException as error:
            self.close()
            if isinstance(error, HawkEarsFailed):
                problem = f"HawkEars cannot be started: {error}"
                raise BadcError(self._python, problem, f"{SETUP} anew, or see what it said") from error
            raise
        self._labels = {names[0]: self._label(names) for names in hello["classes"]}
        return hello

    def _setup(self) -> dict[str, Any]:
        settings = self._settings
        place = {"region": settings.region, "lat": settings.latitude, "lon": settings.longitude}
        if settings.date != "recording":
            place["date"] = settings.date
        arguments = {
            "min_score": settings.min_score,
            "segment_len": settings.segment_s,
            "max_models": self._ensemble,
            "low_band": self._uses_low_band,
            **place,
            **{name: value for name, value in settings.options.items() if "." not in name},
        }
        # Where HawkEars has another value for CPUs, or a file could name other checkpoints than those that were looked at.
        config: dict[str, Any] = {
            "audio.choose_channel": True,
            "misc.ckpt_folder": str(self._root / MAIN_MODELS),
            "hawkears.low_band_ckpt_folder": str(self._root / LOW_BAND_MODELS),
            "infer.segment_len": settings.segment_s,
            **{name: value for name, value in settings.options.items() if "." in name},
        }
        return {"root": str(self._root), "arguments": arguments, "config": _nested(config)}

    def _check_hello(self, hello: Mapping[str, Any]) -> None:
        if "error" in hello:
            problem = f"HawkEars cannot be used: {printable(hello['error']['message'])}"
            raise BadcError(self._root, problem, "correct detectors.hawkears, or set it up again")
        version, device = hello["versions"]["hawkears"], hello["device"]
        if version != self.version:
            raise BadcError(self._python, f"runs HawkEars {version}, beside it lies {self.version}", SETUP)
        if self._device.kind == "cuda" and device != "cuda":
            problem = f"its torch {hello['versions']['torch']} sees no GPU"
            raise BadcError(self._python, problem, "install a torch with CUDA there, or run on the CPU")
        onnx = sum(path.suffix == ".onnx" for path in models_in(self._root / MAIN_MODELS))
        if hello["uses_onnx"] and onnx < self._ensemble:
            problem = f"holds {onnx} *.onnx for {self._ensemble} models, and openvino is installed"
            raise BadcError(
                self._root / MAIN_MODELS, problem, "make them with `britekit ckpt-onnx`, or uninstall openvino"
            )

    def _label(self, names: Sequence[str | None]) -> Label:
        """The label of a class by the style of the settings; a class that has no such name keeps its English one."""
        code = names[_STYLES.index(self._settings.label_style)] or names[0]
        return Label(str(code), str(names[0]))

    def _clip_arguments(self, clip: Clip) -> dict[str, str]:
        if self._settings.date != "recording":
            return {}
        return {"date": recorded_on(clip)}

    def _found(self, clip: Clip, detection: Sequence[Any]) -> Found:
        path, name, start_s, end_s, score = detection
        if path != str(clip.path.absolute()):
            raise BadcError(clip.path, f"HawkEars reports on another file ({path})", "report it to its authors")
        if name not in self._labels:
            problem = f"HawkEars reports {name!r}, which is no class of its model"
            raise BadcError(clip.path, problem, "report it to its authors")
        return Found(self._labels[name], float(start_s), float(end_s), float(score))


def _nested(config: Mapping[str, Any]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for name, value in config.items():
        *path, key = name.split(".")
        place = tables
        for table in path:
            place = place.setdefault(table, {})
        place[key] = value
    return tables
