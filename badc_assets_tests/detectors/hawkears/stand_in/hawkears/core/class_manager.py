"""The classes of the first checkpoint."""

from pathlib import Path
from types import SimpleNamespace

from britekit import load_from_checkpoint


class ClassManager:
    def __init__(self, cfg, include_names=None, *, apply_taxonomy=True) -> None:
        paths = sorted(str(path) for path in Path(cfg.misc.ckpt_folder).glob("*.ckpt"))
        if not paths:
            raise Exception(f"Error. No checkpoints found in {cfg.misc.ckpt_folder}")
        # A list that is not there counts as empty.
        include = cfg.hawkears.include_list
        species = (
            Path(include).read_text().split("\n") if include and Path(include).exists() else [] if include else None
        )
        self._classes = [
            SimpleNamespace(
                name=name, code=code, alt_name=alt_name, alt_code=alt_code, include=species is None or name in species
            )
            for name, code, alt_name, alt_code in load_from_checkpoint(paths[0]).classes
        ]

    def all_classes(self):
        return self._classes
