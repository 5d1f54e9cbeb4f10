"""Programs that print without end, hang, fork or outlive: none may block, fill the memory, or stay behind."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from badc_assets.detectors.command.run import MAX_STDOUT_BYTES, ProgramFailed, run_program
from badc_assets_tests.detectors.command.programs import program

HOLD = """
import fcntl
def hold(path):
    handle = open(path, "w")
    fcntl.flock(handle, fcntl.LOCK_EX)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle
"""
"""A lock is dropped by the kernel when the last process that holds it is dead, so it tells who lives."""
WITH_CHILD = """
if os.fork() == 0:
    kept = hold(folder + "/child")
    time.sleep(60)
    os._exit(0)
kept = hold(folder + "/parent")
"""


def holder(folder: Path, body: str) -> tuple[str, ...]:
    return program(folder, f"{HOLD}\nfolder = {str(folder)!r}\n{WITH_CHILD}\n{body}")


def wait_for(condition, *, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def has_pid(path: Path) -> bool:
    return path.is_file() and bool(path.read_text())


def is_free(path: Path) -> bool:
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def both_free(folder: Path) -> bool:
    return is_free(folder / "parent") and is_free(folder / "child")


def test_gigabytes_of_output_take_no_memory_and_do_not_block(tmp_path) -> None:
    import resource

    body = """
block = b"x" * (1 << 20)
for _ in range(600):
    os.write(1, block)
    os.write(2, block)
os.write(2, b"\\nlast words\\n")
"""
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = run_program(program(tmp_path, body), {})
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert ended.exit_status == 0
    assert len(ended.stdout) == MAX_STDOUT_BYTES and not ended.stdout_is_whole
    assert ended.said.endswith("x | last words")
    assert len(ended.said) <= 502
    assert grown_kib < 60_000


def test_all_of_a_short_output_is_there(tmp_path) -> None:
    ended = run_program(program(tmp_path, "os.write(1, b'a' * 300_000); os.write(1, b'end')"), {})
    assert (len(ended.stdout), ended.stdout[-3:], ended.stdout_is_whole) == (300_003, b"end", True)


def test_a_program_that_closes_its_outputs(tmp_path) -> None:
    body = "os.close(1); os.close(2); time.sleep(0.3); os._exit(4)"
    assert run_program(program(tmp_path, body), {}).exit_status == 4


def test_signals_that_python_ignores_work_in_the_program() -> None:
    """Else `detect | head` inside of a program would go on for ever. The kernel is asked: Python ignores them anew."""
    ended = run_program(["/bin/cat", "/proc/self/status"], {})
    ignored = next(line for line in ended.stdout.decode().splitlines() if line.startswith("SigIgn"))
    assert int(ignored.split()[1], 16) & (1 << (signal.SIGPIPE - 1)) == 0


def test_what_a_program_leaves_in_the_background_ends_with_it(tmp_path) -> None:
    began = time.monotonic()
    ended = run_program(holder(tmp_path, "time.sleep(0.5); os._exit(0)"), {})
    assert ended.exit_status == 0
    assert time.monotonic() - began < 20
    assert wait_for(lambda: both_free(tmp_path))


def test_a_time_limit_ends_the_program_and_its_children(tmp_path) -> None:
    with pytest.raises(ProgramFailed, match="ran longer than"):
        run_program(holder(tmp_path, "time.sleep(60)"), {}, 2)
    assert has_pid(tmp_path / "child")
    assert wait_for(lambda: both_free(tmp_path))


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_owner_takes_the_program_and_its_children_along(tmp_path, signal_number) -> None:
    code = "import sys; from badc_assets.detectors.command.run import run_program; run_program(sys.argv[1:], {})"
    owner = subprocess.Popen([sys.executable, "-c", code, *holder(tmp_path, "time.sleep(60)")], start_new_session=True)
    try:
        assert wait_for(lambda: has_pid(tmp_path / "parent") and has_pid(tmp_path / "child"))
        assert not is_free(tmp_path / "parent")
    finally:
        owner.send_signal(signal_number)
        owner.wait()
    assert wait_for(lambda: both_free(tmp_path), seconds=10)


def test_an_interrupted_owner_takes_the_program_along(tmp_path) -> None:
    """Ctrl-C reaches only the group in the foreground, which the program is not in."""
    code = "import sys; from badc_assets.detectors.command.run import run_program; run_program(sys.argv[1:], {})"
    command = [sys.executable, "-c", code, *holder(tmp_path, "time.sleep(60)")]
    owner = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    assert wait_for(lambda: has_pid(tmp_path / "parent") and has_pid(tmp_path / "child"))
    owner.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in owner.communicate()[1]
    assert wait_for(lambda: both_free(tmp_path), seconds=10)


def test_a_program_that_is_killed_with_its_guard(tmp_path) -> None:
    with pytest.raises(ProgramFailed, match=r"was killed from outside.*; it said: busy"):
        run_program(program(tmp_path, "os.write(1, b'busy'); os.killpg(0, 9)"), {})


def test_a_killed_guard_takes_the_program_along(tmp_path) -> None:
    with pytest.raises(ProgramFailed, match="was killed from outside"):
        run_program(holder(tmp_path, "os.kill(os.getppid(), 9); time.sleep(60)"), {})
    assert wait_for(lambda: both_free(tmp_path))


def test_nothing_stays_open(tmp_path) -> None:
    words = program(tmp_path, "print(1)")
    run_program(words, {})
    before = _open_files()
    for _ in range(3):
        run_program(words, {})
    assert _open_files() == before


def _open_files() -> list[str]:
    return sorted(file.name for file in Path("/proc/self/fd").iterdir())


def test_the_program_inherits_no_file_of_ours(tmp_path) -> None:
    with (tmp_path / "ours").open("w"):
        ended = run_program(["/bin/ls", "/proc/self/fd"], {})
    # The fourth is the folder that ls itself reads.
    assert ended.stdout.decode().split() == ["0", "1", "2", "3"]
