"""Which state of a DataLad or git dataset was looked at."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def dataset_commit(dataset: Path) -> str | None:
    """The commit that is checked out in a git or DataLad dataset; None for a plain folder or an empty repository."""
    if not (dataset / ".git").exists() or shutil.which("git") is None:
        return None
    command = ["git", "-C", str(dataset), "-c", f"safe.directory={dataset}", "rev-parse", "--verify", "--quiet", "HEAD"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return answer.stdout.strip() or None if answer.returncode == 0 else None
