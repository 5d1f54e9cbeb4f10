"""Scores of a recording: four frames a second, one column for each class."""

import array
import wave
from pathlib import Path

from britekit.core.exceptions import InferenceError
from britekit.models import model_loader

FPS = 4
SHORTEST_S = 0.7


class Frames(list):
    """A few methods of a numpy array of shape (frames, classes)."""

    def sum(self) -> float:
        return sum(sum(row) for row in self)


class Audio:
    def __init__(self) -> None:
        self.load_error = None
        self._samples = array.array("h")
        self._rate = 1

    def load(self, path: str) -> None:
        self.load_error = None
        self._samples = array.array("h")
        try:
            with wave.open(path) as sound:
                self._rate = sound.getframerate()
                self._samples = array.array("h", sound.readframes(sound.getnframes()))
        except (OSError, EOFError, wave.Error) as error:
            self.load_error = str(error)
        if "breaks-off" in path:
            self._samples = self._samples[: self._rate]

    def seconds(self) -> float:
        return len(self._samples) / self._rate

    def loudness(self, frame: int) -> float:
        start = frame * self._rate // FPS
        part = self._samples[start : start + self._rate // FPS]
        return max((abs(sample) for sample in part), default=0) / 32768


class Predictor:
    def __init__(self, model_path: str, device=None, cfg=None) -> None:
        self.cfg = cfg
        self.audio = Audio()
        paths = sorted(str(path) for path in Path(model_path).glob("*.ckpt"))
        self.models = [
            model_loader.load_from_checkpoint(path, apply_training_config=False)
            for path in paths[: cfg.infer.max_models]
        ]
        self.class_names = [one[0] for one in self.models[0].classes]

    def get_overlapping_scores(self, recording_path: str, initial_start_times: list):
        if not Path(recording_path).exists():
            raise InferenceError(f'Recording "{recording_path}" not found')
        self.audio.load(recording_path)
        if self.audio.seconds() < SHORTEST_S:
            return None
        frames = Frames()
        for frame in range(round(self.audio.seconds() * FPS)):
            loud = self.audio.loudness(frame) or 0.97
            row = [loud / (column + 1) for column in range(len(self.class_names))]
            frames.append([float("nan")] * len(row) if "no-number" in Path(recording_path).name else row)
        return frames
