"""Where a model lies: a local folder, or a repository on the Hugging Face Hub that was downloaded before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from badc_assets.errors import BadcError

if TYPE_CHECKING:
    from badc_assets.detectors.transformers.settings import TransformersSettings

HUB = "hf:"
SETUP = "run `badc detectors setup transformers`"

_REPOSITORY = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_CONFIGS = ("config.json", "preprocessor_config.json", "processor_config.json")
_SAFETENSORS = ("model.safetensors", "model-*.safetensors", "model.safetensors.index.json")
_PYTORCH = ("pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json")


@dataclass(frozen=True)
class HubReference:
    """A model on the Hub. `subdir` is a folder in the repository; `local_dir` replaces the hub's own cache."""

    repository: str
    revision: str = "main"
    subdir: str = ""
    local_dir: Path | None = None


@dataclass(frozen=True)
class ModelFolder:
    """A folder that is there. `revision` is the commit on the Hub, empty where unknown; `remedy` mends what is missing."""

    path: Path
    reference: str
    revision: str
    remedy: str


def parse_reference(text: str) -> HubReference | Path:
    """The meaning of the setting `model`. Raises BadcError for what is neither a folder's path nor a reference."""
    if not text.strip():
        raise BadcError("transformers", "no model is set", "set `model` to a folder, or to hf:owner/name")
    if "\0" in text:
        raise BadcError(text, "is no path of a folder", "correct `model`")
    if not text.startswith(HUB):
        return _absolute(text)
    rest, has_folder, folder = text.removeprefix(HUB).partition("#")
    rest, has_subdir, subdir = rest.partition(":")
    repository, has_revision, revision = rest.partition("@")
    parts = subdir.split("/") if has_subdir else []
    if (
        not _REPOSITORY.fullmatch(repository)
        or (has_revision and not revision.strip())
        or (has_folder and not folder.strip())
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise BadcError(text, "is no model on the Hub", "write hf:owner/name[@revision][:folder][#where]")
    local_dir = _absolute(folder) if folder else None
    return HubReference(repository, revision or "main", subdir, local_dir)


def _absolute(folder: str) -> Path:
    try:
        return Path(folder).expanduser().absolute()
    except RuntimeError as error:
        raise BadcError(folder, "names a user that is not there", "write the path in full") from error


def resolve(settings: TransformersSettings) -> ModelFolder:
    """The folder of the model, without the network. Raises BadcError when it is not there."""
    reference = parse_reference(settings.model)
    if isinstance(reference, HubReference):
        return _in_local_dir(settings.model, reference) if reference.local_dir else _in_cache(settings.model, reference)
    if not reference.is_dir():
        remedy = "correct `model`"
        if _REPOSITORY.fullmatch(settings.model):
            remedy += f", or write {HUB}{settings.model} for the model on the Hub"
        raise BadcError(reference, "there is no such folder", remedy)
    return ModelFolder(reference, settings.model, "", "copy the model's folder again")


def download(settings: TransformersSettings) -> Path:
    """Fetch the model from the Hub, unless it is here already; returns its folder. A local folder is only looked for.

    Raises BadcError when it cannot be had: no such model or revision, no permission, no network, no room.
    """
    reference = parse_reference(settings.model)
    if isinstance(reference, Path):
        return resolve(settings).path
    if settings.offline:
        try:
            return resolve(settings).path
        except BadcError as error:
            raise BadcError(
                settings.model, "is not here, and `offline` forbids the network", "turn `offline` off"
            ) from error
    root, commit = _fetch(settings.model, reference, reference.revision, (*_CONFIGS, *_SAFETENSORS))
    folder = root / reference.subdir
    if not any(folder.glob("model*.safetensors")):
        _fetch(settings.model, reference, commit or reference.revision, _PYTORCH)
    if not (folder / "config.json").is_file():
        raise BadcError(settings.model, "has no config.json: it is no model of transformers", "correct `model`")
    return folder


def _in_cache(text: str, reference: HubReference) -> ModelFolder:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        root = Path(
            snapshot_download(
                reference.repository,
                revision=reference.revision,
                allow_patterns=_inside(reference, _CONFIGS),
                local_files_only=True,
            )
        )
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise BadcError(text, "was not downloaded yet", SETUP) from error
    folder = root / reference.subdir
    if not folder.is_dir():
        raise BadcError(text, f"its folder {reference.subdir} was not downloaded yet", SETUP)
    return ModelFolder(folder, text, root.name, SETUP)


def _in_local_dir(text: str, reference: HubReference) -> ModelFolder:
    root = reference.local_dir or Path()
    folder = root / reference.subdir
    if not (folder / "config.json").is_file():
        raise BadcError(text, f"was not downloaded to {root} yet", SETUP)
    commit = _recorded_commit(root, reference.subdir)
    if _COMMIT.fullmatch(reference.revision) and commit != reference.revision:
        raise BadcError(text, f"{root} holds another revision ({commit or 'unknown'})", SETUP)
    return ModelFolder(folder, text, commit, SETUP)


def _recorded_commit(root: Path, subdir: str) -> str:
    """The commit that huggingface_hub noted beside a file it downloaded; empty where it did not."""
    note = root / ".cache/huggingface/download" / subdir / "config.json.metadata"
    try:
        first_line = note.read_text("utf-8", "replace").partition("\n")[0].strip()
    except OSError:
        return ""
    return first_line if _COMMIT.fullmatch(first_line) else ""


def _inside(reference: HubReference, names: tuple[str, ...]) -> list[str]:
    return [f"{reference.subdir}/{name}" if reference.subdir else name for name in names]


def _fetch(text: str, reference: HubReference, revision: str, names: tuple[str, ...]) -> tuple[Path, str]:
    """Download the files of these names; returns the root of the repository's copy and the commit where known."""
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        root = Path(
            snapshot_download(
                reference.repository,
                revision=revision,
                local_dir=reference.local_dir,
                allow_patterns=_inside(reference, names),
            )
        )
    except (OSError, httpx2.HTTPError, HFValidationError) as error:
        raise _refusal(text, reference, error) from error
    return root, _recorded_commit(root, reference.subdir) if reference.local_dir else root.name


def _refusal(text: str, reference: HubReference, error: Exception) -> BadcError:
    """What the Hub said, as a line that says what to do."""
    from huggingface_hub import errors

    token = "set HF_TOKEN or run `hf auth login`"
    page = f"https://huggingface.co/{reference.repository}"
    origin = error.__cause__ or error
    if isinstance(error, errors.GatedRepoError):
        return BadcError(text, "is a gated model", f"accept its terms at {page}, then {token}")
    if isinstance(error, errors.RevisionNotFoundError):
        return BadcError(text, f"there is no revision {reference.revision}", f"choose one of those at {page}")
    if isinstance(error, errors.RepositoryNotFoundError):
        return BadcError(text, "there is no such model, or it is private", f"correct its name, or {token}")
    if isinstance(error, errors.HFValidationError):
        return BadcError(text, "is no name of a model", "write hf:owner/name")
    if isinstance(origin, errors.OfflineModeIsEnabled):
        return BadcError(
            text, "is not here, and HF_HUB_OFFLINE forbids the network", "unset HF_HUB_OFFLINE and try again"
        )
    if isinstance(origin, errors.HfHubHTTPError):
        status = origin.response.status_code
        remedy = token if status in (401, 403) else "try again later"
        return BadcError(text, f"the Hub refused it (HTTP {status})", remedy)
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
        return BadcError(
            text, f"cannot be stored ({error.strerror or error})", "free space or make the folder writable"
        )
    return BadcError(text, "the Hub cannot be reached", "check the network and HF_ENDPOINT, then try again")
