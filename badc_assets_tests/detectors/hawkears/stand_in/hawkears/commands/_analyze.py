"""`analyze` with the signature of HawkEars 2.3.0."""

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

from britekit.core.exceptions import InferenceError

from hawkears.core.config_loader import get_config


def analyze(
    cfg_path: str | None = None,
    input_path: str = "",
    output_path: str = "",
    rtype: str | None = "audacity",
    date: str | None = None,
    region: str | None = None,
    lat: float | None = None,
    lon: float | None = None,
    filelist: str | None = None,
    include: str | None = None,
    exclude: str | None = None,
    start_seconds: float = 0,
    min_score: float | None = None,
    num_threads: int | None = None,
    segment_len: float | None = None,
    max_models: int | None = None,
    label_field: str | None = None,
    recurse: bool = False,
    top: bool = False,
    low_band: bool | None = None,
    quiet: bool = False,
    *,
    max_label_length: float | None = None,
    min_label_length: float | None = None,
    return_results: bool = False,
    progress_callback: Callable | None = None,
    recording_callback: Callable | None = None,
    cancellation_callback: Callable | None = None,
    recording_paths: Sequence[Path] | None = None,
    occurrence_metadata: Mapping | None = None,
    include_names: Collection[str] | None = None,
    raise_errors: bool = False,
    data_root: str | None = None,
):
    from hawkears.core.analyzer import Analyzer

    noted = {name: value for name, value in locals().items() if isinstance(value, str | int | float | type(None))}
    noted["recording_paths"] = [str(path) for path in recording_paths or ()]
    try:
        cfg = deepcopy(get_config(cfg_path, data_root=Path.cwd() if data_root is None else data_root))
        with (Path(str(data_root)) / "calls.jsonl").open("a") as calls:
            calls.write(json.dumps({**noted, "choose_channel": cfg.audio.choose_channel}) + "\n")
        if not Path(cfg.misc.ckpt_folder).exists():
            raise InferenceError("Model checkpoint files not found. Run 'hawkears init' to initialize environment.")
        if output_path:
            Path(output_path).mkdir(parents=True, exist_ok=True)
        else:
            # What must not happen to a dataset: the results lie beside the recordings.
            output_path = input_path if Path(input_path).is_dir() else str(Path(input_path).parent)
        cfg.hawkears.region = region
        if include is not None:
            cfg.hawkears.include_list = include
        given = {
            "min_score": min_score,
            "segment_len": segment_len,
            "max_models": max_models,
            "label_field": label_field,
        }
        for name, value in given.items():
            if value is not None:
                setattr(cfg.infer, name, value)
        result = Analyzer(cfg).run(input_path, output_path, date, recording_paths)
        return result if return_results else None
    except (InferenceError, ValueError) as error:
        if raise_errors:
            raise
        logging.error(error)
        return None
