"""A clone without content, built like the public badc-bogus-data: five recordings that are not here, and nothing invented."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from badc_assets.project import Project
from badc_assets.recordings.current import read_catalog
from badc_assets_tests.cli.same_process import SameProcess
from badc_assets_tests.cli.test_commands import home
from badc_assets_tests.instances import new_instance
from badc_assets_tests.repositories import Repository
from badc_assets_tests.whole_runs import run_all

__all__ = ["home"]


def rebuilt(origin: Repository, index: dict[str, dict]) -> None:
    """All files of the index with their real keys, as a DataLad dataset whose content was never here."""
    lines = [
        f"MD5E-s{entry['size']}--{entry['md5']}{''.join(PurePosixPath(path).suffixes[-1:])} {path}\n"
        for path, entry in index.items()
    ]
    (origin.root / ".datalad").mkdir()
    (origin.root / ".datalad/config").write_text('[datalad "dataset"]\n\tid = 00000000-0000-0000-0000-000000000000\n')
    command = ["git", "-c", "annex.alwayscommit=false", "annex", "fromkey", "--force", "--batch", "--quiet"]
    subprocess.run(command, cwd=origin.root, input="".join(lines), text=True, env=origin.environment(), check=True)
    origin.run("git", "add", ".datalad")
    origin.commit("dataset")


@pytest.fixture
def clone(tmp_path: Path, shared_data: Path) -> Path:
    index = json.loads((shared_data / "badc_fixtures/annex_index.json").read_text())
    origin = Repository.annexed(tmp_path / "origin")
    rebuilt(origin, index)
    origin.run("git", "clone", "-q", str(origin.root), str(tmp_path / "bogus"))
    return tmp_path / "bogus"


def test_five_recordings_are_missing_and_nothing_is_invented(clone: Path, home: Path):
    shell = SameProcess(home, clone)
    files_before = tree(clone)
    status, output = shell("badc", "data", "status")
    assert status == 0, output
    assert "content_missing: 5" in output
    assert "present: 0" in output
    assert "content_missing: audio/GNWT231_20230501_072500.wav" in output

    status, output = shell("badc", "run")
    assert status == 0, output
    catalog = read_catalog(clone / "artifacts/recordings/catalog.parquet")
    assert catalog is not None
    assert [entry.state for entry in catalog.entries] == ["content_missing"] * 5
    status, output = shell("badc", "status")
    assert status == 0, output
    assert "content missing" in output and "quarantined" not in output
    files_after = tree(clone)
    assert {path: files_after.get(path) for path in files_before} == files_before
    new = {
        path for path in files_after.keys() - files_before.keys() if path.startswith(("artifacts/infer", "manifests"))
    }
    assert new == set()

    with new_instance() as instance:
        fetching = Project.model_validate({"dataset": clone, "content": {"policy": "fetch"}})
        assert run_all(fetching, instance) == []
    files_after = tree(clone)
    assert {path: files_after.get(path) for path in files_before} == files_before


def tree(folder: Path) -> dict[str, str]:
    """What stands where in the working tree: where a link leads, or how long a file is."""
    paths = [path for path in folder.rglob("*") if ".git" not in path.parts and (path.is_symlink() or path.is_file())]
    return {
        path.relative_to(folder).as_posix(): str(path.readlink()) if path.is_symlink() else str(path.stat().st_size)
        for path in paths
    }
