"""Find a recording by what a person calls it."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.recordings.current import require_catalog
from badc_assets.recordings.facts import below_audio
from badc_assets.recordings.model import CatalogEntry


def find_recording(layout: Layout, name: str) -> CatalogEntry:
    """The recording with this id, or this path (absolute, or from the dataset, the audio folder or here), or this file stem.

    Raises BadcError when there is none, or several have the stem.
    """
    entries = require_catalog(layout).entries
    for entry in entries:
        if entry.recording_id == name:
            return entry
    here = Path(os.path.normpath(Path(name).absolute()))
    by_path = [e for e in entries if name in (e.audio_path, below_audio(layout, e.audio_path))]
    by_path = by_path or [e for e in entries if layout.source(e.audio_path) == here]
    found = by_path or [e for e in entries if e.alias == name]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(entry.recording_id for entry in found[:3])
        raise BadcError(name, f"is the name of {len(found)} recordings", f"use the id of one, such as {some}")
    close = difflib.get_close_matches(name, [entry.recording_id for entry in entries], n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise BadcError(name, f"is no recording of this dataset{hint}", "use an id from the catalogue, or a path")
