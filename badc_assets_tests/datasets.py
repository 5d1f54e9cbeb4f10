"""Small datasets for tests, and the first stages run on them without Dagster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from badc_assets.chunks.chunking import ChunkOutcome, chunk_recordings
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.inference.recorded import recorded
from badc_assets.project import Project
from badc_assets.project_record import run_record
from badc_assets.recordings.current import examine_recordings, require_catalog, update_catalog
from badc_assets.reports.collecting import collect_tables
from badc_assets_tests.sounds import noise, with_tone, write_sound

NOW = datetime(2023, 5, 8, 4, 0, tzinfo=UTC)


def fixed_clock() -> datetime:
    return NOW


@dataclass(frozen=True)
class Dataset:
    """A dataset on disk and the project that points at it."""

    project: Project
    recording_ids: tuple[str, ...]

    @property
    def layout(self):
        return self.project.layout

    def examine(self) -> None:
        update_catalog(self.layout)
        list(examine_recordings(self.layout, self.recording_ids, self.project.recordings))

    def chunk(self) -> list[ChunkOutcome]:
        """Catalogue, examine and chunk everything."""
        self.examine()
        return list(chunk_recordings(self.layout, self.recording_ids, self.project.chunking, fixed_clock))

    def analyse(self, run_id: str = "a-run", recording_ids: Sequence[str] | None = None) -> list[DetectionOutcome]:
        """Run the detector over what is chunked, and keep the run's record."""
        ids = self.recording_ids if recording_ids is None else recording_ids
        engine = self.project.make_engine(fixed_clock, run_id, say=lambda _: None)
        return list(recorded(self.layout, run_record(self.project, run_id, fixed_clock, ids), engine.run(ids)))

    def publish(self) -> None:
        """Make the dataset-wide tables."""
        collect_tables(self.layout, require_catalog(self.layout).entries)


def make_dataset(folder: Path, count: int = 3, *, seconds: float = 5, bad: tuple[int, ...] = (), **settings) -> Dataset:
    """`count` recordings of one site, a quarter of an hour apart, each with a tone; those in `bad` are random bytes."""
    ids = []
    for number in range(count):
        name = f"SITE-1_20230508_{number // 4:02d}{number % 4 * 15:02d}00"
        path = folder / "audio" / f"{name}.wav"
        if number in bad:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(range(256)) * 20)
        else:
            write_sound(path, with_tone(noise(seconds, seed=number), 1.0, 2.0, 3000))
        ids.append(name)
    settings.setdefault("chunking", {"length_s": 2})
    return Dataset(Project.model_validate({"dataset": folder, **settings}), tuple(ids))
