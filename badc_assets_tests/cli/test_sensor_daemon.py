"""The sensor in Dagster's real daemon, turned on by Dagster's own command: a dataset that grows is processed by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from badc_assets_tests.cli.test_commands import BIN, Shell, home
from badc_assets_tests.repositories import Repository

__all__ = ["home"]


def wait_for(path: Path, daemon: subprocess.Popen, log: Path, timeout_s: float = 200) -> None:
    deadline = time.monotonic() + timeout_s
    while not path.is_file():
        assert daemon.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.5)


def test_a_dataset_that_grows_is_processed_by_the_daemon(home: Path, tmp_path: Path):
    repository = Repository.annexed(tmp_path / "dataset")
    repository.add_sounds(first=40_000)
    shell = Shell(home, repository.root)
    results = tmp_path / "results"
    shell.environment |= {"BADC_OUTPUT": str(results), "PATH": repository.environment()["PATH"]}
    del shell.environment["DAGSTER_MODULE_NAME"]  # it would stand against the workspace
    for command in [
        ("badc", "recover"),  # sets up the instance
        ("dagster", "sensor", "start", "new_recordings", "-w", "workspace.yaml"),
    ]:
        status, output = shell(*command)
        assert status == 0, output
    log = tmp_path / "daemon.log"
    with log.open("w") as output_file:
        command = [os.fspath(BIN / "dagster-daemon"), "run", "-w", "workspace.yaml"]
        daemon = subprocess.Popen(
            command, cwd=home, env=shell.environment, stdout=output_file, stderr=output_file, start_new_session=True
        )
    try:
        wait_for(results / "artifacts/infer/first/detections.parquet", daemon, log)
        repository.add_sounds(second=40_001, third=40_002)
        wait_for(results / "artifacts/infer/third/detections.parquet", daemon, log)
        assert (results / "artifacts/infer/second/detections.parquet").is_file()
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait(timeout=60)
