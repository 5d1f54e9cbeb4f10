"""The commands with their history in PostgreSQL, as a user types them, with a real server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

from badc_assets.errors import BadcError
from badc_assets.upkeep.storage.postgres import PostgresStorage
from badc_assets_tests.cli.test_commands import PER_RECORDING, REPOSITORY, Shell
from badc_assets_tests.datasets import Dataset, make_dataset
from badc_assets_tests.postgres import Server
from badc_assets_tests.whole_runs import analysed, results

pytestmark = pytest.mark.system

SHARED = ("chunk_id", "absolute_time_ms", "label", "confidence", "content_key")


def new_home(folder: Path) -> Path:
    """A folder to work in, as a clone of the repository on one machine."""
    folder.mkdir(parents=True)
    for name in ("dagster.yaml", "dagster.postgres.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, folder)
    return folder


def shell_at(home: Path, dataset: Path, database: str = "", output: str = "") -> Shell:
    """One that finds its instance by itself."""
    shell = Shell(home, dataset)
    del shell.environment["DAGSTER_HOME"]
    shell.environment |= {"BADC_POSTGRES_URL": database} if database else {}
    shell.environment |= {"BADC_OUTPUT": output} if output else {}
    return shell


def chosen(home: Path, dataset: Path, database: str, output: str = "") -> Shell:
    """A shell in a new home whose storage was chosen."""
    shell = shell_at(new_home(home), dataset, database, output)
    status, said = shell("badc", "instance", "use", "postgres")
    assert status == 0, said
    return shell


def link(home: Path) -> None:
    """What `badc instance use postgres` leaves, without its setting anything up."""
    (home / "data/instance").mkdir(parents=True)
    (home / "data/instance/dagster.yaml").symlink_to("../../dagster.postgres.yaml")


def dagster(shell: Shell) -> dict[str, str]:
    """The setting for Dagster's own commands."""
    return {"DAGSTER_HOME": str(shell.home / "data/instance")}


def moved(dataset: Dataset, output: str) -> Dataset:
    return replace(dataset, project=dataset.project.model_copy(update={"output": Path(output)}))


def table(dataset: Dataset, name: str) -> list[tuple]:
    """Rows of a table of the whole dataset, without what differs from run to run."""
    rows = pq.read_table(dataset.layout.aggregate_table(name)).to_pylist()
    return sorted(tuple(row[column] for column in SHARED) for row in rows)


def name_of(database: str) -> str:
    return urlsplit(database).path[1:]


def runs(postgres: Server, database: str, status: str) -> int:
    (row,) = postgres.execute(f"SELECT count(*) FROM runs WHERE status = '{status}'", name_of(database))
    return row[0]


def test_the_whole_graph_gives_what_it_gives_with_sqlite(database, postgres, tmp_path):
    dataset = make_dataset(tmp_path / "data", 4, bad=(2,))
    one = shell_at(new_home(tmp_path / "one"), tmp_path / "data", output=str(tmp_path / "with_sqlite"))
    other = chosen(tmp_path / "other", tmp_path / "data", database, str(tmp_path / "with_postgres"))
    for shell in (one, other):
        status, said = shell("badc", "run")
        assert status == 1
        assert "1 of 4 recordings were left out" in said.replace("\n", " ")
        assert "Traceback" not in said
    sqlite, server = (moved(dataset, str(tmp_path / name)) for name in ("with_sqlite", "with_postgres"))
    good = [key for number, key in enumerate(dataset.recording_ids) if number != 2]
    assert analysed(server.layout, dataset.recording_ids) == set(good)
    for key in good:
        assert results(sqlite.layout, key) == results(server.layout, key)
    assert table(sqlite, "detections") == table(server, "detections") != []
    assert runs(postgres, database, "SUCCESS") > 0
    assert not list(other.home.rglob("*.db"))


def test_kill_9_of_a_range_run_loses_nothing_that_was_finished(database, postgres, tmp_path):
    dataset = make_dataset(tmp_path / "data", 20, seconds=30)
    shell = chosen(tmp_path / "home", tmp_path / "data", database)
    status, said = shell("dagster", "asset", "materialize", "--select", "recording_catalog", **dagster(shell))
    assert status == 0, said
    ends = f"{dataset.recording_ids[0]}...{dataset.recording_ids[-1]}"
    victim = shell.start(
        "dagster", "asset", "materialize", "--select", PER_RECORDING, "--partition-range", ends, **dagster(shell)
    )
    deadline = time.monotonic() + 180
    while not dataset.layout.effort(dataset.recording_ids[3]).exists():
        assert victim.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    finished = {r: dataset.layout.detections(r).stat().st_mtime_ns for r in dataset.recording_ids[:3]}
    assert not dataset.layout.detections(dataset.recording_ids[-1]).exists()
    assert runs(postgres, database, "STARTED") == 1

    status, said = shell("badc", "run")
    assert status == 0, said
    assert "had been killed; its slots are free again" in said
    assert all(dataset.layout.detections(recording).is_file() for recording in dataset.recording_ids)
    assert {r: dataset.layout.detections(r).stat().st_mtime_ns for r in finished} == finished
    assert (runs(postgres, database, "STARTED"), runs(postgres, database, "FAILURE")) == (0, 1)


def test_two_machines_start_on_an_empty_database_and_work_at_once(database, postgres, tmp_path):
    """Each has a clone and takes one of two datasets; what they share is the database, pools and all."""
    names = ("north", "south")
    datasets = [make_dataset(tmp_path / name, 3) for name in names]
    working = []
    for name in names:
        shell = shell_at(new_home(tmp_path / f"home_{name}"), tmp_path / name, database)
        del shell.environment["BADC_DATASET"]
        (shell.home / "badc.toml").write_text(
            "".join(f'[datasets.{other}]\ndataset = "{tmp_path / other}"\n' for other in names)
        )
        link(shell.home)
        working.append(shell.start("badc", "--dataset-name", name, "run"))
    for process, dataset in zip(working, datasets, strict=True):
        said, _ = process.communicate(timeout=400)
        assert process.returncode == 0, said
        assert analysed(dataset.layout, dataset.recording_ids) == set(dataset.recording_ids)
    assert runs(postgres, database, "FAILURE") == runs(postgres, database, "STARTED") == 0


def test_the_choice_is_seen_by_instance_and_doctor(database, postgres, tmp_path):
    make_dataset(tmp_path / "data", 1)
    shell = shell_at(new_home(tmp_path / "home"), tmp_path / "data")
    assert "storage: SQLite in data/dagster" in shell("badc", "instance", "show")[1]
    status, said = shell("badc", "instance", "use", "postgres")
    assert (status, "BADC_POSTGRES_URL: is not set" in said) == (1, True)
    assert not (shell.home / "data/instance/dagster.yaml").exists()
    shell.environment["BADC_POSTGRES_URL"] = database
    assert shell("badc", "instance", "use", "postgres")[0] == 0
    status, said = shell("badc", "instance", "show")
    assert status == 0
    assert "storage: PostgreSQL at" in said
    assert "it is set up" in said

    room = {"BADC_AUTOMATION__LEAST_FREE_GB": "0"}
    status, said = shell("badc", "doctor", "--fix", **room)
    assert status == 0, said
    assert "ok       storage: PostgreSQL at" in said
    status, said = shell("badc", "doctor", DAGSTER_HOME=str(shell.home), **room)
    assert status == 1
    assert "DAGSTER_HOME is set" in said

    status, said = shell("badc", "doctor", "--json", BADC_POSTGRES_URL="postgresql://x:secret@127.0.0.1:1/y", **room)
    assert status == 1
    found = {one["name"]: one for one in json.loads(said)}
    assert found["storage"]["state"] == "problem"
    assert "secret" not in said
    status, said = shell("badc", "run", BADC_POSTGRES_URL="postgresql://x:secret@127.0.0.1:1/y")
    assert status == 1
    assert "cannot be reached" in said
    assert "Traceback" not in said
    assert "secret" not in said

    assert shell("badc", "instance", "use", "sqlite")[0] == 0
    assert "storage: SQLite in data/dagster" in shell("badc", "instance", "show")[1]


def test_a_database_that_dagster_cannot_use_is_told_before_anything_is_made(database, postgres):
    postgres.execute("CREATE DATABASE ascii_only ENCODING 'SQL_ASCII' TEMPLATE template0")
    with pytest.raises(BadcError, match="encoding is SQL_ASCII"):
        PostgresStorage(postgres.address("ascii_only")).reach()
    postgres.execute("CREATE ROLE guest LOGIN")
    postgres.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name_of(database))
    with pytest.raises(BadcError, match="may not create tables"):
        PostgresStorage(database.replace("badc@", "guest@")).reach()
    with pytest.raises(BadcError, match="does not exist"):
        PostgresStorage(postgres.address("nowhere")).reach()
    PostgresStorage(database).reach()
    assert not PostgresStorage(database).is_set_up()


SET_UP = """
import sys, time
from badc_assets.cli.instance import instance_environment, migrate_once
sys.stdin.readline()
migrate_once(instance_environment())
"""


def test_many_processes_set_it_up_at_once(database, postgres, tmp_path):
    """Each in a home of its own, as on different machines, so that no file lock keeps them apart."""
    processes = []
    for number in range(4):
        shell = shell_at(new_home(tmp_path / str(number)), tmp_path, database)
        link(shell.home)
        command = ["python", "-c", SET_UP]
        pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, cwd=shell.home, env=shell.environment, text=True, **pipes))
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    name = name_of(database)
    assert postgres.execute("SELECT count(*) FROM kvs WHERE key = 'badc/set_up'", name) == [(1,)]
    assert postgres.execute("SELECT count(*) FROM alembic_version", name) == [(1,)]
    assert "deadlock" not in postgres.log()
