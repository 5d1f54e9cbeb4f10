"""Runs HawkEars 2 for `package`: a script for HawkEars' own Python, which knows nothing of badc_assets.

One JSON object a line comes in on standard input, and one goes out for each. The first says what to set up and is answered with
what was found there; each of the others names a recording and is answered with its detections. Whatever HawkEars and its
libraries print goes to standard error.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import math
import os
import queue
import random
import shutil
import tempfile
import threading
import wave
from copy import deepcopy
from importlib import metadata
from pathlib import Path
from typing import Any

KNOWN_VERSIONS = (("2.3.0", "1.8.4"),)
"""HawkEars and BriteKit whose insides were looked at. With others models are loaded for each recording, and no scores checked."""

TRIAL_S, TRIAL_RATE_HZ = 4, 32_000
"""Not HawkEars' own rate, so that what it resamples with is loaded as well."""


def main() -> None:
    """Serve until standard input closes."""
    questions, answers = _take_over_pipes()
    folder = Path(tempfile.mkdtemp())
    waiting: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(questions, waiting, folder), daemon=True).start()
    session: Session | None = None
    while True:
        question = json.loads(waiting.get())
        try:
            if session is None:
                session = Session(question, folder)
                answer = session.hello()
            else:
                answer = session.detect(question)
        except Exception as error:  # noqa: BLE001 - told to the other side, which decides
            answer = {"error": {"kind": _kind(error), "message": f"{type(error).__name__}: {error}"}}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _take_over_pipes() -> tuple[Any, Any]:
    """The two pipes for ourselves; what anything else reads is empty, and what it prints goes to standard error."""
    questions, answers = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return questions, answers


def _read(questions: Any, waiting: queue.Queue[str], folder: Path) -> None:
    for line in questions:
        waiting.put(line)
    # The other side is gone, perhaps killed: nobody waits for what is being worked on.
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _kind(error: Exception) -> str:
    """`sound`: HawkEars says that it cannot use the recording. `memory`: there was too little. `other`: anything else."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "memory"
    return "sound" if type(error).__name__ == "InferenceError" else "other"


class Session:
    """HawkEars with one set of arguments. `setup` holds `root`, `arguments` of `analyze`, and `config`, entries of its YAML.

    `folder` is for files that HawkEars writes or reads meanwhile.
    """

    def __init__(self, setup: dict[str, Any], folder: Path) -> None:
        import britekit.core.util as britekit_util  # pyright: ignore[reportMissingImports]
        from hawkears.commands import analyze  # pyright: ignore[reportMissingImports]

        self._analyze = analyze
        self._folder = folder
        config = folder / "config.yaml"
        config.write_text(json.dumps(setup["config"]))  # JSON is YAML
        self._arguments = {
            **setup["arguments"],
            "cfg_path": str(config),
            "data_root": setup["root"],
            "rtype": None,
            "label_field": "names",
            "num_threads": 1,
            "quiet": True,
            "return_results": True,
            "raise_errors": True,
        }
        self._versions = {name: metadata.version(name) for name in ("hawkears", "britekit", "torch")}
        is_known = (self._versions["hawkears"], self._versions["britekit"]) in KNOWN_VERSIONS
        self._insides = Insides() if is_known else None
        self._device = str(britekit_util.get_device())
        self._classes = self._class_list()
        self._try()

    def hello(self) -> dict[str, Any]:
        """What runs here."""
        return {
            "versions": self._versions,
            "device": self._device,
            "models": "kept" if self._insides else "loaded for each recording",
            "uses_onnx": self._device == "cpu" and importlib.util.find_spec("openvino") is not None,
            "classes": self._classes,
        }

    def detect(self, question: dict[str, Any]) -> dict[str, Any]:
        """The detections in one recording. `arguments` of the question are added to those of the session."""
        path = question["path"]
        if self._insides:
            self._insides.forget()
        with tempfile.TemporaryDirectory(dir=self._folder) as output:
            result = self._analyze(
                **{**self._arguments, **question.get("arguments", {})},
                input_path=path,
                output_path=output,
                recording_paths=[Path(path)],
            )
        if result is None:
            return {"error": {"kind": "other", "message": "HawkEars returned nothing"}}
        found = [[str(d.recording_path), d.species, d.start_time, d.end_time, d.score] for d in result.detections]
        answer = {"recordings": result.recording_count, "detections": found}
        return {**answer, **self._insides.seen} if self._insides else answer

    def _class_list(self) -> list[list[str | None]]:
        """[name, code, eBird code, scientific name] of each class of the model, by the names that HawkEars reports."""
        from hawkears.core.class_manager import ClassManager  # pyright: ignore[reportMissingImports]
        from hawkears.core.config_loader import get_config  # pyright: ignore[reportMissingImports]

        config = deepcopy(get_config(self._arguments["cfg_path"], data_root=self._arguments["data_root"]))
        config.infer.label_field = "names"
        for name in ("include", "exclude"):
            if self._arguments.get(name) is not None:
                setattr(config.hawkears, f"{name}_list", self._arguments[name])
        classes = ClassManager(config).all_classes()
        if not any(one.include for one in classes):
            raise ValueError("the lists of species leave none of the model's classes")
        return [[one.name, one.code, one.alt_code, one.alt_name] for one in classes]

    def _try(self) -> None:
        """Analyse some noise: what is wrong with models, arguments or configuration shows now, and models get loaded."""
        noise = random.Random(0).randbytes(2 * TRIAL_S * TRIAL_RATE_HZ)
        trial = self._folder / "TRIAL_20230601_000000.wav"
        with wave.open(str(trial), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(TRIAL_RATE_HZ)
            sound.writeframes(noise)
        answer = self.detect({"path": str(trial)})
        trial.unlink()
        if "error" in answer or answer["recordings"] != 1:
            raise RuntimeError(f"HawkEars did not analyse a trial recording ({answer.get('error', answer)})")


class Insides:
    """Reaches into HawkEars so that it keeps its models, and tells whether it scored a recording, and all of it.

    `analyze` loads every model anew on each call, twice over. A recording that is too short, or whose scores are no numbers, it
    reports like one in which nothing calls. `seen` holds what the last call did.
    """

    def __init__(self) -> None:
        from britekit import Predictor  # pyright: ignore[reportMissingImports]
        from britekit.models import model_loader  # pyright: ignore[reportMissingImports]
        from hawkears.core import class_manager  # pyright: ignore[reportMissingImports]

        self.seen: dict[str, Any] = {}
        self.forget()
        self._keep_models(model_loader, class_manager)
        self._watch(Predictor)

    def forget(self) -> None:
        self.seen.update(scored=False, heard_s=None)

    def _keep_models(self, model_loader: Any, class_manager: Any) -> None:
        kept = functools.cache(model_loader.load_from_checkpoint)

        def load_once(path: str, multi_label: bool | None = None, apply_training_config: bool = True) -> Any:
            model = kept(path, multi_label, apply_training_config)
            if apply_training_config:
                # Loading does this as well, and low-band models must not leave theirs behind for the next recording.
                model.apply_training_config(model_loader.get_config())
            return model

        model_loader.load_from_checkpoint = load_once
        class_manager.load_from_checkpoint = load_once

    def _watch(self, predictor: type[Any]) -> None:
        from britekit.core.exceptions import InferenceError  # pyright: ignore[reportMissingImports]

        score = predictor.get_overlapping_scores

        @functools.wraps(score)
        def watched(self_: Any, *arguments: Any, **named: Any) -> Any:
            frames = score(self_, *arguments, **named)
            self.seen["scored"] = frames is not None and len(frames) > 0
            self.seen["heard_s"] = float(self_.audio.seconds())
            if frames is not None and not math.isfinite(float(frames.sum())):
                raise InferenceError("the scores are not numbers")
            return frames

        predictor.get_overlapping_scores = watched


if __name__ == "__main__":
    main()
