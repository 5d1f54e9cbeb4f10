"""The results of a batch of recordings as one commit of the dataset that they lie in."""

from __future__ import annotations

import glob
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from badc_assets.detections.run_record import RunRecord, read_run_record
from badc_assets.detections.store import status_path
from badc_assets.errors import BadcError
from badc_assets.files import exclusive
from badc_assets.layout import Layout
from badc_assets.provenance.history import last_commits
from badc_assets.provenance.saving import DatasetGateway, RunCommand, dataset_of, overlook, run_message
from badc_assets.recordings.current import require_catalog


@dataclass(frozen=True)
class SavedBatch:
    """`commit` is the new one, empty where everything was saved already; `commits` has for each recording of the batch with
    anything in the dataset the commit that last changed its results. `files` were committed; `records` are the runs that the
    commit can do again."""

    commit: str
    commits: dict[str, str]
    files: int
    records: tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """A dataset, and where in it the output folder is: empty, or a path that ends in `/`."""

    layout: Layout
    root: Path
    prefix: str

    @classmethod
    def of(cls, layout: Layout) -> _Place:
        root = dataset_of(layout.output)
        if root is None:
            raise BadcError(
                layout.output, "is not in a DataLad dataset", "make it one, or set provenance.save to false"
            )
        below = layout.output.relative_to(root).as_posix()
        return cls(layout, root, "" if below == "." else f"{below}/")

    def name(self, path: Path) -> str:
        """A path below the output folder as the dataset names it."""
        return self.prefix + path.relative_to(self.layout.output).as_posix()

    @property
    def folders(self) -> list[str]:
        """Where results of single recordings are, and the records of runs."""
        layout = self.layout
        places = (layout.infer_dir("x"), layout.chunk_dir("x"), layout.facts("x"), layout.manifest("x"))
        return [self.name(folder) for folder in (*(place.parent for place in places), layout.runs_dir)]

    def recording_of(self, name: str) -> str:
        """The recording that a changed file is about; empty for the record of a run."""
        folder = next(folder for folder in self.folders if name.startswith(f"{folder}/"))
        if folder == self.folders[-1]:
            return ""
        first = name.removeprefix(f"{folder}/").split("/")[0]
        return first if folder in self.folders[:2] else first.rpartition(".")[0]


def unsaved_recordings(layout: Layout, gateway: DatasetGateway) -> list[str]:
    """Recordings of which some result differs from what is committed, sorted."""
    place = _Place.of(layout)
    overlook(place.root, place.prefix)
    return sorted({place.recording_of(name) for name in gateway.changed(place.root, place.folders)} - {""})


def saved_commits(layout: Layout, recording_ids: Iterable[str], gateway: DatasetGateway) -> dict[str, str]:
    """The commit that last changed the results of each of these recordings; those with anything not saved are left out."""
    unsaved = set(unsaved_recordings(layout, gateway))
    return _commits(_Place.of(layout), [each for each in recording_ids if each not in unsaved])


def save_results(layout: Layout, recording_ids: Sequence[str], gateway: DatasetGateway) -> SavedBatch:
    """Commit all that differs of these recordings, once. Raises BadcError when git or DataLad refuse; results are kept then.

    Where runs were recorded since the last commit, it can be done again by `datalad rerun`.
    """
    place = _Place.of(layout)
    overlook(place.root, place.prefix)
    wanted = set(recording_ids)
    changed = gateway.changed(place.root, place.folders)
    mine = [name for name in changed if place.recording_of(name) in wanted]
    records = {
        name: record
        for name in changed
        if not place.recording_of(name)
        and (record := read_run_record(place.root / name)) is not None
        and wanted & set(record.recording_ids)
    }
    commit = ""
    if mine:
        saved = {place.recording_of(name) for name in mine}
        again = _again(place, records, saved)
        message = f"badc: results of {len(saved)} recording{'s' if len(saved) != 1 else ''}"
        if again is not None:
            message = run_message(place.root, message, again)
        with exclusive(layout.locks / "datalad.lock"):
            commit = gateway.save(place.root, [*mine, *records], message)
    return SavedBatch(
        commit, _commits(place, wanted), len(mine) + len(records), tuple(record.run_id for record in records.values())
    )


def _again(place: _Place, records: dict[str, RunRecord], saved: set[str]) -> RunCommand | None:
    if not records:
        return None
    layout = place.layout
    entries = require_catalog(layout).by_id()
    is_inside = layout.dataset.is_relative_to(place.root)
    inputs = [layout.source(entries[key].audio_path) for key in sorted(saved) if key in entries and is_inside]
    outputs = (
        place.name(path)
        for key in sorted(saved)
        for path in (layout.infer_dir(key), layout.chunk_dir(key), layout.facts(key), layout.manifest(key))
        if path.exists()
    )
    return RunCommand(
        command=f"badc batch --again {shlex.join(records)}",
        inputs=tuple(_literal(path.relative_to(place.root).as_posix()) for path in inputs),
        outputs=tuple(outputs),
    )


def _literal(path: str) -> str:
    """A path for a run record, where brackets are patterns and braces are placeholders."""
    return glob.escape(path).replace("{", "{{").replace("}", "}}")


def _commits(place: _Place, recording_ids: Iterable[str]) -> dict[str, str]:
    """By the status of the results, else that of the chunks: one of them changes whenever anything does."""
    layout = place.layout
    files: dict[str, str] = {}
    for recording_id in recording_ids:
        for path in (status_path(layout, recording_id), layout.chunk_status(recording_id)):
            if path.exists():
                files[place.name(path)] = recording_id
                break
    found = last_commits(place.root, f"{place.prefix}artifacts", files.keys())
    return {files[name]: commit for name, commit in found.items()}
