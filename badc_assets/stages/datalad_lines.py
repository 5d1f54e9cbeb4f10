"""The `datalad run` commands that would do the stages of each recording and record them."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from badc_assets.errors import BadcError
from badc_assets.project import Project
from badc_assets.provenance.run_line import datalad_run_line
from badc_assets.recordings.model import CatalogEntry
from badc_assets.stages.detector_choice import DetectorChoice


def chunk_lines(project: Project, entries: Sequence[CatalogEntry], *, write_chunks: bool) -> list[str]:
    """A line for each recording that is to be chunked. Raises BadcError when the dataset is no DataLad dataset."""
    root, layout = _root(project), project.layout
    chunking = project.chunking
    options = ["--chunk-duration", f"{chunking.length_s:g}", "--overlap", f"{chunking.overlap_s:g}"]
    options += ["--write-chunks"] if write_chunks else []
    lines = []
    for entry in entries:
        outputs = [layout.manifest(entry.recording_id), layout.chunk_dir(entry.recording_id)]
        words = _again("chunk", entry, options)
        lines.append(
            datalad_run_line(
                root, f"Chunk {entry.recording_id}", [entry.audio_path], [_from(root, path) for path in outputs], words
            )
        )
    return lines


def infer_lines(project: Project, entries: Sequence[CatalogEntry], choice: DetectorChoice) -> list[str]:
    """A line for each recording that is to be analysed. Raises BadcError when the dataset is no DataLad dataset."""
    root, layout = _root(project), project.layout
    lines = []
    for entry in entries:
        inputs = [_from(root, layout.manifest(entry.recording_id)), entry.audio_path]
        outputs = [_from(root, layout.infer_dir(entry.recording_id))]
        words = _again("infer", entry, choice.words())
        lines.append(datalad_run_line(root, f"Infer {entry.recording_id}", inputs, outputs, words))
    return lines


def _again(stage: str, entry: CatalogEntry, options: Sequence[str]) -> list[str]:
    """The command for one recording, given in the root of the dataset. DataLad makes the commit, so the command must not."""
    pattern = glob.escape(PurePosixPath(entry.audio_path).name)
    return ["badc", stage, "orchestrate", ".", "--pattern", pattern, *options, "--apply", "--no-record-datalad"]


def _root(project: Project) -> Path:
    root = project.layout.dataset
    if not (root / ".datalad").exists():
        raise BadcError(
            root, "is no DataLad dataset", "leave --print-datalad-run out, or `datalad create --force` there"
        )
    return root


def _from(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
