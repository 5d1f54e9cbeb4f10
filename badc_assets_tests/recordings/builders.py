"""Datasets for tests: a folder of small recordings, and its layout."""

from __future__ import annotations

import os
from pathlib import Path

from badc_assets.layout import Layout
from badc_assets_tests.audio.builders import write_sound


def layout_of(dataset: Path, audio: str = "audio") -> Layout:
    (dataset / audio).mkdir(parents=True, exist_ok=True)
    return Layout(dataset=dataset, audio=dataset / audio, output=dataset)


def add_sound(layout: Layout, name: str, frames: int = 1600, content: bytes | None = None) -> Path:
    """A recording below the audio root: real sound of that many frames, or any bytes."""
    path = layout.audio / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        return write_sound(path, frames, format={"wa": "WAV", "fl": "FLAC", "mp": "MP3"}[path.suffix[1:3].lower()])
    path.write_bytes(content)
    return path


def set_time(path: Path, seconds: int) -> None:
    os.utime(path, (seconds, seconds))
