"""A PostgreSQL server for tests: private, in a temporary folder, reached through a socket in it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2

PROGRAMS = Path("/usr/lib/postgresql")
START_LIMIT_S = 60
_numbers = count(1)


def programs() -> Path | None:
    """The folder with initdb and postgres: of Debian's newest release, else of whatever is on PATH; None when there is none."""
    found = [
        place for place in PROGRAMS.glob("*/bin") if (place / "initdb").is_file() and (place / "postgres").is_file()
    ]
    if found:
        return max(found, key=lambda place: int(place.parent.name))
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def unprivileged() -> dict[str, Any]:
    """What `subprocess` needs to run as somebody else: the server refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@dataclass
class Server:
    """A server with its files in `folder`; anybody who may enter that folder may connect, under any name."""

    folder: Path
    bin: Path
    process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make its files. Not synced to the disk: they are gone in a minute."""
        command = [self.bin / "initdb", "-D", self.folder / "files", "-U", "badc", "-A", "trust", "-E", "UTF8"]
        done = subprocess.run(
            [*command, "--no-locale", "--no-sync"],
            cwd=self.folder, capture_output=True, text=True, check=False, **unprivileged(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Returns when it answers."""
        command = [self.bin / "postgres", "-D", self.folder / "files", "-k", self.folder]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-c", "listen_addresses=", "-c", "fsync=off"],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **unprivileged(),
            )  # fmt: skip
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, and every connection with it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)  # without taking its time to write everything out
            self.process.wait(30)
            self.process = None

    def new_database(self) -> str:
        """The address of an empty one."""
        name = f"badc_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def address(self, database: str) -> str:
        return f"postgresql://badc@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.address(database))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def _answers(self) -> bool:
        try:
            psycopg2.connect(self.address("postgres")).close()
        except psycopg2.OperationalError:
            return False
        return True


@contextmanager
def running_server(bin_folder: Path) -> Iterator[Server]:
    """A server that goes away. Its folder is not one of pytest's, which only their owner may enter."""
    folder = Path(tempfile.mkdtemp(prefix="badc-postgres-"))
    try:
        if who := unprivileged():
            os.chown(folder, who["user"], who["group"])
        server = Server(folder, bin_folder)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
