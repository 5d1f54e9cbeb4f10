"""A month in minutes: a dataset that grows, changes and shrinks under a running daemon that is killed now and then.

    python -m badc_assets_tests.month --minutes 10 --seed 1 [--annexed]

At the end the dataset-wide tables must be those of a clean run over what is there, no recording may count twice, and nothing
may be held or left running. It prints what it did, and ends with status 1 and a line for each difference.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq

from badc_assets.processes import is_alive
from badc_assets_tests.repositories import Repository
from badc_assets_tests.sounds import noise, with_tone, write_sound

BIN = Path(sys.executable).parent
PROJECT = Path(__file__).resolve().parents[1]
_SECONDS = 2
_PATIENCE_S = 480
_LONGEST_IDLE_S = 70
"""Within this a run must begin when there is something new."""


@dataclass
class Month:
    """The dataset in `folder/data`, results in `folder/results`, and the instance in `folder/home`.

    `annexed`: it is a git-annex dataset, in which each event is a commit; otherwise a plain folder.
    """

    folder: Path
    seed: int
    annexed: bool = False
    done: Counter[str] = field(default_factory=Counter)
    _made: int = 0
    _daemon: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.audio = self.folder / "data/audio"
        self.home = self.folder / "home"
        self.audio.mkdir(parents=True)
        self.home.mkdir()
        self._repository = Repository(self.folder / "data") if self.annexed else None
        if self._repository is not None:
            self._repository.run("git", "init", "-q", "-b", "main")
            self._repository.run("git", "annex", "init", "-q", "month")
        shutil.copy(PROJECT / "workspace.yaml", self.home)
        # Its places count from the current folder, which is not the home for the questions asked here.
        settings = (PROJECT / "dagster.yaml").read_text().replace("data/dagster", f"{self.home}/data/dagster")
        (self.home / "dagster.yaml").write_text(settings)

    def environment(self, results: str = "results") -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BADC_", "DAGSTER_"))}
        return clean | {
            "BADC_DATASET": str(self.folder / "data"),
            "BADC_OUTPUT": str(self.folder / results),
            "BADC_CHUNKING__LENGTH_S": "1",
            "BADC_CONTENT__QUIET_S": "1",
            "BADC_CONTENT__INTERVAL_S": "8",
            "DAGSTER_HOME": str(self.home),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }

    def command(self, *command: str, results: str = "results") -> str:
        """Run a command of ours to its end; what it printed."""
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            cwd=self.home,
            env=self.environment(results),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def lived(self, minutes: float) -> list[str]:
        """The whole month; what is not as it should be in the end."""
        try:
            self.live(minutes)
            self.settle()
        finally:
            self.stop_daemon()
        return self.differences()

    def live(self, minutes: float) -> None:
        """Let time pass; something happens every few seconds."""
        self.add()
        self._commit()
        self.command("badc", "recover")  # sets up the instance
        self.command("dagster", "sensor", "start", "new_recordings", "-w", "workspace.yaml")
        self.start_daemon()
        until = time.monotonic() + 60 * minutes
        events = [self.add] * 5 + [self.change, self.rename, self.remove, self.kill_daemon, self.kill_run]
        first = [self.add, self.kill_run, self.change, self.kill_daemon]  # these happen in the shortest month too
        while time.monotonic() < until or first:
            time.sleep(self._random.uniform(2, 12))
            self.start_daemon()
            event = first.pop(0) if first else self._random.choice(events)
            if event != self.kill_run or self._wait_for_run():
                event()
                self._commit()
                self.done[event.__name__] += 1

    def settle(self) -> None:
        """Wait until the daemon has nothing left to do."""
        self.start_daemon()
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if self._is_settled():
                return
            time.sleep(3)
        raise AssertionError(f"after {_PATIENCE_S} s it is not done:\n{self.command('badc', 'status')}\n{self.log()}")

    def stop_daemon(self) -> None:
        if self._daemon is not None and self._daemon.poll() is None:
            os.killpg(self._daemon.pid, signal.SIGTERM)
            self._daemon.wait(timeout=90)

    def differences(self) -> list[str]:
        """What is not as a clean run would have it."""
        self.command("badc", "run")
        self.command("badc", "run", results="clean")
        one, other = self._tables("results"), self._tables("clean")
        found = [f"{name}: only after the month: {row}" for name in one for row in (one[name] - other[name])]
        found += [f"{name}: only in a clean run: {row}" for name in one for row in (other[name] - one[name])]
        found += [f"{name}: {count} times {row}" for name in one for row, count in one[name].items() if count > 1]
        return [*found[:50], *self._left_behind()]

    # What can happen.

    def add(self) -> None:
        for _ in range(self._random.randint(1, 6)):
            self._made += 1
            self._write(
                self.audio
                / f"S{self._made % 3}_{20240501 + self._made // 90}_{self._made % 24:02d}{self._made % 60:02d}00.wav"
            )

    def change(self) -> None:
        if (path := self._any()) is not None:
            self._made += 1
            self._write(path)

    def rename(self) -> None:
        if (path := self._any()) is not None:
            self._made += 1
            path.rename(path.with_name(f"moved{self._made}_{path.name}"))

    def remove(self) -> None:
        if (path := self._any()) is not None:
            path.unlink()

    def kill_daemon(self) -> None:
        if self._daemon is not None and self._daemon.poll() is None:
            os.killpg(self._daemon.pid, signal.SIGKILL)
            self._daemon.wait()

    def kill_run(self) -> None:
        if runs := self._running():
            os.kill(self._random.choice(runs), signal.SIGKILL)

    # How it is done.

    def start_daemon(self) -> None:
        if self._daemon is not None and self._daemon.poll() is None:
            return
        with (self.folder / "daemon.log").open("ab") as log:
            command = [str(BIN / "dagster-daemon"), "run", "-w", "workspace.yaml"]
            self._daemon = subprocess.Popen(
                command, cwd=self.home, env=self.environment(), stdout=log, stderr=log, start_new_session=True
            )

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text(errors="replace")[-4000:]

    def _running(self) -> list[int]:
        """The processes of runs that have begun."""
        from badc_assets.defs.recovery import process_of

        with self._instance() as instance:
            started = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
            processes = [process_of(instance, run.run_id) for run in started]
        return [found[0] for found in processes if found is not None and is_alive(found[0])]

    def _wait_for_run(self) -> bool:
        deadline = time.monotonic() + _LONGEST_IDLE_S
        while not self._running() and time.monotonic() < deadline:
            time.sleep(0.5)
        return bool(self._running())

    def _commit(self) -> None:
        if self._repository is not None:
            self._repository.run("git", "annex", "add", "-q", "audio")
            self._repository.run("git", "add", "-A", "audio")
            self._repository.commit("recordings")

    def _write(self, path: Path) -> None:
        sound = with_tone(noise(_SECONDS, seed=self._made), 0.5, 1.0, 1000 + 50 * (self._made % 60))
        waiting = write_sound(self.folder / "copying.wav", sound)
        waiting.replace(path)

    def _any(self) -> Path | None:
        present = sorted(self.audio.iterdir())
        return self._random.choice(present) if present else None

    def _is_settled(self) -> bool:
        """Every file has results for its present state, and no run is under way."""
        from badc_assets.inference.outstanding import outstanding
        from badc_assets.project import load_project
        from badc_assets.recordings.catalog import read_catalog

        project = load_project(self.environment(), self.home)
        catalog = read_catalog(project.layout.catalog)
        if catalog is None:
            return False
        present = {entry.audio_path for entry in catalog.entries if entry.state == "present"}
        if present != {f"audio/{path.name}" for path in self.audio.iterdir()}:
            return False
        left = outstanding(project.layout, catalog.entries, project.recordings, project.wanted_results)
        return not left.open and not self._unfinished_runs()

    def _instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.home))

    def _unfinished_runs(self) -> list[str]:
        with self._instance() as instance:
            states = [
                s
                for s in dg.DagsterRunStatus
                if s.value in ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")
            ]
            return [f"{run.run_id} is {run.status.value}" for run in instance.get_runs(dg.RunsFilter(statuses=states))]

    def _left_behind(self) -> list[str]:
        found = self._unfinished_runs()
        with self._instance() as instance:
            storage = instance.event_log_storage
            for pool in storage.get_pool_limits():
                slots = storage.get_concurrency_info(pool.name).claimed_slots
                found += [f"pool {pool.name}: a slot is held by run {slot.run_id}" for slot in slots]
        return found

    def _tables(self, results: str) -> dict[str, Counter[tuple[object, ...]]]:
        """What the dataset-wide tables say of the recordings that are there, without what differs from run to run."""
        folder = self.folder / results / "artifacts/aggregate/dataset"
        recordings = pq.read_table(folder / "recordings.parquet").to_pylist()
        there = {row["recording_id"] for row in recordings if row["state"] == "present"}
        columns = {
            "recordings": ("recording_id", "content_key", "outcome", "duration_ms", "analysed_ms", "detections"),
            "effort": ("chunk_id", "effort_ms", "status", "detections", "chunk_sha256"),
            "detections": ("chunk_id", "absolute_time_ms", "absolute_end_ms", "label", "confidence", "content_key"),
        }
        tables = {}
        for name, wanted in columns.items():
            rows = pq.read_table(folder / f"{name}.parquet").to_pylist()
            tables[name] = Counter(tuple(row[c] for c in wanted) for row in rows if row["recording_id"] in there)
        return tables


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--annexed", action="store_true", help="A git-annex dataset instead of a plain folder.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="badc-month-") as folder:
        month = Month(Path(folder), options.seed, options.annexed)
        differences = month.lived(options.minutes)
    print(f"{dict(month.done)}; {len(differences)} differences")
    print("\n".join(differences))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
