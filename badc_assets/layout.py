"""Every place inside a dataset, from one root and a recording id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Where a dataset keeps its audio and where its results go.

    `dataset` is the folder or DataLad dataset that was pointed at, `audio` the folder below it that is scanned, and
    `output` the folder that gets the results: the dataset itself, unless its owner wants it left alone.
    The names below `output` are BADC's wherever BADC has one.
    """

    dataset: Path
    audio: Path
    output: Path

    def source(self, audio_path: str) -> Path:
        """The sound file for a path that is relative to the dataset, as every table stores it."""
        return self.dataset / audio_path

    @property
    def catalog(self) -> Path:
        return self.output / "artifacts/recordings/catalog.parquet"

    @property
    def catalog_journal(self) -> Path:
        """What a scan under way has read."""
        return self.output / "artifacts/recordings/catalog.journal"

    @property
    def noticed_dir(self) -> Path:
        """What the sensors compare, and how far they are. It can be made anew at any time."""
        return self.output / "artifacts/recordings/noticed"

    def facts(self, recording_id: str) -> Path:
        return self.output / "artifacts/recordings/facts" / f"{recording_id}.json"

    def manifest(self, recording_id: str) -> Path:
        return self.output / "manifests" / f"{recording_id}.csv"

    def chunk_dir(self, recording_id: str) -> Path:
        return self.output / "artifacts/chunks" / recording_id

    def chunk_status(self, recording_id: str) -> Path:
        return self.chunk_dir(recording_id) / ".chunk_status.json"

    def quality(self, recording_id: str) -> Path:
        return self.chunk_dir(recording_id) / "quality.json"

    def indices(self, recording_id: str) -> Path:
        """The acoustic indices of each chunk, where they were asked for."""
        return self.output / "artifacts/indices" / f"{recording_id}.parquet"

    def infer_dir(self, recording_id: str) -> Path:
        return self.output / "artifacts/infer" / recording_id

    def result_status(self, recording_id: str) -> Path:
        """What the tables of results hold; it proves that they are whole."""
        return self.infer_dir(recording_id) / ".infer_status.json"

    def detections(self, recording_id: str) -> Path:
        return self.infer_dir(recording_id) / "detections.parquet"

    def effort(self, recording_id: str) -> Path:
        return self.infer_dir(recording_id) / "effort.parquet"

    def raw_events(self, recording_id: str) -> Path:
        """What the detector found before the rules of the project left some of it out; absent where they leave out nothing."""
        return self.infer_dir(recording_id) / "raw_events.parquet"

    def kept_outputs(self, recording_id: str) -> Path:
        """What detectors that are programs wrote themselves."""
        return self.infer_dir(recording_id) / "outputs"

    def journal_dir(self, recording_id: str) -> Path:
        """Chunks that are analysed, of a recording that is not finished."""
        return self.output / "artifacts/journal" / recording_id

    @property
    def runs_dir(self) -> Path:
        """What each run of a detector was asked to do, and with which settings."""
        return self.output / "artifacts/runs"

    @property
    def failure_log(self) -> Path:
        """What failed, when, why, and what to do: one paragraph for each failed run, for people."""
        return self.output / "artifacts/failures.log"

    @property
    def telemetry_dir(self) -> Path:
        return self.output / "artifacts/telemetry/infer"

    @property
    def slurm_dir(self) -> Path:
        """Array jobs: their scripts, what their tasks report, and their logs."""
        return self.output / "artifacts/slurm"

    @property
    def aggregate_dir(self) -> Path:
        """Dataset-wide tables, and BADC's report files per recording."""
        return self.output / "artifacts/aggregate"

    def aggregate_table(self, name: str) -> Path:
        """A dataset-wide table: `recordings`, `effort`, `detections` or `chunk_quality`."""
        return self.aggregate_dir / "dataset" / f"{name}.parquet"

    def bundle_database(self, recording_id: str) -> Path:
        """The DuckDB file of one recording's report bundle."""
        return self.aggregate_dir / f"{recording_id}.duckdb"

    def bundle_record(self, recording_id: str) -> Path:
        """From which results, and with which settings, the report bundle of one recording was made."""
        return self.aggregate_dir / f".{recording_id}.bundle.json"

    @property
    def database(self) -> Path:
        return self.aggregate_dir / "badc.duckdb"

    @property
    def report_dir(self) -> Path:
        return self.output / "artifacts/report"

    @property
    def locks(self) -> Path:
        return self.output / "artifacts/locks"


class ManifestLayout(Layout):
    """Where the results of a chunk manifest go: a folder for each recording directly in `output`, as BADC has it.

    The tables have names of their own, so that in a dataset they never take the place of those of its assets. Nothing but the
    JSON of chunks is called `.json`: BADC takes whatever is for a chunk.
    """

    def infer_dir(self, recording_id: str) -> Path:
        return self.output / recording_id

    def result_status(self, recording_id: str) -> Path:
        return self.infer_dir(recording_id) / ".manifest_status"

    def detections(self, recording_id: str) -> Path:
        return self.infer_dir(recording_id) / f"{recording_id}.parquet"

    def effort(self, recording_id: str) -> Path:
        return self.infer_dir(recording_id) / f"{recording_id}_effort.parquet"

    def raw_events(self, recording_id: str) -> Path:
        return self.infer_dir(recording_id) / f"{recording_id}_raw_events.parquet"

    def kept_outputs(self, recording_id: str) -> Path:
        return self.output.with_name(f"{self.output.name}_outputs") / recording_id

    def journal_dir(self, recording_id: str) -> Path:
        return self.working / "journal" / recording_id

    def chunk_json(self, recording_id: str, chunk_id: str) -> Path:
        """BADC's detection JSON of a chunk."""
        return self.infer_dir(recording_id) / f"{chunk_id}.json"

    def failed_chunk(self, recording_id: str, chunk_id: str) -> Path:
        """Why a chunk could not be analysed. Not `.json`: BADC would count it as silence."""
        return self.infer_dir(recording_id) / f"{chunk_id}.failed"

    @property
    def locks(self) -> Path:
        return self.working / "locks"

    @property
    def working(self) -> Path:
        """What belongs to this computer and to runs under way."""
        return self.output / ".working"


OUTPUT_NAMES = ("artifacts", "manifests", "plans")
"""Folders directly below the output root that hold results; never scanned for sound."""
