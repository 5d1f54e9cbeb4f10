"""Which storage is in use, and what the doctor says of it; no server is needed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import yaml

from badc_assets.errors import BadcError
from badc_assets.upkeep.examination import examine
from badc_assets.upkeep.storage.chosen import choose, chosen_home
from badc_assets.upkeep.storage.health import storage_examination
from badc_assets.upkeep.storage.kinds import storage_of
from badc_assets.upkeep.storage.network_files import network_file_system
from badc_assets.upkeep.storage.postgres import PostgresStorage, database_url
from badc_assets.upkeep.storage.sqlite import SqliteStorage

REPOSITORY = Path(__file__).resolve().parents[3]
DEFAULT = Path("data/dagster")
URL = {"BADC_POSTGRES_URL": "postgresql://ann:secret@db.example.org:5433/wild"}


def test_the_two_instances_differ_in_their_storage_only():
    sqlite, postgres = (
        yaml.safe_load((REPOSITORY / name).read_text()) for name in ("dagster.yaml", "dagster.postgres.yaml")
    )
    assert sqlite.pop("storage") != postgres.pop("storage")
    assert sqlite == postgres


def test_each_file_of_the_repository_names_its_storage():
    sqlite = storage_of(REPOSITORY / "dagster.yaml", {}, DEFAULT)
    assert sqlite.description == "SQLite in data/dagster"
    postgres = storage_of(REPOSITORY / "dagster.postgres.yaml", URL, DEFAULT)
    assert postgres.description == "PostgreSQL at db.example.org:5433, database wild as ann"
    with pytest.raises(BadcError, match="BADC_POSTGRES_URL: is not set"):
        storage_of(REPOSITORY / "dagster.postgres.yaml", {}, DEFAULT)


def test_a_file_without_storage_and_one_that_is_broken(tmp_path):
    file = tmp_path / "dagster.yaml"
    file.write_text("telemetry: {enabled: false}\n")
    assert storage_of(file, {}, DEFAULT) == SqliteStorage(DEFAULT)
    file.write_text("a: [")
    with pytest.raises(BadcError, match="cannot be read"):
        storage_of(file, {}, DEFAULT)


@pytest.mark.parametrize("address", ["postgres://a@h/d", "postgresql://a@h/d", "postgresql+psycopg2://a@h/d"])
def test_every_way_of_writing_an_address_means_dagsters_driver(address):
    url = database_url(address)
    assert (url.drivername, url.host, url.database) == ("postgresql+psycopg2", "h", "d")
    assert url.query["connect_timeout"] == "10"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("mysql://a@h/d", "not for PostgreSQL"),
        ("h/d", "cannot be understood"),
        ("postgresql://a@h", "names no database"),
        ("postgresql://a@h:port/d", "cannot be understood"),
    ],
)
def test_an_address_that_is_none_is_told_without_its_password(address, says):
    with pytest.raises(BadcError, match=says):
        database_url(address)


def test_a_server_that_does_not_answer_is_one_line_without_its_password():
    storage = PostgresStorage("postgresql://ann:secret@127.0.0.1:1/wild")
    (found,) = examine([storage_examination(storage)], fix=True)
    assert found.state == "problem"
    assert "cannot be reached" in found.ailments[0].problem
    assert "secret" not in str(found)
    assert "\n" not in found.ailments[0].problem


def test_without_the_driver_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(BadcError, match=r"badc-assets\[postgres\]"):
        PostgresStorage(URL["BADC_POSTGRES_URL"]).reach()


MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 0:30 / {0}/home rw shared:2 - {1} server:/home rw
31 30 8:2 / {0}/home/local\\040disk rw shared:3 - xfs /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("kind", "is_shared"),
    [("nfs4", True), ("lustre", True), ("gpfs", True), ("fuse.sshfs", True), ("ext4", False), ("fuseblk", False)],
)
def test_network_file_systems_are_known_by_what_is_mounted(tmp_path, kind, is_shared):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(tmp_path, kind))
    (tmp_path / "home/local disk").mkdir(parents=True)
    assert network_file_system(tmp_path / "home/badc/data/dagster", mounts) == (kind if is_shared else None)
    assert network_file_system(tmp_path / "home/local disk/data", mounts) is None
    assert network_file_system(tmp_path / "elsewhere", mounts) is None
    assert network_file_system(tmp_path, tmp_path / "no proc here") is None


def test_the_doctor_warns_of_sqlite_on_a_network_file_system(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(tmp_path, "nfs4"))
    (tmp_path / "home").mkdir()
    (found,) = examine([storage_examination(SqliteStorage(tmp_path / "home/data"), mounts=mounts)], fix=False)
    assert found.state == "problem"
    assert not found.can_be_fixed
    assert "network file system (nfs4)" in found.ailments[0].problem
    (found,) = examine([storage_examination(SqliteStorage(tmp_path / "data"), mounts=mounts)], fix=False)
    assert (found.state, found.note) == ("ok", f"SQLite in {tmp_path / 'data'}")
    (found,) = examine([storage_examination(SqliteStorage(tmp_path / "data"), "data/instance", mounts)], fix=False)
    assert "not the one in use" in found.ailments[0].problem


def test_a_choice_is_a_link_that_can_be_taken_back(tmp_path):
    for name in ("dagster.yaml", "dagster.postgres.yaml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    assert chosen_home(tmp_path) is None
    for _ in range(2):
        home = choose(tmp_path, "postgres")
        assert chosen_home(tmp_path) == home
        assert (home / "dagster.yaml").samefile(tmp_path / "dagster.postgres.yaml")
    assert choose(tmp_path, "sqlite") == tmp_path
    assert chosen_home(tmp_path) is None
    assert (tmp_path / "dagster.postgres.yaml").is_file()
    with pytest.raises(BadcError, match="no kind of storage"):
        choose(tmp_path, "mysql")
    (tmp_path / "dagster.postgres.yaml").unlink()
    with pytest.raises(BadcError, match="run from the repository"):
        choose(tmp_path, "postgres")
