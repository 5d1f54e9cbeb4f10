"""`badc doctor` and `badc retry` as a user types them."""

from __future__ import annotations

import json

from badc_assets_tests.cli.same_process import SameProcess
from badc_assets_tests.cli.test_commands import Shell, home
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.sounds import noise, write_sound

__all__ = ["home"]


def states(output: str) -> dict[str, str]:
    return {one["name"]: one["state"] for one in json.loads(output)}


def test_the_doctor_sets_up_a_new_home_and_then_finds_nothing(home, tmp_path):
    make_dataset(tmp_path / "data", 1)
    shell = Shell(home, tmp_path / "data")
    room = {"BADC_AUTOMATION__LEAST_FREE_GB": "0"}
    status, output = shell("badc", "doctor", "--json", **room)
    assert status == 1
    assert states(output)["Dagster home"] == "problem"
    assert "pool limits" not in states(output)
    status, output = shell("badc", "doctor", "--json", "--fix", **room)
    assert status == 0, output
    assert states(output)["Dagster home"] == "fixed"
    status, output = shell("badc", "doctor", **room)
    assert status == 0, output
    assert "problem" not in output
    (home / "dagster.yaml").unlink()
    status, output = shell("badc", "doctor", **room)
    assert status == 1
    assert "there is no dagster.yaml" in output
    assert "Traceback" not in output


def test_retry_does_again_exactly_what_is_broken(home, tmp_path):
    dataset = make_dataset(tmp_path / "data", 3, bad=(1,))
    bad = dataset.recording_ids[1]
    shell = SameProcess(home, tmp_path / "data")
    assert shell("badc", "run")[0] == 1
    status, output = shell("badc", "retry", "--list")
    assert status == 0
    assert f"{bad}: quarantined: unreadable" in output
    assert "1 recordings are broken" in output
    assert json.loads(shell("badc", "retry", "--json")[1])[0]["recording_id"] == bad
    assert shell("badc", "retry")[0] == 1
    before = {one: dataset.layout.effort(one).stat().st_mtime_ns for one in dataset.recording_ids if one != bad}
    write_sound(dataset.layout.source(f"audio/{bad}.wav"), noise(5, seed=3))
    status, output = shell("badc", "retry", "--failed")
    assert status == 0, output
    assert "Nothing is broken" in output
    assert dataset.layout.detections(bad).is_file()
    newest = max(home.glob("data/dagster/logs/*_recordings.log"))
    for one, written in before.items():
        assert dataset.layout.effort(one).stat().st_mtime_ns == written
        assert one not in newest.read_text()
