"""An environment with the stand-in for HawkEars 2, a root for it, and clips for both generations."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from badc_assets.audio.probe import probe
from badc_assets.detectors.hawkears.settings import HawkEarsSettings
from badc_assets.detectors.protocol import Clip, Label
from badc_assets_tests.sounds import write_sound

FAKE = Path(__file__).with_name("stand_in")
VERSIONS = {"hawkears": "2.3.0", "britekit": "1.8.4", "torch": "2.11.0"}
CLASSES = [
    ["Ovenbird", "OVEN", "Seiurus aurocapilla", "ovenbi1"],
    ["White-throated Sparrow", "WTSP", "Zonotrichia albicollis", "whtspa"],
    ["Chorus of something", None, None, None],
]
RATE_HZ = 32_000


def make_environment(folder: Path, versions: dict[str, str] | None = None) -> Path:
    """An environment that holds the stand-in and nothing else; returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(folder.glob("lib/python3*/site-packages"))
    for name in ("hawkears", "britekit"):
        shutil.copytree(FAKE / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, version in {**VERSIONS, **(versions or {})}.items():
        metadata = packages / f"{name}-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder / "bin/python"


def make_root(folder: Path, models: int = 1, low_band: int = 0) -> Path:
    """A data root with checkpoints of the stand-in, all different."""
    for name, count in (("ckpt", models), ("ckpt-low-band", low_band)):
        (folder / "data" / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            file = folder / "data" / name / f"model-{number}.ckpt"
            file.write_text(json.dumps({"classes": CLASSES, "number": number, "kind": name}))
    (folder / "data/exclude.txt").write_text("Noise\n")
    return folder


def calls(root: Path) -> list[dict]:
    """What `analyze` was called with, except for the trial recording of each process."""
    lines = (root / "calls.jsonl").read_text().splitlines()
    noted = [json.loads(line) for line in lines]
    return [call for call in noted if "TRIAL" not in call["input_path"]]


def sound(seconds: float, *loud: tuple[float, float], level: float = 0.9, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Faint noise with loud stretches (start and end in seconds); float32, mono. Never flat."""
    samples = 0.01 * np.sign(np.sin(np.arange(round(seconds * rate_hz)))).astype(np.float32)
    for start_s, end_s in loud:
        samples[round(start_s * rate_hz) : round(end_s * rate_hz)] *= level / 0.01
    return samples


def clip_of(path: Path, keep_in: Path | None = None, **values) -> Clip:
    """A clip of a sound file; its duration is that of the file, unless it is given."""
    duration_ms = values.pop("duration_ms", None) or probe(path).duration_ms
    return Clip(path, path.stem, values.pop("chunk_id", ""), 0, duration_ms, keep_in or path.parent / "kept", **values)


def recording(folder: Path, name: str, seconds: float = 6, *loud: tuple[float, float]) -> Clip:
    """A clip that holds a loud second, unless it is said which parts are loud."""
    path = write_sound(folder / f"{name}.wav", sound(seconds, *(loud or ((1.0, 2.0),))), rate_hz=RATE_HZ)
    return clip_of(path)


OVEN, WTSP = Label("OVEN", "Ovenbird"), Label("WTSP", "White-throated Sparrow")


def settings_of(python: Path, root: Path, **values) -> HawkEarsSettings:
    """Settings that name the stand-in."""
    return HawkEarsSettings.model_validate({"python": python, "root": root, **values})


def spans(events, label: Label = OVEN) -> list[tuple[int, int]]:
    """The times of the events with this label."""
    return [(event.start_ms, event.end_ms) for event in events if event.label == label]
