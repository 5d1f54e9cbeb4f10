"""Results that a DataLad user has saved are annexed: they are replaced, and no object of the annex is ever written through."""

from __future__ import annotations

import hashlib
from pathlib import Path

from badc_assets.inference.journal import ChunkRecord, JournalWriter
from badc_assets.project import Project
from badc_assets.recordings.scan_journal import ScanJournal
from badc_assets_tests.defs.running import PER_RECORDING, failure_text, run_assets
from badc_assets_tests.repositories import Repository

EVERYTHING = (*PER_RECORDING, "report_bundle")


def objects(root: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (root / ".git/annex/objects").rglob("*")
        if path.is_file()
    }


def test_saved_results_are_replaced_and_the_annex_stays_whole(tmp_path: Path, instance):
    """Also as root, who is not stopped by the protection of the objects: the predecessor overwrote them."""
    repository = Repository.annexed(tmp_path / "dataset")
    repository.add_sounds(a=40_000, b=40_001)
    project = Project.model_validate({"dataset": repository.root, "chunking": {"length_s": 2}})
    run_assets(project, instance, ["recording_catalog"])
    assert run_assets(project, instance, EVERYTHING, ["a", "b"]).success
    run_assets(project, instance, ["detection_aggregates", "dataset_report"])
    repository.run("git", "-c", "annex.largefiles=anything", "annex", "add", "-q", "--force", "artifacts", "manifests")
    repository.commit("results")
    assert project.layout.manifest("a").is_symlink() and project.layout.detections("a").is_symlink()
    before = objects(repository.root)
    assert len(before) > 10

    other = Project.model_validate({**project.model_dump(), "chunking": {"length_s": 1}})
    run_assets(other, instance, ["recording_catalog"])
    assert run_assets(other, instance, EVERYTHING, ["a", "b"]).success
    published = run_assets(other, instance, ["detection_aggregates", "dataset_report"])
    assert published.success, failure_text(published)

    assert {name: digest for name, digest in objects(repository.root).items() if name in before} == before
    assert not other.layout.manifest("a").is_symlink()
    repository.run("git", "annex", "fsck", "-q", "--all")


def test_unlocked_results_are_replaced_too(tmp_path: Path, instance):
    repository = Repository.annexed(tmp_path / "dataset")
    repository.add_sounds(a=40_000)
    project = Project.model_validate({"dataset": repository.root, "chunking": {"length_s": 2}})
    run_assets(project, instance, ["recording_catalog"])
    assert run_assets(project, instance, PER_RECORDING, ["a"]).success
    repository.run("git", "-c", "annex.largefiles=anything", "annex", "add", "-q", "--force", "artifacts", "manifests")
    repository.commit("results")
    repository.run("git", "-c", "annex.thin=true", "annex", "unlock", "-q", "manifests", "artifacts")
    before = objects(repository.root)
    other = Project.model_validate({**project.model_dump(), "chunking": {"length_s": 1}})
    assert run_assets(other, instance, PER_RECORDING, ["a"]).success
    assert {name: digest for name, digest in objects(repository.root).items() if name in before} == before


def test_journals_that_were_saved_are_continued_in_a_file_of_their_own(tmp_path: Path):
    """A killed run leaves a journal, somebody saves it, and the next run appends to it."""
    repository = Repository.annexed(tmp_path / "dataset")
    journals = [repository.root / f"artifacts/journal/{name}.jsonl" for name in ("locked", "hard", "gone")]
    for number, path in enumerate(journals):
        with JournalWriter(path) as journal:
            journal.append([ChunkRecord(f"chunk-{number}")])
    scan = repository.root / "artifacts/recordings/catalog.journal"
    scan.parent.mkdir()
    scan.write_text(f'["audio/{"long" * 300}.wav", 1, 2, "key"]\n')
    repository.run("git", "-c", "annex.largefiles=anything", "annex", "add", "-q", "--force", "artifacts")
    repository.commit("journals")
    repository.run("git", "-c", "annex.thin=true", "annex", "unlock", "-q", "artifacts/journal/hard.jsonl")
    repository.run("git", "annex", "drop", "-q", "--force", "artifacts/journal/gone.jsonl")
    before = objects(repository.root)
    assert journals[1].stat().st_nlink == 2 and scan.is_symlink()
    for path in journals:
        with JournalWriter(path) as journal:
            journal.append([ChunkRecord("next")])
    known = ScanJournal(scan)
    known.add("audio/b.wav", 3, 4, "other")
    known.close(is_done=False)
    assert objects(repository.root) == before
    assert [len(path.read_text().split()) for path in journals] == [2, 2, 1]
    assert len(scan.read_text().split("\n")) == 4
