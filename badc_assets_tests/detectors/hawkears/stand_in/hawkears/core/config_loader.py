"""The configuration: defaults, then entries of YAML files (here: JSON). An unknown name is an error."""

import json
from pathlib import Path
from types import SimpleNamespace

DEFAULTS = {
    "audio": {"choose_channel": False},
    "infer": {"min_score": 0.7, "segment_len": None, "max_models": 3, "label_field": "codes", "block_size": 200},
    "misc": {"ckpt_folder": "data/ckpt"},
    "hawkears": {
        "region": None,
        "include_list": None,
        "exclude_list": None,
        "low_band_ckpt_folder": "data/ckpt-low-band",
    },
}


class ConfigKeyError(Exception):
    pass


def get_config(cfg_path=None, *, data_root=None):
    tables = {name: SimpleNamespace(**table) for name, table in DEFAULTS.items()}
    for file in (Path(data_root) / "yaml/default.yaml", Path(cfg_path) if cfg_path else None):
        given = json.loads(file.read_text()) if file and file.exists() else {}
        for name, table in given.items():
            for key, value in table.items():
                if not hasattr(tables[name], key):
                    raise ConfigKeyError(f"Key '{key}' is not in struct")
                setattr(tables[name], key, value)
    cfg = SimpleNamespace(**tables)
    cfg.misc.ckpt_folder = str(Path(data_root) / cfg.misc.ckpt_folder)
    cfg.root = str(data_root)
    return cfg
