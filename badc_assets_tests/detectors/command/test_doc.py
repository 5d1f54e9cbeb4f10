"""The example for authors of programs does what its page says."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from badc_assets.detectors.command.detector import CommandDetector, CommandSettings
from badc_assets.detectors.command.output import CSV_OPTIONAL, CSV_REQUIRED, JSON_REQUIRED
from badc_assets.detectors.protocol import Clip
from badc_assets_tests.sounds import noise, with_tone, write_sound

PAGE = Path(__file__).resolve().parents[3] / "docs" / "detector-command.md"


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return found


def test_the_example_finds_a_tone(tmp_path: Path) -> None:
    table = tomllib.loads(block("toml"))
    command = table["detectors"][table["detector"]]["command"]
    script = tmp_path / "loud.py"
    script.write_text(block("python"), "utf-8")
    command = command.replace("/usr/bin/python3", sys.executable).replace("/home/me/loud.py", str(script))
    path = write_sound(tmp_path / "R.wav", with_tone(noise(3), 1.0, 1.2, 2000))
    clip = Clip(path, "R", "R_chunk_0_3000", 0, 3000, tmp_path / "kept")
    events = CommandDetector(CommandSettings.model_validate({"command": command})).detect(clip)
    assert [(event.start_ms, event.end_ms, event.label.code) for event in events] == [
        (1000, 1100, "LOUD"),
        (1100, 1200, "LOUD"),
    ]
    assert events[0].confidence == pytest.approx(0.3, abs=0.06)


def test_the_page_names_every_setting_and_field() -> None:
    page = PAGE.read_text("utf-8")
    for name in (*CommandSettings.model_fields, *CSV_REQUIRED, *CSV_OPTIONAL, *JSON_REQUIRED):
        assert name in page, name
