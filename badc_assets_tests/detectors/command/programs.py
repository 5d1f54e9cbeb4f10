"""Small programs for tests of the command detector, and clips to give them."""

from __future__ import annotations

import sys
from pathlib import Path

from badc_assets.detectors.protocol import Clip
from badc_assets_tests.sounds import RATE_HZ, noise, write_sound

CLIP_MS = 2000
HEAD = """
import json, os, sys, time
output = sys.argv[sys.argv.index("--output") + 1] if "--output" in sys.argv else ""
def found(*items):
    return json.dumps({"detections": [
        {"timestamp_ms": 100, "end_ms": 900, "label_code": code, "label_name": None, "confidence": 0.5} for code in items]})
def write(text):
    with open(output, "w") as handle:
        handle.write(text)
"""


def program(folder: Path, body: str, *, name: str = "program.py") -> tuple[str, ...]:
    """A Python program as words of a command. It has `output`, `found(label...)` and `write(text)`."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / name
    script.write_text(HEAD + body, "utf-8")
    return (sys.executable, "-IS", str(script))


def clip(folder: Path, *, chunk_id: str = "R_chunk_0_2000") -> Clip:
    """Two seconds of noise in `folder`."""
    path = write_sound(folder / "sound" / "R.wav", noise(CLIP_MS / 1000), rate_hz=RATE_HZ)
    return Clip(path, "R", chunk_id, 4000, CLIP_MS, folder / "kept")
