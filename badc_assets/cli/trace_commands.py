"""`badc trace`: where the detections of a recording came from."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from badc_assets.reports.trace import RecordingTrace


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command()(trace)


def trace(
    recording: Annotated[str, typer.Argument(help="Id, path or file name (without suffix) of a recording.")],
    at: Annotated[int | None, typer.Option(help="Only what was found at this moment, in ms from the start.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")] = False,
) -> None:
    """Say of every detection where it came from: sound and commit, chunk, detector, weights, settings, run, time, device."""
    from badc_assets.project import load_project
    from badc_assets.recordings.lookup import find_recording
    from badc_assets.reports.trace import trace_recording

    layout = load_project().layout
    found = trace_recording(layout, find_recording(layout, recording), at)
    if as_json:
        print(json.dumps(asdict(found), indent=2))
    else:
        _show(found, Console())


def _show(found: RecordingTrace, console: Console) -> None:
    for name, value in _origin(found).items():
        console.print(f"{name:<12} {value}", markup=False, highlight=False, soft_wrap=True)
    if not found.detections:
        for chunk in found.chunks:
            how = chunk.error or chunk.status
            console.print(f"no detection in {chunk.chunk_id} ({how}, on {chunk.device or 'unknown'})", soft_wrap=True)
        return
    table = Table("from ms", "to ms", "label", "confidence", "chunk", "chunk sha256", "device", "run")
    for each in found.detections:
        table.add_row(
            str(each.start_ms),
            str(each.end_ms),
            escape(each.label_name or each.label),
            f"{each.confidence:.3f}",
            f"{each.chunk.start_ms}-{each.chunk.end_ms}",
            each.chunk.sha256[:12],
            " ".join(word for word in (each.chunk.device, each.chunk.precision) if word),
            each.run_id[:12],
        )
    console.print(table)


def _origin(found: RecordingTrace) -> dict[str, Any]:
    """What all detections have in common, in lines."""
    detectors = {(d.detector, d.model_version, d.weights_sha256, d.settings_hash) for d in found.detections}
    shown = [
        f"{name} {version}, weights {weights or 'none'}, settings {settings}"
        for name, version, weights, settings in sorted(detectors)
    ]
    run = found.run
    state = "" if found.is_current else " (of an earlier state of the recording or its chunks)"
    return {
        "recording": found.recording_id,
        "audio": found.audio.path,
        "key": found.audio.content_key,
        "sha256": found.audio.sha256 or "unknown: the sound is not here",
        "commits": f"audio {found.audio.commit or 'none'}, results {found.commit or 'not saved'}",
        "analysed": found.analysed_at + state,
        **({"detector": "; ".join(shown)} if shown else {}),
        "settings": json.dumps(found.settings) if found.settings is not None else "the run's record does not say",
        "rules": json.dumps(found.rules) if found.rules is not None else f"digest {found.rules_digest}",
        "run": f"{run.run_id} on {run.host}, badc {run.versions.get('badc-assets', '?')}, dataset commit "
        f"{run.dataset_commit or 'none'}"
        if run
        else "its record is gone",
    }
