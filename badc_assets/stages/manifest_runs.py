"""A detector over chunk manifests, whoever made them: BADC's `infer run`, with the engine of the assets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from badc_assets.chunks.located import ManifestRecording, manifest_recordings, root_above
from badc_assets.chunks.manifest import BADC_COLUMNS
from badc_assets.errors import BadcError
from badc_assets.files import write_text
from badc_assets.inference.engine import Engine
from badc_assets.inference.manifests import ManifestOpening
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.inference.resume import resume_from_summary
from badc_assets.inference.telemetry.run_log import TelemetryRunLog
from badc_assets.layout import ManifestLayout
from badc_assets.project import Project
from badc_assets.provenance.run_line import datalad_run_line
from badc_assets.recordings.current import require_catalog
from badc_assets.recordings.place_time import load_declared, resolve
from badc_assets.reports.manifest_json import write_manifest_json
from badc_assets.stages.detector_choice import DetectorChoice

INFER_DIR = Path("artifacts/infer")


@dataclass(frozen=True)
class ManifestOutcome:
    """What became of a recording. `folder` has its JSON and tables; `failed` says of chunks why they have no results."""

    outcome: DetectionOutcome
    folder: Path
    chunks: int
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def recording_id(self) -> str:
        return self.outcome.recording_id

    @property
    def is_complete(self) -> bool:
        return self.outcome.is_complete


@dataclass(frozen=True)
class ManifestRun:
    """Manifests to run a detector over. `base` is where relative paths count from, `output` None BADC's place:
    `artifacts/infer` of the dataset that the sound is in, else of `base`."""

    project: Project
    manifests: Sequence[Path]
    base: Path
    output: Path | None = None
    log: Path | None = None
    resume: Path | None = None

    def recordings(self) -> list[ManifestRecording]:
        """Raises BadcError when a manifest cannot be understood."""
        return manifest_recordings(self.manifests, self.base)

    def layout(self, recording: ManifestRecording) -> ManifestLayout:
        root = recording.root or self.base.absolute()
        output = root / INFER_DIR if self.output is None else self.base.absolute() / self.output
        return ManifestLayout(root, root, output)

    def log_path(self, now: datetime) -> Path:
        """BADC's place for the telemetry: of the dataset of the first manifest, else below `data` of `base`."""
        if self.log is not None:
            return self.base / self.log
        root = root_above(self.manifests[0])
        folder = root / "artifacts/telemetry/infer" if root else self.base / "data/telemetry/infer"
        return folder / f"{self.manifests[0].stem}_{now:%Y%m%dT%H%M%SZ}.jsonl"

    def outcomes(self, say: Callable[[str], None]) -> Iterator[ManifestOutcome]:
        """Run it: each recording's outcome when its files are there. One recording's trouble never stops the others.

        Raises BadcError when a manifest or the summary cannot be understood, nothing can be written, or the detector cannot be
        used.
        """
        log = self.log_path(datetime.now(UTC))
        by_layout: dict[ManifestLayout, list[ManifestRecording]] = {}
        for recording in self.recordings():
            by_layout.setdefault(self.layout(recording), []).append(recording)
        starts = self._starts([each for group in by_layout.values() for each in group])
        for layout, group in by_layout.items():
            opening = ManifestOpening(layout, {each.recording_id: each for each in group}, starts)
            yield from self._run(opening, log, say)

    def _run(self, opening: ManifestOpening, log: Path, say: Callable[[str], None]) -> Iterator[ManifestOutcome]:
        write_text(opening.layout.working / ".gitignore", "*\n")
        if self.resume is not None:
            self._take_over(opening, self.resume, say)
        engine = self._engine(opening, log, say)
        for outcome in engine.run(opening.recordings):
            recording = opening.recordings[outcome.recording_id]
            failed = {}
            if outcome.result is not None:
                failed = write_manifest_json(opening.layout, recording)
            folder = opening.layout.infer_dir(outcome.recording_id)
            yield ManifestOutcome(outcome, folder, len(recording.chunks), failed)

    def _engine(self, opening: ManifestOpening, log: Path, say: Callable[[str], None]) -> Engine:
        project, layout = self.project, opening.layout

        def output_of(recording_id: str, chunk_id: str) -> str:
            return str(layout.chunk_json(recording_id, chunk_id))

        return Engine(
            layout,
            project.make_detector(),
            project.chunking,
            project.inference,
            _now,
            _now().strftime("badc-%Y%m%dT%H%M%SZ"),
            project.detections,
            log=TelemetryRunLog(log, project.detector, layout, output_of=output_of, say=say),
            say=say,
            opening=opening,
        )

    def _take_over(self, opening: ManifestOpening, summary: Path, say: Callable[[str], None]) -> None:
        wanted, path = self.project.wanted_results, self.base / summary
        say(str(resume_from_summary(opening.layout, opening.recordings, wanted, path, opening)))

    def _starts(self, recordings: Sequence[ManifestRecording]) -> dict[str, str]:
        """What the names of recordings say of their start: recognisers may want the date."""
        settings = self.project.recordings
        declared = load_declared(settings)
        found: dict[str, str] = {}
        for recording in recordings:
            reading = declared.templates.read(f"{recording.recording_id}.wav")
            start = resolve((), reading, declared, settings).place.start_local
            if start is not None:
                found[recording.recording_id] = start
        return found


def divided(run: ManifestRun) -> tuple[list[str], ManifestRun | None]:
    """The recordings of the project's dataset that the manifests are of, and a run over the manifests that come from elsewhere.

    With an output folder of its own all of them do. A manifest in the dataset's own place is from elsewhere when the catalogue
    does not know its recording, or BADC wrote it. Raises BadcError when a manifest is not there, and none could be expected.
    """
    own: list[str] = []
    others: list[Path] = []
    for manifest in run.manifests:
        path = Path(os.path.normpath(run.base.absolute() / manifest))
        is_own = (
            run.output is None and path == run.project.layout.manifest(path.stem) and _knows(run.project, path.stem)
        )
        if is_own and not (path.is_file() and _is_badcs(path)):
            own.append(path.stem)
        elif path.is_file():
            others.append(path)
        else:
            raise BadcError(manifest, "there is no chunk manifest", "correct its path, or chunk the recording")
    return own, replace(run, manifests=others) if others else None


def datalad_lines(run: ManifestRun, choice: DetectorChoice) -> list[str]:
    """For each manifest the `datalad run` command that analyses it and records that. Raises BadcError outside of a dataset."""
    return [
        _datalad_line(run, Path(os.path.normpath(run.base.absolute() / manifest)), choice) for manifest in run.manifests
    ]


def _datalad_line(run: ManifestRun, manifest: Path, choice: DetectorChoice) -> str:
    root, base = root_above(manifest), run.base.absolute()
    if root is None:
        raise BadcError(manifest, "is in no DataLad dataset", "leave --print-datalad-run out, or `datalad create` one")
    target = _from(root, root / INFER_DIR if run.output is None else base / run.output)
    words = ["badc", "infer", "run", _from(root, manifest), *choice.words(), "--output-dir", target]
    for option, path in (("--telemetry-log", run.log), ("--resume-summary", run.resume)):
        words += [] if path is None else [option, _from(root, base / path)]
    inputs = [_from(root, manifest), *_sound_of(manifest, root, base)]
    return datalad_run_line(root, f"Infer {manifest.stem}", inputs, [target, "artifacts/telemetry"], words)


def _sound_of(manifest: Path, root: Path, base: Path) -> list[str]:
    """The folders with the sound of a manifest, as far as they are in the dataset."""
    files = [file for recording in manifest_recordings([manifest], base) for file in recording.files.values()]
    many = len(set(files)) > 1
    places = dict.fromkeys(file.parent if many else file for file in files if file.is_relative_to(root))
    return [_from(root, place) for place in places]


def _from(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _knows(project: Project, recording_id: str) -> bool:
    return project.layout.catalog.is_file() and recording_id in require_catalog(project.layout).by_id()


def _is_badcs(manifest: Path) -> bool:
    """Whether a manifest has BADC's columns and no others."""
    with manifest.open("rb") as file:
        header = file.readline().decode("utf-8", "replace")
    names = {name.strip().strip('"') for name in header.lstrip("\ufeff").split(",")}
    return set(BADC_COLUMNS[:7]) <= names <= set(BADC_COLUMNS)


def _now() -> datetime:
    return datetime.now(UTC)
