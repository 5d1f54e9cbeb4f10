"""What lies where for HawkEars: its environment, its checkpoints, and the files that change its results."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from badc_assets.detectors.weights import cache_folder, weights_sha256
from badc_assets.errors import BadcError
from badc_assets.files import stable_hash

SETUP = "run `badc detectors setup hawkears`"
MAIN_MODELS = Path("data/ckpt")
LOW_BAND_MODELS = Path("data/ckpt-low-band")
MODEL_SUFFIXES = (".ckpt", ".onnx")

_VERSION = r"[0-9A-Za-z][0-9A-Za-z.+!_]{0,40}"


def default_python() -> Path:
    """The interpreter of the environment that `badc detectors setup hawkears` makes."""
    return cache_folder() / "environments" / "hawkears" / "bin" / "python"


def default_root() -> Path:
    """The folder that the same command fills with HawkEars' configuration and, where they can be had, its checkpoints."""
    return cache_folder() / "hawkears"


def require_python(python: Path | None) -> Path:
    """The absolute path of an interpreter that is there. Links stay: Python knows its environment by the name of its file."""
    wanted = (python or default_python()).expanduser()
    found = shutil.which(wanted)
    if found is None:
        remedy = f"correct detectors.hawkears.python, or leave it out and {SETUP}" if python else SETUP
        raise BadcError(wanted, "there is no such Python interpreter", remedy)
    return Path(found).absolute()


def installed_version(python: Path, package: str) -> str:
    """The version of a package beside an interpreter, read from the name of its `dist-info` folder: nothing is started."""
    name = re.compile(rf"{re.escape(package)}-({_VERSION})\.dist-info", re.IGNORECASE)
    folders = python.parent.parent.glob("lib*/python3*/*-packages/*.dist-info")
    versions = sorted({found[1] for folder in folders if (found := name.fullmatch(folder.name))})
    if not versions:
        raise BadcError(python, f"its environment has no package {package!r}", f"{SETUP}, or correct its `python`")
    if len(versions) > 1:
        problem = f"its environment has several versions of {package!r} ({', '.join(versions)})"
        raise BadcError(python, problem, f"{SETUP} again with a new environment")
    return versions[0]


def repository_version(root: Path) -> str:
    """The version that the repository of HawkEars 1 states in version.txt."""
    file = root / "version.txt"
    text = file.read_text("utf-8", "replace").strip() if file.is_file() else ""
    if not re.fullmatch(_VERSION, text):
        problem = f"states no version ({text[:40]!r})" if file.is_file() else "there is no such file"
        raise BadcError(file, problem, "set detectors.hawkears.root to the repository of HawkEars 1")
    return text


def models_in(folder: Path) -> list[Path]:
    """The model files directly in a folder, in the order in which HawkEars takes them."""
    return sorted(path for path in folder.glob("*") if path.suffix in MODEL_SUFFIXES and path.is_file())


def combined_sha256(root: Path, files: Sequence[Path]) -> str:
    """The sha256 of one file; of several, the sha256 over their places below `root` and their sha256.

    Files of the same name in different folders count each. What is known of a file is kept (`weights`).
    """
    digests = {file.relative_to(root).as_posix(): weights_sha256([file]) for file in files}
    return next(iter(digests.values())) if len(digests) == 1 else stable_hash(digests, length=64)


def require_same(root: Path, files: Sequence[Path], expected: str) -> None:
    """Raises BadcError when the checkpoints are not the ones that `combined_sha256` knew, which `info` names."""
    if combined_sha256(root, files) != expected:
        raise BadcError(root, "its checkpoints changed since the run began", "start the run again")


def require_accepted(files: Iterable[Path], accepted: Sequence[str] | Mapping[str, str]) -> None:
    """Raises BadcError for the first checkpoint whose sha256 is not an accepted one. Everything is, without a list."""
    if not accepted:
        return
    for file in files:
        digest = weights_sha256([file])
        by_name = isinstance(accepted, Mapping)
        if digest != accepted.get(file.name) if by_name else digest not in accepted:
            known = by_name and file.name in accepted
            problem = (
                f"its sha256 is {digest}, not the accepted one" if known else f"its sha256 {digest} is not accepted"
            )
            remedy = "a checkpoint can run any code: if you trust this one, add it to detectors.hawkears.weights_sha256"
            raise BadcError(file, problem, remedy)


def text_digest(root: Path, patterns: Iterable[str]) -> str:
    """Hash over the small files below `root` that match: configuration, species lists, code."""
    files = sorted({file for pattern in patterns for file in root.glob(pattern) if file.is_file()})
    return stable_hash({file.relative_to(root).as_posix(): _sha256(file) for file in files})


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise BadcError(file, f"cannot be read ({error.strerror or error})", "make it readable") from error
