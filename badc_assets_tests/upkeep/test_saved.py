"""Results become one commit of a real DataLad dataset, which `datalad rerun` can do again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from badc_assets.detections.store import read_table, status_path
from badc_assets.errors import BadcError
from badc_assets.project import Project
from badc_assets.provenance.saving import DataladGateway, dataset_of
from badc_assets.upkeep.saved import save_results, unsaved_recordings
from badc_assets_tests.datasets import Dataset, make_dataset
from badc_assets_tests.git import git_environment, require_programs, run_in


@pytest.fixture
def identity(monkeypatch, tmp_path):
    for name, value in git_environment(tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def dataset(tmp_path, identity) -> Dataset:
    """Three recordings in a DataLad dataset, all saved, and nothing made of them yet."""
    require_programs("git", "git-annex", "datalad")
    root = tmp_path / "data"
    run_in(tmp_path, "datalad", "create", "-c", "text2git", str(root))
    made = make_dataset(root, 3, bad=(1,))
    run_in(root, "datalad", "save", "-m", "sound")
    return made


def commits(dataset) -> list[str]:
    return run_in(dataset.layout.dataset, "git", "log", "--format=%H").splitlines()


def worked(dataset, run_id="run-1") -> Dataset:
    dataset.chunk()
    dataset.analyse(run_id)
    dataset.publish()
    return dataset


def test_a_batch_is_one_commit_of_results_and_nothing_else(dataset):
    root = dataset.layout.dataset
    before = commits(dataset)
    (root / "notes.txt").write_text("mine")
    worked(dataset)
    assert unsaved_recordings(dataset.layout, DataladGateway()) == list(dataset.recording_ids)
    saved = save_results(dataset.layout, dataset.recording_ids, DataladGateway())
    assert commits(dataset) == [saved.commit, *before]
    assert saved.records == ("run-1",)
    assert saved.commits == dict.fromkeys(dataset.recording_ids, saved.commit)
    assert run_in(root, "git", "status", "--porcelain", "--untracked-files=all") == "?? notes.txt"
    names = run_in(root, "git", "show", "--format=", "--name-only", saved.commit).splitlines()
    assert "artifacts/runs/run-1.json" in names
    assert not [name for name in names if "locks" in name or "aggregate" in name or "catalog" in name]
    again = save_results(dataset.layout, dataset.recording_ids, DataladGateway())
    assert (again.commit, again.files, again.commits) == ("", 0, saved.commits)
    assert unsaved_recordings(dataset.layout, DataladGateway()) == []


def test_only_the_batch_is_saved_and_the_rest_later(dataset):
    first, bad, last = dataset.recording_ids
    worked(dataset)
    one = save_results(dataset.layout, [first], DataladGateway())
    assert unsaved_recordings(dataset.layout, DataladGateway()) == [bad, last]
    two = save_results(dataset.layout, dataset.recording_ids, DataladGateway())
    assert two.commits == {first: one.commit, bad: two.commit, last: two.commit}


def test_the_record_does_the_batch_again(dataset):
    """In a fresh clone without results and without badc.toml, with other settings in the environment."""
    root = dataset.layout.dataset
    worked(dataset)
    good = dataset.recording_ids[0]
    table = read_table(dataset.layout.detections(good))
    key = (dataset.layout.detections(good)).readlink() if dataset.layout.detections(good).is_symlink() else None
    assert key is None
    saved = save_results(dataset.layout, dataset.recording_ids, DataladGateway())
    annexed = dataset.layout.detections(good).readlink()
    record = run_in(root, "git", "log", "-1", "--format=%B", saved.commit)
    value = json.loads(record.split("=== Do not change lines below ===")[1].split("^^^")[0])
    assert value["cmd"] == "badc batch --again artifacts/runs/run-1.json"
    assert value["inputs"] == [f"audio/{name}.wav" for name in dataset.recording_ids]
    assert f"artifacts/infer/{good}" in value["outputs"]
    clone = root.parent / "clone"
    run_in(root.parent, "datalad", "clone", str(root), str(clone))
    run_in(clone, "git", "rm", "-rq", "artifacts/infer", "artifacts/chunks", "manifests")
    run_in(clone, "git", "commit", "-qm", "results are gone")
    output = run_in(clone, "datalad", "rerun", saved.commit)
    assert "Traceback" not in output
    made = Project.model_validate({"dataset": clone}).layout
    assert read_table(made.detections(good)).equals(table)
    assert made.detections(good).readlink().name == annexed.name
    assert run_in(clone, "git", "status", "--porcelain") == ""
    assert run_in(clone, "git", "log", "-1", "--format=%s").startswith("[DATALAD RUNCMD]")
    assert json.loads(status_path(made, good).read_text())["run_id"] == "run-1"


def test_a_save_that_git_refuses_says_what_to_do_and_keeps_the_results(dataset, monkeypatch):
    worked(dataset)
    for name in list(git_environment(dataset.layout.dataset)):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name, raising=False)
    empty = dataset.layout.dataset.parent / "empty"
    empty.mkdir()
    monkeypatch.setenv("HOME", str(empty))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(empty))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    run_in(dataset.layout.dataset, "git", "config", "user.useConfigOnly", "true")
    with pytest.raises(BadcError, match="does not know who you are"):
        save_results(dataset.layout, dataset.recording_ids, DataladGateway())
    assert dataset.layout.detections(dataset.recording_ids[0]).is_file()


def test_what_is_saved_where(tmp_path, monkeypatch):
    monkeypatch.delenv("BADC_DISABLE_DATALAD", raising=False)
    plain, repository, datalad = tmp_path / "plain", tmp_path / "repository", tmp_path / "datalad"
    for folder in (plain, repository / ".git", datalad / ".git", datalad / ".datalad", datalad / "deep"):
        folder.mkdir(parents=True)
    (datalad / ".datalad" / "config").touch()
    assert [dataset_of(folder) for folder in (plain, repository, datalad, datalad / "deep")] == [
        None,
        None,
        datalad,
        datalad,
    ]

    def saves(folder: Path, **settings) -> bool:
        return Project.model_validate({"dataset": folder, **settings}).saves_results

    assert (saves(plain), saves(repository), saves(datalad)) == (False, False, True)
    assert not saves(datalad, provenance={"save": False})
    assert not saves(datalad, output=plain)
    assert saves(plain, output=datalad / "deep")
    for value, is_off in (("1", True), ("true", True), ("0", False), ("", False)):
        monkeypatch.setenv("BADC_DISABLE_DATALAD", value)
        assert saves(datalad) is not is_off
    with pytest.raises(BadcError, match="not in a DataLad dataset"):
        save_results(Project.model_validate({"dataset": plain}).layout, [], DataladGateway())
    shutil.rmtree(plain)
