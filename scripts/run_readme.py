"""Run every command of the README, in order, as a new user would, in one shell. CI does this.

Commands that serve a page until they are stopped are given time to answer and then stopped. `make test` is left out: CI
runs it first.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PLACEHOLDER = "/path/to/recordings"
ADDRESS = "https://example.org/site-2024.git"
"""Of a DataLad dataset; one that is made here is used in its place."""
SERVERS = {"make ui", ".venv/bin/badc ui"}
DONE_ELSEWHERE = {"make test"}
PAGE = "http://127.0.0.1:3000/server_info"


def commands(readme: str) -> list[str]:
    """The commands in the bash blocks, with continued lines joined."""
    blocks = re.findall(r"^```bash\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split(" #")[0].strip() for line in lines if line.strip()]


def serve(command: str, environment: dict[str, str]) -> None:
    """Start a server, wait until its page answers, and stop it."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"], env=environment, cwd=REPOSITORY, start_new_session=True
    )
    try:
        for _ in range(120):
            if process.poll() is not None:
                sys.exit(f"{command}: ended with {process.returncode}")
            try:
                with urllib.request.urlopen(PAGE, timeout=5):
                    return
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                time.sleep(1)
        sys.exit(f"{command}: no page after two minutes")
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)


def main() -> None:
    """Run the commands; exports stay in force for those that follow. Stops at the first that fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BADC_", "DAGSTER_"))}
    with tempfile.TemporaryDirectory() as temporary:
        environment["BADC_DATA_CONFIG"] = str(Path(temporary) / "data.toml")  # not the user's own list of datasets
        served: set[str] = set()
        recordings = Path(temporary) / "recordings"
        for command in commands((REPOSITORY / "README.md").read_text()):
            print(f"$ {command}", flush=True)
            if command in DONE_ELSEWHERE or (command in SERVERS and command in served):
                continue
            served |= {command} & SERVERS
            if not recordings.exists() and PLACEHOLDER in command:
                shutil.copytree(REPOSITORY / "data/sample/audio", recordings)
            if ADDRESS in command:
                make_dataset(Path(temporary) / "site-2024", environment)
            real = command.replace(PLACEHOLDER, str(recordings)).replace(ADDRESS, str(Path(temporary) / "site-2024"))
            if real in SERVERS:
                serve(real, environment)
            elif real.startswith("export "):
                environment = exported(real, environment)
            else:
                subprocess.run(["bash", "-c", real], env=environment, cwd=REPOSITORY, check=True)


def make_dataset(folder: Path, environment: dict[str, str]) -> None:
    """A git-annex dataset of the sample's recordings; git-annex is in .venv, and CI has no identity for commits."""
    who = {f"GIT_{role}_{what}": "badc@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**environment, **who, "PATH": f"{REPOSITORY}/.venv/bin{os.pathsep}{environment['PATH']}"}
    shutil.copytree(REPOSITORY / "data/sample/audio", folder / "audio")
    for command in (
        "git init -q -b main",
        "git annex init -q site-2024",
        "git annex add -q .",
        "git commit -qm recordings",
    ):
        subprocess.run(["bash", "-c", command], env=environment, cwd=folder, check=True)


def exported(command: str, environment: dict[str, str]) -> dict[str, str]:
    """The environment after an export."""
    shown = subprocess.run(
        ["bash", "-c", f"{command}; env -0"],
        env=environment,
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(entry.split("=", 1) for entry in shown.stdout.split("\0") if "=" in entry)


if __name__ == "__main__":
    main()
