"""`badc infer monitor` and `badc telemetry`, as a user sees them."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from badc_assets.cli.main import app
from badc_assets.cli.monitor_view import event_line, monitor_view
from badc_assets.detectors.protocol import Device
from badc_assets.errors import BadcError
from badc_assets.inference.telemetry.log import TelemetryLog
from badc_assets.inference.telemetry.monitor import Monitor
from badc_assets.inference.telemetry.reader import LogFollower, parse_event

GPU = Device("cuda", 2, 0, "GPU-0", "RTX", 8192)


def write_run(path: Path, chunks: int = 12) -> None:
    with TelemetryLog(path, "energy") as log:
        for number in range(chunks):
            where = {
                "chunk_id": f"R_chunk_{number}",
                "recording_id": "R",
                "worker": "gpu-0",
                "device": GPU,
                "attempt": 1,
            }
            log.started(**where)
            log.succeeded(**where, runtime_s=1.25, output="o")


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BADC_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BADC_DATASET", str(tmp_path / "data"))
    return tmp_path / "data/artifacts/telemetry/infer"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_newest_log_of_the_dataset_is_shown(dataset):
    write_run(dataset / "older.jsonl", 1)
    write_run(dataset / "newer.jsonl")
    os.utime(dataset / "older.jsonl", (1, 1))
    output = run("infer", "monitor")
    assert "newer.jsonl" in output
    (row,) = [line for line in output.splitlines() if "gpu-0  RTX" in line]
    cells = [cell.strip() for cell in row.split("│")[1:]]
    assert cells[:7] == ["gpu-0  RTX", "24", "12", "0", "0", "0", "1.25"]
    assert "success R_chunk_11" in row
    assert sum("R_chunk_" in line for line in output.splitlines()) == 1 + 15


def test_the_tail_has_the_length_asked_for(dataset):
    write_run(dataset / "run.jsonl")
    output = run("infer", "monitor", "--log", str(dataset / "run.jsonl"), "--tail", "3", "--once")
    assert sum("R_chunk_" in line for line in output.splitlines()) == 1 + 3


def test_text_of_the_log_is_never_markup(dataset):
    dataset.mkdir(parents=True)
    event = {
        "chunk_id": "[red]x[/red][/oops]",
        "status": "[bold]",
        "details": {"worker": "\x1b[2J[link=x]", "stderr": "[/]"},
    }
    (dataset / "run.jsonl").write_text(json.dumps(event) + "\n" + json.dumps({**event, "status": "failure"}) + "\n")
    for command in (("telemetry",), ("infer", "monitor")):
        output = run(*command)
        assert "[red]x[/red][/oops]" in output
        assert "[bold]" in output
        assert "\x1b" not in output
        assert "\\x1b[2J[link=x]" in output


@settings(deadline=None)
@given(st.binary(max_size=300) | st.dictionaries(st.sampled_from(["chunk_id", "status", "timestamp", "gpu_name"]), st.text()).map(
    lambda values: json.dumps(values).encode()))  # fmt: skip
def test_anything_in_a_log_can_be_shown(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("log") / "run.jsonl"
    path.write_bytes(text.replace(b"\n", b"") + b"\n")
    monitor = Monitor(LogFollower(path), 3)
    monitor.refresh()
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(monitor_view(monitor, str(path)))
    event = parse_event(text)
    if event:
        console.print(event_line(event))
    assert "\x1b" not in console.export_text()


def test_telemetry_prints_the_last_ten_events_with_their_status(dataset):
    write_run(dataset / "run.jsonl")
    lines = run("telemetry").splitlines()
    assert lines[0].endswith("run.jsonl: 24 events")
    assert len(lines) == 11
    assert "[success]  gpu-0  R_chunk_11  1.25 s" in lines[-1]
    assert "[start]  gpu-0  R_chunk_11" in lines[-2]


@pytest.mark.parametrize("command", [("infer", "monitor"), ("telemetry",)])
def test_what_is_not_there_is_said(dataset, command):
    with pytest.raises(BadcError, match="no log of a run yet"):
        run(*command)
    with pytest.raises(BadcError, match="there is no such log"):
        run(*command, "--log", "nowhere.jsonl")


def read_until(descriptor: int, text: str, limit_s: float = 60) -> str:
    seen = ""
    deadline = time.monotonic() + limit_s
    while text not in seen and time.monotonic() < deadline:
        if select.select([descriptor], [], [], 0.2)[0]:
            seen += os.read(descriptor, 65536).decode(errors="replace")
    assert text in seen
    return seen


def test_following_shows_what_a_run_adds_until_ctrl_c(dataset):
    path = dataset / "run.jsonl"
    write_run(path, 1)
    ours, theirs = pty.openpty()
    command = [
        str(Path(sys.executable).parent / "badc"),
        "infer",
        "monitor",
        "--log",
        str(path),
        "--follow",
        "--interval",
        "0.1",
    ]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": "200", "TERM": "xterm"}
    )
    os.close(theirs)
    try:
        read_until(ours, "R_chunk_0")
        with TelemetryLog(path, "energy") as log:
            log.started(chunk_id="R_chunk_new", recording_id="R", worker="cpu-0", device=Device(), attempt=1)
        read_until(ours, "R_chunk_new")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
