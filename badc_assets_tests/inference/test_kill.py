"""kill -9 at fifty random moments: nothing is lost, and at most what was in hand is done again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from badc_assets_tests.datasets import Dataset, make_dataset
from badc_assets_tests.inference.kill_target import CHUNK_S, WINDOWS, WORKERS, engine_of
from badc_assets_tests.sounds import noise, write_sound
from badc_assets_tests.whole_runs import results, temporary_files

KILLS = 50
RECORDINGS = 6
SECONDS = 400


def recorded(folder: Path) -> Dataset:
    dataset = make_dataset(folder, 0, chunking={"length_s": CHUNK_S})
    for number in range(RECORDINGS):
        write_sound(
            folder / "audio" / f"r{number}.wav", noise(SECONDS, seed=number, level=0.1, rate_hz=8000), rate_hz=8000
        )
    dataset = Dataset(dataset.project, tuple(f"r{number}" for number in range(RECORDINGS)))
    dataset.chunk()
    return dataset


def start(folder: Path, diary: Path, seconds: float) -> subprocess.Popen[bytes]:
    module = "badc_assets_tests.inference.kill_target"
    return subprocess.Popen([sys.executable, "-m", module, str(folder), str(diary), str(seconds)])


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def is_gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def wait_for_a_moment(moments: random.Random, diary: Path) -> None:
    """Some time after the start; mostly after some windows were scored, so that a busy machine does not spoil the test."""
    if moments.random() < 0.7:
        wanted = size(diary) + moments.randint(1, 40)
        deadline = time.monotonic() + 60
        while size(diary) < wanted:
            assert time.monotonic() < deadline, "the engine does nothing"
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.12))
    else:
        time.sleep(moments.uniform(0.05, 1))


def size(diary: Path) -> int:
    return diary.stat().st_size if diary.exists() else 0


def test_killed_fifty_times_and_the_table_is_the_same(tmp_path):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    moments = random.Random(seed)
    dataset, diary = recorded(tmp_path / "killed"), tmp_path / "diary"
    had_workers = 0
    for _ in range(KILLS):
        victim = start(tmp_path / "killed", diary, 0.05)
        wait_for_a_moment(moments, diary)
        assert victim.poll() is None, "the work was done before all kills: make more of it"
        workers = children_of(victim.pid)
        had_workers += len(workers) == WORKERS
        victim.kill()
        victim.wait()
        deadline = time.monotonic() + 10
        while not all(is_gone(worker) for worker in workers):
            assert time.monotonic() < deadline, "workers outlived the engine"
            time.sleep(0.01)
    assert had_workers >= 10
    done_by_the_killed = diary.stat().st_size
    assert 100 < done_by_the_killed < RECORDINGS * SECONDS * 2
    finisher = start(tmp_path / "killed", diary, 0.0)
    assert finisher.wait(120) == 0

    alone = recorded(tmp_path / "alone")
    list(engine_of(tmp_path / "alone", None, 0.0).run(alone.recording_ids))
    for recording in dataset.recording_ids:
        for made, expected in zip(results(dataset.layout, recording), results(alone.layout, recording), strict=True):
            assert made.num_rows > 0
            assert made == expected
    windows = RECORDINGS * SECONDS * 2
    assert windows <= diary.stat().st_size <= windows + KILLS * WORKERS * WINDOWS
    assert temporary_files(tmp_path / "killed") == []
    assert not list((tmp_path / "killed").glob("artifacts/journal/*"))


def test_two_at_once_do_nothing_twice(tmp_path):
    dataset, diary = recorded(tmp_path / "both"), tmp_path / "diary"
    both = [start(tmp_path / "both", diary, 0.01) for _ in range(2)]
    assert [process.wait(200) for process in both] == [0, 0]
    assert size(diary) == RECORDINGS * SECONDS * 2
    alone = recorded(tmp_path / "alone")
    list(engine_of(tmp_path / "alone", None, 0.0).run(alone.recording_ids))
    for recording in dataset.recording_ids:
        assert results(dataset.layout, recording) == results(alone.layout, recording)
