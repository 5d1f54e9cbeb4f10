"""GPU leases between real processes: who gets a card, and when it is free again."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.errors import BadcError
from badc_assets.inference.devices.lease_files import lock_name
from badc_assets.inference.devices.leases import (
    Holder,
    free_gpus,
    lease_folder,
    lease_gpus,
    lease_holders,
    this_process,
)
from badc_assets_tests.inference.fake_gpus import gpu

CARDS = [gpu(0), gpu(1), gpu(2)]
ME = Holder(pid=1, user="ann", run_id="r1")

# Takes the card, may start a child that has its lock file too, and waits to be killed.
HOLDER = """
import subprocess, sys, time
from pathlib import Path
from badc_assets.inference.devices.leases import lease_gpus, this_process
from badc_assets_tests.inference.fake_gpus import gpu
(lease,) = lease_gpus([gpu(0)], 1, Path(sys.argv[1]), this_process("run-7"))
child = 0
if sys.argv[2] == "worker":
    child = subprocess.Popen(["sleep", "60"], pass_fds=[lease.fileno()], stdout=subprocess.DEVNULL).pid
print(child, flush=True)
time.sleep(60)
"""


@pytest.fixture
def started() -> Iterator[list[int]]:
    """Ids of processes to end after the test."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def start_holder(folder: Path, started: list[int], kind: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder), kind], stdout=subprocess.PIPE, text=True)
    started.append(process.pid)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    if child:
        started.append(child)
    return process, child


def becomes_free(folder: Path) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if free_gpus(CARDS[:1], folder):
            return True
        time.sleep(0.01)
    return False


def test_a_killed_holder_frees_its_card(tmp_path, started):
    holder, _ = start_holder(tmp_path / "leases", started, "alone")
    assert lease_gpus(CARDS[:1], None, tmp_path / "leases", ME) == []
    told = lease_holders(CARDS, tmp_path / "leases")[CARDS[0].uuid]
    assert told.pid == holder.pid
    assert told.run_id == "run-7"
    assert told.since.endswith("+00:00")
    holder.kill()
    holder.wait()
    assert becomes_free(tmp_path / "leases")
    (lease,) = lease_gpus(CARDS[:1], None, tmp_path / "leases", ME)
    assert lease_holders(CARDS, tmp_path / "leases")[CARDS[0].uuid] == ME
    lease.release()


def test_a_card_stays_leased_while_the_worker_of_a_killed_run_lives(tmp_path, started):
    holder, worker = start_holder(tmp_path / "leases", started, "worker")
    holder.kill()
    holder.wait()
    time.sleep(0.1)
    assert lease_gpus(CARDS[:1], None, tmp_path / "leases", ME) == []
    os.kill(worker, signal.SIGKILL)
    assert becomes_free(tmp_path / "leases")


def test_a_released_lease_leaves_the_worker_its_card(tmp_path, started):
    (lease,) = lease_gpus(CARDS[:1], 1, tmp_path / "leases", ME)
    worker = subprocess.Popen(["sleep", "60"], pass_fds=[lease.fileno()])
    started.append(worker.pid)
    lease.release()
    lease.release()
    assert free_gpus(CARDS, tmp_path / "leases") == (CARDS[1], CARDS[2])
    worker.kill()
    worker.wait()
    assert becomes_free(tmp_path / "leases")
    with pytest.raises(ValueError, match="given back"):
        lease.fileno()


def test_programs_started_otherwise_do_not_keep_the_card(tmp_path, started):
    (lease,) = lease_gpus(CARDS[:1], 1, tmp_path / "leases", ME)
    stranger = subprocess.Popen(["sleep", "60"], close_fds=False)
    started.append(stranger.pid)
    lease.release()
    assert free_gpus(CARDS, tmp_path / "leases") == tuple(CARDS)


def test_cards_are_leased_in_order_and_no_more_than_asked_for(tmp_path):
    folder = tmp_path / "leases"
    first = lease_gpus(CARDS, 2, folder, ME)
    assert [lease.gpu.index for lease in first] == [0, 1]
    rest = lease_gpus(CARDS, 2, folder, ME)
    assert [lease.gpu.index for lease in rest] == [2]
    assert lease_gpus(CARDS, None, folder, ME) == []
    with first[1]:
        pass
    assert free_gpus(CARDS, folder) == (CARDS[1],)
    assert set(lease_holders(CARDS, folder)) == {CARDS[0].uuid, CARDS[2].uuid}
    for lease in [*first, *rest]:
        lease.release()


def test_looking_never_makes_a_card_seem_taken(tmp_path):
    folder = tmp_path / "leases"
    lease_gpus(CARDS[:1], 1, folder, ME)[0].release()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            assert lease_holders(CARDS[:1], folder).keys() <= {CARDS[0].uuid}

    onlooker = threading.Thread(target=look)
    onlooker.start()
    taken = 0
    for _ in range(100):
        leases = lease_gpus(CARDS[:1], 1, folder, ME)
        taken += len(leases)
        for lease in leases:
            lease.release()
    stop.set()
    onlooker.join()
    assert taken >= 99


def test_folder_and_files_are_open_to_all_users(tmp_path):
    before = os.umask(0o077)
    try:
        (lease,) = lease_gpus(CARDS, 1, tmp_path / "leases", ME)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "leases").stat().st_mode) == 0o1777
    assert stat.S_IMODE((tmp_path / "leases" / lock_name(CARDS[0].uuid)).stat().st_mode) == 0o666
    lease.release()
    assert [path.name for path in tmp_path.iterdir()] == ["leases"]


def test_links_are_never_followed(tmp_path):
    victim = tmp_path / "thesis.txt"
    victim.write_text("my only copy")
    (tmp_path / "leases").mkdir()
    lock = tmp_path / "leases" / lock_name(CARDS[0].uuid)
    lock.symlink_to(victim)
    with pytest.raises(BadcError, match="cannot be used to share GPUs"):
        lease_gpus(CARDS, 1, tmp_path / "leases", ME)
    lock.unlink()
    lock.hardlink_to(victim)
    with pytest.raises(BadcError, match="not a plain file"):
        lease_gpus(CARDS, 1, tmp_path / "leases", ME)
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(BadcError, match="not a plain file"):
        lease_gpus(CARDS, 1, tmp_path / "leases", ME)
    (tmp_path / "elsewhere").symlink_to(tmp_path / "leases")
    with pytest.raises(BadcError, match="cannot be used to share GPUs"):
        lease_gpus(CARDS, 1, tmp_path / "elsewhere", ME)
    assert victim.read_text() == "my only copy"


def test_a_problem_with_one_card_gives_the_others_back(tmp_path):
    (tmp_path / "leases").mkdir()
    (tmp_path / "leases" / lock_name(CARDS[1].uuid)).mkdir()
    with pytest.raises(BadcError):
        lease_gpus(CARDS, None, tmp_path / "leases", ME)
    assert free_gpus(CARDS[:1], tmp_path / "leases") == (CARDS[0],)


def test_without_a_folder_all_cards_are_free(tmp_path):
    assert free_gpus(CARDS, tmp_path / "none") == tuple(CARDS)
    assert not (tmp_path / "none").exists()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_what_others_wrote_into_a_lock_file_is_only_shown(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("leases")
    (lease,) = lease_gpus(CARDS[:1], 1, folder, ME)
    (folder / lock_name(CARDS[0].uuid)).write_bytes(text)
    assert str(lease_holders(CARDS[:1], folder)[CARDS[0].uuid]).isprintable()
    lease.release()


def test_a_holder_that_lies_is_shown_on_one_line(tmp_path):
    (lease,) = lease_gpus(CARDS[:1], 1, tmp_path, Holder(pid=3, user="x\n\x1b[31mroot", run_id="r"))
    told = str(lease_holders(CARDS[:1], tmp_path)[CARDS[0].uuid])
    assert told == "x\\n\\x1b[31mroot, process 3 (run r), since unknown"
    lease.release()


def test_the_present_process_knows_itself():
    holder = this_process("r9")
    assert (holder.pid, holder.run_id) == (os.getpid(), "r9")
    assert holder.user
    assert holder.host


def test_the_shared_folder_does_not_depend_on_the_users_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = lease_folder()
    assert folder.name == "badc-gpu-leases"
    assert folder.parent.stat().st_mode & stat.S_IWOTH or folder.parent == tmp_path


@settings(deadline=None)
@given(st.text())
def test_lock_names_stay_in_their_folder(key):
    name = lock_name(key)
    assert "/" not in name
    assert name not in ("", ".", "..")
    assert len(name) < 255
