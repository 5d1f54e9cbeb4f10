"""Checkpoints. Loading one prints, as Lightning does."""

import json
from pathlib import Path
from types import SimpleNamespace

GLOBAL_CONFIG = SimpleNamespace(name="global")


def get_config() -> SimpleNamespace:
    return GLOBAL_CONFIG


class Model:
    def __init__(self, path: str) -> None:
        self.path = path
        self.classes = json.loads(Path(path).read_text())["classes"]

    def apply_training_config(self, cfg: SimpleNamespace) -> None:
        with (Path(self.path).parents[2] / "applied.log").open("a") as log:
            log.write(f"{self.path} {cfg.name}\n")


def load_from_checkpoint(checkpoint_path: str, multi_label: bool | None = None, apply_training_config: bool = True):
    print(f"loading {checkpoint_path}")
    model = Model(checkpoint_path)
    if apply_training_config:
        model.apply_training_config(get_config())
    return model
