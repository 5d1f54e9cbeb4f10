"""Running without anybody logged in: the unit file, and a page that leaves nothing behind when it is told to stop."""

from __future__ import annotations

import configparser
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from badc_assets.cli.run_commands import workspace_file
from badc_assets.cli.service_commands import unit
from badc_assets_tests.cli.test_commands import BIN, Shell, home
from badc_assets_tests.datasets import make_dataset

__all__ = ["home"]

IGNORING_CTRL_C = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
)


def test_the_unit_starts_the_page_from_this_folder(home, tmp_path):
    status, output = Shell(home, tmp_path)("badc", "service", "--port", "3111")
    assert status == 0
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.read_string(output)
    assert parsed["Service"]["WorkingDirectory"] == str(home)
    assert parsed["Service"]["ExecStart"].endswith('/badc" ui --port 3111')
    assert parsed["Service"]["KillMode"] == "mixed"
    assert parsed["Service"]["EnvironmentFile"] == f"-{home}/badc.env"
    assert 'DAGSTER_HOME=/a 100%%"' in unit(Path("/a 100%"), Path("/a 100%"), Path("/b"), 1)


def test_the_page_finds_its_workspace_beside_the_instance(tmp_path, monkeypatch):
    """In a container the current folder is the user's, and only the instance's home has one."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(tmp_path)
    assert workspace_file({"DAGSTER_HOME": str(home)}) == home / "workspace.yaml"
    (tmp_path / "workspace.yaml").touch()
    assert workspace_file({"DAGSTER_HOME": str(home)}) == Path("workspace.yaml")


def members(session: int) -> dict[int, str]:
    """Processes of a session that still run, with their commands."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found[int(folder.name)] = command
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_page(process: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + 150
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline, "no page"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.5)


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="what still runs is read from /proc, which only Linux has"
)
def test_a_page_that_is_told_to_stop_leaves_nothing_behind(home, tmp_path):
    """Started as a script does in the background, with ctrl-C ignored, and told to stop by SIGTERM."""
    make_dataset(tmp_path / "data", 1)
    port = free_port()
    shell = Shell(home, tmp_path / "data")
    process = subprocess.Popen(
        [sys.executable, "-c", IGNORING_CTRL_C, str(BIN / "badc"), "ui", "--port", str(port)],
        cwd=home, env=shell.environment, stdout=(home / "log").open("w"), stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for_page(process, port)
        assert len(members(process.pid)) > 2
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        deadline = time.monotonic() + 30
        while members(process.pid):
            assert time.monotonic() < deadline, members(process.pid)
            time.sleep(0.2)
    finally:
        for pid in members(process.pid):
            os.kill(pid, signal.SIGKILL)
