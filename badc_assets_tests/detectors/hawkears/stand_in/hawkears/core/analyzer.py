"""The run over recordings. One that cannot be read ends it, and what the others gave is lost."""

from pathlib import Path

from britekit import Predictor
from britekit.core.exceptions import InferenceError

from hawkears.core import mishaps
from hawkears.core.analysis_result import AnalysisResult, InferenceDetection
from hawkears.core.class_manager import ClassManager

FPS = 4


def find_recording_paths(input_path: str) -> list[str]:
    if Path(input_path).is_file():
        return [input_path]
    # Links are resolved here, and their names lost.
    return sorted(str(path.resolve()) for path in Path(input_path).glob("*.wav"))


class Analyzer:
    def __init__(self, cfg) -> None:
        self.cfg = cfg
        self.class_mgr = ClassManager(cfg)

    def run(self, input_path, output_path, date, recording_paths):
        paths = [str(path) for path in recording_paths] if recording_paths else find_recording_paths(input_path)
        if self.cfg.hawkears.region is not None and not (Path(self.cfg.root) / "data/occurrence.pkl").exists():
            raise FileNotFoundError("Pickle file not found")
        predictor = Predictor(self.cfg.misc.ckpt_folder, cfg=self.cfg)
        found: list[InferenceDetection] = []
        for path in paths:
            mishaps.before(Path(path))
            frames = predictor.get_overlapping_scores(path, [0.0])
            if frames is None:
                if predictor.audio.load_error is not None:
                    raise InferenceError(f'Could not load recording "{path}": {predictor.audio.load_error}')
                continue
            found += mishaps.after(Path(path), self._labels(predictor, path, frames))
        (Path(output_path) / "manifest.yaml").write_text("# Summary of inference run in YAML format\n")
        return AnalysisResult(tuple(found), 0 if "uncounted" in str(paths) else len(paths))

    def _labels(self, predictor, path, frames):
        if self.cfg.hawkears.region == "CA-ON-OT":
            return []
        length_s = self.cfg.infer.segment_len or 1 / FPS
        each = round(length_s * FPS)
        spans = range(0, len(frames), each)
        # With the default, codes, a class that has none is left out.
        uses_names = self.cfg.infer.label_field == "names"
        return [
            InferenceDetection(
                Path(path), one.name if uses_names else one.code, start / FPS, start / FPS + length_s, score
            )
            for column, one in enumerate(self.class_mgr.all_classes())
            if one.include and (uses_names or one.code)
            for start in spans
            if (score := max(row[column] for row in frames[start : start + each])) >= self.cfg.infer.min_score
        ]
