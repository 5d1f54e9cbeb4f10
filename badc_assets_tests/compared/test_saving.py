"""DataLad datasets: results as commits, results that are annexed already, and datasets that are taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from badc_assets.chunks.manifest import read_manifest
from badc_assets_tests.compared.command import badc
from badc_assets_tests.compared.rows import compared
from badc_assets_tests.datasets import Dataset, make_dataset
from badc_assets_tests.git import git_environment, require_programs, run_in
from badc_assets_tests.repositories import Repository


@pytest.fixture
def dataset(data: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A DataLad dataset with one recording, saved; everything that will be saved in it is annexed."""
    require_programs("git", "git-annex", "datalad")
    for name, value in git_environment(data.parent).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BADC_DETECTOR", "energy")
    run_in(data.parent, "datalad", "create", str(data))
    made = make_dataset(data, 1)
    run_in(data, "datalad", "save", "-m", "sound")
    return made


@compared(
    "F12a",
    "B4",
    situation="A DataLad dataset is chunked with the default settings",
    badc="Always fails: its own status file makes the dataset dirty, and `datalad run` then refuses",
    ours="Chunked, and saved as one commit afterwards; nothing is left to save",
)
def test_chunked_and_saved(dataset: Dataset, data: Path):
    before = run_in(data, "git", "rev-parse", "HEAD")
    assert badc("chunk", "orchestrate", "--apply").status == 0
    assert run_in(data, "git", "rev-parse", "HEAD^") == before
    assert run_in(data, "git", "status", "--porcelain") == ""
    assert len(read_manifest(dataset.layout.manifest(dataset.recording_ids[0]))) == 3


@compared(
    "F12b",
    "F12c",
    situation="Detections of a DataLad dataset, and the same command again",
    badc="A commit for each recording, in which the manifest is a path into `.git/annex/objects`; again: all chunks are skipped",
    ours="One commit whose record names recordings, not objects, and can be done again; again: nothing to do, no commit",
)
def test_analysed_and_saved(dataset: Dataset, data: Path):
    before = run_in(data, "git", "rev-parse", "HEAD")
    assert badc("pipeline", "run").status == 0
    after = run_in(data, "git", "rev-parse", "HEAD")
    assert run_in(data, "git", "rev-parse", "HEAD^") == before
    assert run_in(data, "git", "status", "--porcelain") == ""
    message = run_in(data, "git", "log", "-1", "--format=%B")
    (record,) = data.glob("artifacts/runs/*.json")
    assert f"badc batch --again artifacts/runs/{record.name}" in message
    assert "annex/objects" not in message + record.read_text()
    said = badc("pipeline", "run", "--no-bundle", "--json")
    assert (said.status, said.json["stages"]["analysis"]["found done"]) == (0, 1)
    assert run_in(data, "git", "rev-parse", "HEAD") == after
    assert badc("batch", "--again", record).line("1 of 1 recordings have results")


@compared(
    "F12d",
    "F12e",
    "B19",
    situation="Other settings, while the results of before are annexed",
    badc="An ordinary user gets PermissionError; root writes through the links: `git annex fsck` finds 4 objects destroyed",
    ours="Results are replaced and never written through, whoever runs it; `git annex fsck` finds nothing",
)
def test_annexed_results(dataset: Dataset, data: Path):
    (recording,) = dataset.recording_ids
    command = ("chunk", "run", data / f"audio/{recording}.wav", "--chunk-duration", "2", "--manifest", "files.csv")
    assert badc("pipeline", "run").status == 0
    assert badc(*command).status == 0
    run_in(data, "datalad", "save", "-m", "files")
    assert dataset.layout.detections(recording).is_symlink()
    assert (data / "files.csv").is_symlink()
    assert badc(*command).status == 0
    assert badc("pipeline", "run", "--chunk-duration", "1").status == 0
    assert len(read_manifest(dataset.layout.manifest(recording))) == 5
    run_in(data, "git", "annex", "fsck", "-q", "--all")
    run_in(data, "datalad", "save", "-m", "files again")
    assert run_in(data, "git", "status", "--porcelain") == ""


@compared(
    "F21",
    "B20",
    situation="`data disconnect --drop-content` of a dataset with a file that is saved nowhere",
    badc="The folder is deleted without asking",
    ours="Refused with the names of what would be lost, exit status 1; nothing is deleted",
)
def test_disconnect(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    require_programs("git", "git-annex")
    for name, value in git_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    origin = Repository.annexed(tmp_path / "origin")
    origin.add_sounds(a=1000)
    assert badc("data", "connect", "site", "--url", origin.root, "--method", "git").status == 0
    notes = Path("data/datalad/site/notes.txt")
    notes.write_text("mine")
    said = badc("data", "disconnect", "site", "--drop-content")
    assert said.status == 1
    assert said.line("not saved: notes.txt")
    assert said.line("error:", "holds 1 unsaved files", "was not deleted")
    assert notes.read_text() == "mine"
