"""The tests of `detector_contract` that hold for every kind of detector."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import FrozenInstanceError
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ValidationError

from badc_assets.detectors.protocol import (
    Closable,
    DetectorInfo,
    Device,
    FileDetector,
    Loadable,
    StreamDetector,
    WindowDetector,
)

# Makes a detector in a fresh interpreter; prints which heavy libraries that loaded, and what the detector says it is.
_PROBE = """
import pickle, sys
heavy, make, settings = pickle.load(sys.stdin.buffer)
info = make(settings).info
print(" ".join(name for name in heavy if name in sys.modules))
print(repr(info))
"""


class DetectorContract:
    """What holds for every detector."""

    make: ClassVar[Callable[[Any], Any]]
    tolerance: ClassVar[float] = 1e-5
    """How far scores of the same sound may lie apart: sums in another order."""
    finds_something: ClassVar[bool] = True
    """Off for a detector that returns the same for every sound. Without this a broken detector would pass."""
    heavy: ClassVar[tuple[str, ...]] = ("torch", "transformers", "tensorflow", "onnxruntime", "openvino", "pandas")
    """Libraries that must not be loaded only to make a detector."""

    @pytest.fixture
    def settings(self) -> BaseModel:
        pytest.fail("a contract test needs the fixture `settings`")

    @pytest.fixture
    def changes(self) -> Mapping[str, object]:
        """Setting -> another valid value, with which results may differ."""
        return {}

    @pytest.fixture
    def neutral(self) -> Mapping[str, object]:
        """Setting -> another valid value, with which results are the same."""
        return {}

    @pytest.fixture
    def device(self) -> Device:
        return Device()

    @pytest.fixture
    def detector(self, settings: BaseModel, device: Device) -> Iterator[Any]:
        """As the engine has it: made, sent to a worker, loaded."""
        detector = pickle.loads(pickle.dumps(self.made(settings)))
        if isinstance(detector, Loadable):
            detector.load(device)
        yield detector
        if isinstance(detector, Closable):
            detector.close()

    def made(self, settings: BaseModel) -> Any:
        return type(self).make(settings)

    def test_info_is_complete_and_frozen(self, settings: BaseModel) -> None:
        detector = self.made(settings)
        info = detector.info
        assert isinstance(info, DetectorInfo), "info is not a DetectorInfo"
        for name in ("name", "version", "settings_hash"):
            with pytest.raises(FrozenInstanceError):
                setattr(info, name, "other")
            assert re.fullmatch(r"[\w.+-]+", getattr(info, name)), f"info.{name} is not one word: {info}"
        labels = [label.code or label.name for label in info.labels]
        assert all(labels), f"a label has neither code nor name: {info.labels}"
        assert len(set(labels)) == len(labels), f"a label occurs twice: {info.labels}"
        assert info.weights_sha256 is None or re.fullmatch(r"[0-9a-f]{64}", info.weights_sha256), "no sha256"
        kinds = {"window": WindowDetector, "stream": StreamDetector, "file": FileDetector}
        can_be = [kind for kind, protocol in kinds.items() if isinstance(detector, protocol)]
        assert can_be == [info.kind], f"info.kind is {info.kind!r}, its methods are those of {can_be}"

    def test_two_of_the_same_settings_are_the_same(self, settings: BaseModel) -> None:
        assert self.made(settings).info == self.made(settings).info, "info differs from one to the next"

    def test_info_stays_as_it_was(self, settings: BaseModel, detector: Any) -> None:
        assert detector.info == self.made(settings).info, "info is another after pickle and load"

    def test_it_is_made_quickly_and_alike_in_another_process(self, settings: BaseModel) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            input=pickle.dumps((self.heavy, type(self).make, settings)),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "1"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        loaded, info = done.stdout.decode().split("\n")[:2]
        assert not loaded, f"making it loads {loaded}: import that in load()"
        assert info == repr(self.made(settings).info), "info depends on the process"

    def test_load_says_what_was_chosen(self, settings: BaseModel, device: Device) -> None:
        detector = self.made(settings)
        if not isinstance(detector, Loadable):
            pytest.skip("has nothing to load")
        chosen = detector.load(device)
        assert isinstance(chosen, Mapping), f"load returned {chosen!r}"
        assert all(isinstance(text, str) for item in chosen.items() for text in item), f"not all texts: {chosen}"
        if isinstance(detector, Closable):
            detector.close()

    def test_settings_are_described_and_strict(self, settings: BaseModel) -> None:
        bare = [name for name, field in type(settings).model_fields.items() if not field.description]
        assert not bare, f"settings without a description: {bare}"
        with pytest.raises(ValidationError):
            type(settings).model_validate({**settings.model_dump(), "no_such_setting": 1})
        for name in type(settings).model_fields:
            with pytest.raises(ValidationError):
                setattr(settings, name, getattr(settings, name))

    def test_settings_that_change_results_are_in_the_hash(
        self, settings: BaseModel, changes: Mapping[str, object], neutral: Mapping[str, object]
    ) -> None:
        missing = set(type(settings).model_fields) - set(changes) - set(neutral)
        assert not missing, f"in neither `changes` nor `neutral`: {sorted(missing)}"
        base = self.made(settings).info.settings_hash
        for name, value in changes.items():
            changed = type(settings).model_validate({**settings.model_dump(), name: value})
            assert self.made(changed).info.settings_hash != base, f"settings_hash does not tell {name} = {value!r}"
        for name, value in neutral.items():
            changed = type(settings).model_validate({**settings.model_dump(), name: value})
            assert self.made(changed).info.settings_hash == base, f"settings_hash changes with {name}"
