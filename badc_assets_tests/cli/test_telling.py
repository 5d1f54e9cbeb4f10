"""Commands and Dagster on one dataset: each finds what the other did, and without an instance Dagster is not needed."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from badc_assets.cli.main import app
from badc_assets_tests.cli.test_commands import REPOSITORY, Shell, home
from badc_assets_tests.datasets import make_dataset

__all__ = ["home"]

WITHOUT_DAGSTER = """
import sys
sys.modules["dagster"] = None
from badc_assets.cli.main import app
app(sys.argv[1:])
"""


def test_what_a_command_did_is_seen_by_dagster_which_does_nothing_again(home, tmp_path):
    dataset = make_dataset(tmp_path / "data", 2)
    shell = Shell(home, tmp_path / "data")
    status, output = shell("badc", "recover")
    assert (status, output) == (0, ""), "an instance is set up, and there is nothing to tell"
    status, output = shell("badc", "pipeline", "run", "--no-bundle")
    assert status == 0
    assert "Dagster was told of 8 results and 2 new recordings" in output
    status, output = shell("badc", "infer", "run")
    assert status == 0
    assert "told" not in output
    status, output = shell("badc", "run")
    assert status == 0
    assert "Processing recordings: nothing to do" in output
    assert "told" not in output

    written = {path: path.stat().st_mtime_ns for path in (dataset.layout.output / "artifacts/infer").rglob("*.parquet")}
    status, output = shell("badc", "pipeline", "run", "--no-bundle")
    assert status == 0
    assert "0 done, 2 found done" in output
    assert {path: path.stat().st_mtime_ns for path in written} == written


def test_without_an_instance_dagster_is_not_loaded(tmp_path):
    make_dataset(tmp_path / "data", 1)
    for command in (
        "pipeline run",
        "chunk orchestrate --apply",
        "infer run",
        "infer orchestrate --apply",
        "report dataset",
    ):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_DAGSTER, *command.split()],
            cwd=tmp_path,
            env={"BADC_DATASET": str(tmp_path / "data"), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)


@pytest.fixture
def with_instance(tmp_path, monkeypatch):
    """A folder whose instance is set up, and cannot be opened."""
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)
    (tmp_path / "data/dagster").mkdir(parents=True)
    (tmp_path / "data/dagster/.migrated").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("BADC_DATASET", str(tmp_path / "site"))

    def locked():
        raise OSError("database is locked")

    monkeypatch.setattr("dagster.DagsterInstance.get", locked)
    return make_dataset(tmp_path / "site", 1)


def test_that_dagster_cannot_be_told_is_said_and_fails_nothing(with_instance):
    result = CliRunner().invoke(app, ["chunk", "orchestrate", "--apply"])
    assert result.exit_code == 0
    assert "Dagster was not told (database is locked); `badc recover`" in result.output


def test_nothing_is_told_of_another_dataset_or_by_a_task_of_an_array(with_instance, tmp_path, monkeypatch):
    other = make_dataset(tmp_path / "other", 1)
    result = CliRunner().invoke(app, ["chunk", "orchestrate", str(other.layout.dataset), "--apply"])
    assert (result.exit_code, "told" in result.output) == (0, False)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    result = CliRunner().invoke(app, ["chunk", "orchestrate", "--apply"])
    assert (result.exit_code, "told" in result.output) == (0, False)
