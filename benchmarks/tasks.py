"""The pieces of work that are measured, each run by name in a process of its own."""

from __future__ import annotations

import hashlib
import sys
import wave
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def _project(dataset: str, output: str):
    from badc_assets.project import Project

    return Project.model_validate({"dataset": dataset, "output": output})


def nothing() -> None:
    """Start an interpreter."""


def import_definitions() -> None:
    """What every Dagster process does first."""
    import badc_assets.definitions

    badc_assets.definitions.defs()


def import_chunking(dataset: str, output: str) -> None:
    """Start-up of `chunk`: the imports, and a recording of a tenth of a second."""
    chunk(dataset, output)


def read_samples(path: str) -> None:
    """Read every sample and do nothing with it."""
    from badc_assets.audio.samples import SampleReader

    with SampleReader(Path(path)) as reader:
        for _ in reader.blocks(1 << 17):
            pass


def chunk(dataset: str, output: str) -> None:
    """Catalogue, examine, verify, hash, write manifest and status: all recordings of the dataset."""
    from badc_assets.chunks.chunking import chunk_recordings
    from badc_assets.recordings.current import examine_recordings, update_catalog

    project = _project(dataset, output)
    catalog, _ = update_catalog(project.layout)
    list(examine_recordings(project.layout, catalog.all_ids, project.recordings))
    for outcome in chunk_recordings(project.layout, catalog.all_ids, project.chunking, lambda: datetime.now(UTC)):
        assert outcome.is_complete, outcome


def scan(dataset: str, output: str) -> None:
    """Bring the catalogue up to date."""
    from badc_assets.recordings.current import update_catalog

    update_catalog(_project(dataset, output).layout)


def examine(dataset: str, output: str) -> None:
    """Scan, then format, place and time of all recordings; facts are stored."""
    from badc_assets.recordings.current import examine_recordings, update_catalog

    project = _project(dataset, output)
    catalog, _ = update_catalog(project.layout)
    found = list(examine_recordings(project.layout, catalog.all_ids, project.recordings))
    assert all(facts.start_local for facts in found)


def cut_files(path: str, output: str) -> None:
    """What the predecessor does: write each minute as a WAV file, then read it again to hash it."""
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    with wave.open(path) as source:
        frames = source.getframerate() * 60
        for number in range(-(-source.getnframes() // frames)):
            target = folder / f"{number}.wav"
            with wave.open(str(target), "wb") as chunk_file:
                chunk_file.setparams(source.getparams())
                chunk_file.writeframes(source.readframes(frames))
            with target.open("rb") as written:
                hashlib.file_digest(written, "sha256")


def detect(dataset: str, output: str) -> None:
    """Everything up to detections and their checks, with the default detector."""
    from badc_assets.detections.verify import results_problems
    from badc_assets.recordings.current import require_catalog

    chunk(dataset, output)
    project = _project(dataset, output)
    engine = project.make_engine(lambda: datetime.now(UTC), "bench", say=print)
    ids = require_catalog(project.layout).all_ids
    for outcome in engine.run(ids):
        assert outcome.is_complete, outcome
    assert not any(results_problems(project.layout, ids).values())


def index(dataset: str, output: str) -> None:
    """Everything up to acoustic indices."""
    from badc_assets.chunks.indices.indexing import index_recordings
    from badc_assets.recordings.current import require_catalog

    chunk(dataset, output)
    project = _project(dataset, output)
    ids = require_catalog(project.layout).all_ids
    for outcome in index_recordings(project.layout, ids, project.chunking, project.indices):
        assert outcome.is_complete, outcome


def bundle(dataset: str, output: str) -> None:
    """The five stages as plain functions."""
    from badc_assets.chunks.gate import chunking_problems
    from badc_assets.chunks.verify import changed_chunks
    from badc_assets.recordings.current import require_catalog
    from badc_assets.reports.bundles import write_bundles

    detect(dataset, output)
    project = _project(dataset, output)
    ids = require_catalog(project.layout).all_ids
    chunking_problems(project.layout, ids, project.chunking)
    changed_chunks(project.layout, ids, chunks_each=1)
    list(write_bundles(project.layout, ids, project.report))


def bundle_through_dagster(dataset: str, output: str) -> None:
    """The same five stages and their checks as one range run on an instance on disk."""
    import dagster as dg
    import yaml

    from badc_assets.definitions import build_definitions

    project = _project(dataset, output)
    definitions = build_definitions(project)
    assets = ("recordings", "chunk_manifest", "chunk_status", "detections", "report_bundle")
    jobs = [
        dg.define_asset_job("find", selection=dg.AssetSelection.assets("recording_catalog")),
        dg.define_asset_job("range", selection=dg.AssetSelection.assets(*assets)),
    ]
    resolved = dg.Definitions.merge(definitions, dg.Definitions(jobs=jobs))
    Path(output).mkdir(parents=True, exist_ok=True)
    storage = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())["storage"]
    storage["custom"]["config"]["base_dir"] = f"{output}/dagster"
    with dg.instance_for_test(overrides={"storage": storage}, temp_dir=output) as instance:
        assert resolved.resolve_job_def("find").execute_in_process(instance=instance).success
        keys = instance.get_dynamic_partitions("recordings")
        tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
        assert resolved.resolve_job_def("range").execute_in_process(instance=instance, tags=tags).success


TASKS: dict[str, Callable[..., None]] = {
    task.__name__: task
    for task in (
        nothing,
        import_definitions,
        import_chunking,
        read_samples,
        chunk,
        scan,
        examine,
        cut_files,
        detect,
        index,
        bundle,
        bundle_through_dagster,
    )
}

if __name__ == "__main__":
    TASKS[sys.argv[1]](*sys.argv[2:])
