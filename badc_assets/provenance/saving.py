"""Save the results of a batch into a DataLad dataset: one commit, of nothing but these files, that says how to do it again.

The work is done before this begins. So nothing waits for a clean dataset, whatever else was changed in it stays as it is, and a
commit that cannot be made costs no results.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from badc_assets.errors import BadcError

LEFT_OUT = (
    "artifacts/locks/", "artifacts/journal/", "artifacts/telemetry/", "artifacts/slurm/", "artifacts/failures.log",
    "artifacts/aggregate/",
    "artifacts/report/", "artifacts/recordings/catalog.parquet", "artifacts/recordings/catalog.journal", "artifacts/**/.*.tmp",
    "plans/pipeline_chunks.json",
)  # fmt: skip
"""What belongs to one computer or is made anew from the rest. git is told to overlook it, in this clone only."""

_EXCLUDE_MARK = "# what badc makes anew, or needs only on this computer"


@dataclass(frozen=True)
class RunCommand:
    """A command that does a batch again, with the paths that it reads and writes; all from the root of the dataset."""

    command: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class DatasetGateway(Protocol):
    """What is asked of git and DataLad. Both methods raise BadcError with what they said."""

    def changed(self, root: Path, folders: Sequence[str]) -> list[str]:
        """Files below these folders that differ from the last commit, with those that are new or gone; from `root`."""
        ...

    def save(self, root: Path, paths: Sequence[str], message: str) -> str:
        """Commit these files, and nothing else; the commit. Empty where there was nothing to commit."""
        ...


def dataset_of(folder: Path) -> Path | None:
    """The root of the DataLad dataset that a folder lies in; None for other repositories and plain folders. Starts no process."""
    for place in (folder, *folder.parents):
        if (place / ".git").exists():
            return place if (place / ".datalad" / "config").is_file() else None
    return None


def overlook(root: Path, prefix: str) -> None:
    """Tell git, in this clone only, to overlook what is not saved. `prefix` is the output folder from the root, with `/`; empty
    where it is the root."""
    command = ["git", "-C", str(root), "rev-parse", "--git-path", "info/exclude"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if answer.returncode:
        raise _refused(root, answer.stderr)
    file = root / answer.stdout.strip()
    text = file.read_text() if file.is_file() else ""
    missing = [line for line in (f"/{prefix}{name}" for name in LEFT_OUT) if line not in text.splitlines()]
    if missing:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join([*text.splitlines(), _EXCLUDE_MARK, *missing, ""]))


class DataladGateway:
    """The real programs. DataLad runs in a process of its own: it changes the working folder and the logging of its process."""

    def changed(self, root: Path, folders: Sequence[str]) -> list[str]:
        command = [
            "git",
            "-C",
            str(root),
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=all",
            "--no-renames",
            "--",
        ]
        answer = subprocess.run([*command, *folders], capture_output=True, check=False)
        if answer.returncode:
            raise _refused(root, answer.stderr.decode("utf-8", "replace"))
        return [entry[3:].decode("utf-8", "surrogateescape") for entry in answer.stdout.split(b"\0") if entry]

    def save(self, root: Path, paths: Sequence[str], message: str) -> str:
        request = json.dumps({"root": str(root), "paths": list(paths), "message": message})
        command = [sys.executable, "-m", "badc_assets.provenance.datalad_save"]
        answer = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
        try:
            value: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
        except (ValueError, IndexError):
            raise _refused(root, answer.stderr) from None
        if value["error"]:
            raise _refused(root, value["error"])
        return value["commit"]


def run_message(root: Path, message: str, again: RunCommand) -> str:
    """The message in the form of `datalad run`, which `datalad rerun` reads."""
    record = {
        "chain": [],
        "cmd": again.command,
        "dsid": _dataset_id(root),
        "exit": 0,
        "extra_inputs": [],
        "inputs": list(again.inputs),
        "outputs": list(again.outputs),
        "pwd": ".",
    }
    text = json.dumps(record, indent=1, sort_keys=True)
    begin, end = "=== Do not change lines below ===", "^^^ Do not change lines above ^^^"
    return f"[DATALAD RUNCMD] {message}\n\n{begin}\n{text}\n{end}\n"


def _dataset_id(root: Path) -> str:
    command = ["git", "config", "--file", str(root / ".datalad" / "config"), "datalad.dataset.id"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()


def _refused(root: Path, said: str) -> BadcError:
    if "user.email" in said or "empty ident" in said or "tell me who you are" in said:
        return BadcError(
            root, "git does not know who you are", "set user.name and user.email with `git config --global`"
        )
    lines = [line for line in said.splitlines() if line.strip()]
    return BadcError(
        root,
        f"the results could not be saved ({lines[-1] if lines else 'no reason given'})",
        "`datalad status` says more",
    )
