"""What a scan of a dataset does not see: sound outside its audio folder, and subdatasets that are not installed."""

from __future__ import annotations

import os
from pathlib import Path

from badc_assets.errors import printable
from badc_assets.layout import OUTPUT_NAMES, Layout
from badc_assets.provenance.subdatasets import subdatasets
from badc_assets.recordings.walk import SOUND_SUFFIXES, audio_prefix


def problems_outside(layout: Layout) -> list[str]:
    """One line for each top-level folder beside the audio folder that holds a sound file, and one for files at the top.

    A folder of the dataset named `audio` makes the others invisible: that must not happen unnoticed.
    """
    if layout.audio == layout.dataset:
        return []
    advice = f'lies outside {layout.audio.relative_to(layout.dataset)} and is not scanned; set audio = "." to scan all'
    places = sorted(path for path in layout.dataset.iterdir() if not path.name.startswith("."))
    return [
        f"{printable(found.relative_to(layout.dataset).as_posix())}: {advice}"
        for place in places
        if not (place.name in OUTPUT_NAMES and layout.output == layout.dataset)
        and not layout.audio.is_relative_to(place)
        and (found := _first_sound(place)) is not None
    ]


def not_installed(layout: Layout) -> tuple[str, ...]:
    """The folders (`path/`) of subdatasets that may hold recordings and are not installed."""
    prefix = audio_prefix(layout)
    folders = [f"{found.path}/" for found in subdatasets(layout.dataset) if not found.is_installed]
    return tuple(folder for folder in folders if folder.startswith(prefix) or prefix.startswith(folder))


def not_installed_problems(folders: tuple[str, ...]) -> list[str]:
    """One line for each subdataset that is not installed."""
    advice = "this subdataset is not installed, so its recordings are not known; `datalad get -n` installs it"
    return [f"{printable(folder)}: {advice}" for folder in folders]


def _first_sound(place: Path) -> Path | None:
    if place.is_symlink():
        return None
    if not place.is_dir():
        return place if place.name.lower().endswith(SOUND_SUFFIXES) else None
    for folder, _, files in os.walk(place):
        for name in sorted(files):
            if name.lower().endswith(SOUND_SUFFIXES):
                return Path(folder) / name
    return None
