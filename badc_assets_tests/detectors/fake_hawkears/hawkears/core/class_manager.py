"""The classes of the first checkpoint."""

from pathlib import Path
from types import SimpleNamespace

from britekit import load_from_checkpoint


class ClassManager:
    def __init__(self, cfg, include_names=None, *, apply_taxonomy=True) -> None:
        paths = sorted(str(path) for path in Path(cfg.misc.ckpt_folder).glob("*.ckpt"))
        if not paths:
            raise Exception(f"Error. No checkpoints found in {cfg.misc.ckpt_folder}")
        self._classes = [
            SimpleNamespace(name=name, code=code, alt_name=alt_name, alt_code=alt_code)
            for name, code, alt_name, alt_code in load_from_checkpoint(paths[0]).classes
        ]

    def all_classes(self):
        return self._classes
