"""The sha256 of model weights, worked out once per file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from badc_assets.errors import BadcError
from badc_assets.files import write_json


def cache_folder() -> Path:
    """Where things are kept that can be made again: hashes of weights, exported models, measured batch sizes."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "badc_assets"


def weights_sha256(files: Sequence[Path]) -> str:
    """One file: its sha256. Several: the sha256 over their paths below the folder that holds them all, and their hashes.

    A file of the same place, size and time is not read again: every Dagster process asks for this when it starts.
    Raises BadcError when there is no file, or one cannot be read.
    """
    if not files:
        raise BadcError("weights", "there are no weight files", "correct the path of the model")
    store = cache_folder() / "weights.json"
    known = _known(store)
    digests: dict[str, str] = {}
    has_new = False
    common = os.path.commonpath([file.parent for file in files])
    for file in sorted(files):
        entry = _signature(file)
        if known.get(str(file), {}).get("signature") != entry:
            known[str(file)] = {"signature": entry, "sha256": _sha256(file)}
            has_new = True
        digests[os.path.relpath(file, common)] = known[str(file)]["sha256"]
    if has_new and _is_writable(store.parent):
        write_json(store, known)
    if len(digests) == 1:
        return next(iter(digests.values()))
    return hashlib.sha256(json.dumps(sorted(digests.items())).encode()).hexdigest()


def _signature(file: Path) -> list[int]:
    if not file.is_file():
        raise BadcError(file, "there is no such weight file", "correct the path of the model")
    stat = file.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise BadcError(file, f"cannot be read ({error.strerror or error})", "make it readable") from error


def _known(store: Path) -> dict[str, Any]:
    try:
        value = json.loads(store.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
