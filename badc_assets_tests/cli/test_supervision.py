"""A program that is stopped takes with it what it started, however stubborn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from badc_assets.cli.supervision import descendants
from badc_assets.processes import is_alive

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="descendants are found in /proc")

SUPERVISOR = """
import os, sys
from badc_assets.cli.supervision import run_supervised
sys.exit(run_supervised([sys.executable, "-c", sys.argv[1]], os.environ, patience_s=1))
"""
# Ends at the first signal, and leaves a child that ignores it, in a session of its own.
PARENT = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('ready', flush=True); time.sleep(60)"], start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
def stop(number, frame):
    print("told", number, flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
print("going", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_it_left_behind_ends_too(number):
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, PARENT], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    assert process.stdout.readline() == "going\n"
    assert child in descendants(process.pid)
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert output == f"told {int(number)}\n"
    assert process.returncode == 7
    deadline = time.monotonic() + 5
    while is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_program_that_ends_by_itself_gives_its_status():
    done = subprocess.run([sys.executable, "-c", SUPERVISOR, "raise SystemExit(3)"], check=False, timeout=60)
    assert done.returncode == 3
    assert os.getpid() not in descendants(os.getpid())
