"""The compressed month at its shortest: what is added, changed and killed leaves no trace in the end."""

from __future__ import annotations

from pathlib import Path

from badc_assets_tests.month import Month


def test_a_killed_run_and_a_killed_daemon_lose_and_repeat_nothing(tmp_path: Path):
    month = Month(tmp_path, seed=1, annexed=True)
    assert month.lived(minutes=0) == []
    assert month.done == {"add": 1, "kill_run": 1, "change": 1, "kill_daemon": 1}
