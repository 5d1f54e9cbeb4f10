"""The stages one after the other, over the same functions as the assets, without Dagster.

Each goes on after a recording that fails, says which did and why, and finds what was done already.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from badc_assets.chunks.chunking import ChunkOutcome, chunk_recordings
from badc_assets.chunks.gate import chunking_problems
from badc_assets.chunks.wav_copies import WavCopies, has_wav_copies, write_wav_copies
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.inference.outstanding import has_results
from badc_assets.inference.recorded import recorded
from badc_assets.inference.resume import resume_from_summary
from badc_assets.project import Project
from badc_assets.project_record import run_record
from badc_assets.provenance.saving import DataladGateway
from badc_assets.recordings.current import examine_recordings, require_catalog, update_catalog
from badc_assets.recordings.model import CatalogEntry
from badc_assets.reports.bundles import write_bundles
from badc_assets.reports.rollup import roll_up, write_rollup
from badc_assets.upkeep.again import forget_results
from badc_assets.upkeep.saved import save_results


@dataclass(frozen=True)
class Choice:
    """Which recordings: those whose file name matches `pattern` (whatever its case), and at most `limit` (0: all) of those that
    are left to do; all of them with `include_existing`."""

    pattern: str = "*"
    include_existing: bool = False
    limit: int = 0

    def matching(self, entries: Sequence[CatalogEntry]) -> list[CatalogEntry]:
        pattern = self.pattern.lower()
        return [
            entry
            for entry in entries
            if entry.state != "vanished" and fnmatch.fnmatchcase(PurePosixPath(entry.audio_path).name.lower(), pattern)
        ]

    def limited(self, entries: list[CatalogEntry]) -> list[CatalogEntry]:
        return entries[: self.limit or None]


def to_chunk(project: Project, choice: Choice) -> list[CatalogEntry]:
    """Look for recordings; those whose chunking does not count as completed."""
    catalog, _ = update_catalog(project.layout, project.recordings.readers)
    entries = choice.matching(catalog.entries)
    list(examine_recordings(project.layout, [entry.recording_id for entry in entries], project.recordings))
    if not choice.include_existing:
        open_ids = chunking_problems(project.layout, [entry.recording_id for entry in entries], project.chunking)
        entries = [entry for entry in entries if entry.recording_id in open_ids]
    return choice.limited(entries)


def to_cut(project: Project, choice: Choice, among: Sequence[CatalogEntry]) -> list[CatalogEntry]:
    """These recordings, and those that are chunked already but have no WAV files, or no present ones."""
    layout, wanted = project.layout, {entry.recording_id for entry in among}
    matching = choice.matching(require_catalog(layout).entries)
    return choice.limited(
        [
            entry
            for entry in matching
            if entry.recording_id in wanted or not has_wav_copies(layout, entry.recording_id, project.chunking)
        ]
    )


def to_analyse(project: Project, choice: Choice, among: Sequence[CatalogEntry]) -> list[CatalogEntry]:
    """Of these recordings those without results of the chosen detector and settings."""
    entries = choice.matching(among)
    if not choice.include_existing:
        wanted = project.wanted_results
        entries = [entry for entry in entries if not has_results(project.layout, entry.recording_id, wanted)]
    return choice.limited(entries)


def chunked(
    project: Project, recording_ids: Sequence[str], *, again: bool = False, workers: int = 1
) -> Iterator[ChunkOutcome]:
    """Chunk them, so many at a time; with `again` also those that are done, results with them."""
    if again:
        forget_results(project.layout, recording_ids)
    return chunk_recordings(project.layout, recording_ids, project.chunking, _now, workers)


def cut_to_files(project: Project, recording_ids: Sequence[str], workers: int = 1) -> Iterator[WavCopies]:
    """Their chunks as WAV files, for programs that want files."""
    return write_wav_copies(project.layout, recording_ids, project.chunking, workers)


def analysed(
    project: Project, recording_ids: Sequence[str], run_id: str, say: Callable[[str], None], log: Path | None = None
) -> Iterator[DetectionOutcome]:
    """Analyse them, with a record of the run."""
    engine = project.make_engine(_now, run_id, say=say, log=log)
    return recorded(project.layout, run_record(project, run_id, _now, recording_ids), engine.run(recording_ids))


def taken_over(project: Project, recording_ids: Sequence[str], summary: Path) -> str:
    """Take over what a summary says is done; returns what came of it, in words."""
    return str(resume_from_summary(project.layout, recording_ids, project.wanted_results, summary))


def bundled(project: Project, recording_ids: Sequence[str]) -> dict[str, str]:
    """Write their report bundles; returns recording -> why there is none."""
    outcomes = write_bundles(project.layout, recording_ids, project.report)
    return {outcome.recording_id: outcome.reason for outcome in outcomes if outcome.bundle is None}


def rolled_up(project: Project, recording_ids: Sequence[str], folder: Path | None, limit: int | None) -> list[Path]:
    """Totals over the bundles of these recordings that are there, in `aggregate_summary` unless another folder is named. One in
    which nothing was found counts 0."""
    tables = {each: project.layout.aggregate_dir / f"{each}.parquet" for each in recording_ids}
    there = {recording_id: path for recording_id, path in tables.items() if path.is_file()}
    found = roll_up(list(there.values()))
    empty = sorted(there.keys() - {row[0] for row in found.recordings})
    found = replace(found, recordings=[*found.recordings, *((recording_id, 0, None) for recording_id in empty)])
    return write_rollup(folder or project.layout.aggregate_dir / "aggregate_summary", found, limit)


def saved(project: Project, recording_ids: Sequence[str]) -> str:
    """One commit of what was made of them where the dataset is a DataLad dataset; its id, or empty."""
    return save_results(project.layout, recording_ids, DataladGateway()).commit if project.saves_results else ""


def new_run_id() -> str:
    return _now().strftime("badc-%Y%m%dT%H%M%SZ")


def _now() -> datetime:
    return datetime.now(UTC)
