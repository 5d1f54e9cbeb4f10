"""What the doctor finds wrong with a cluster."""

from __future__ import annotations

import pytest

from badc_assets.layout import Layout
from badc_assets.slurm.gateway import SlurmSilent
from badc_assets.slurm.health import cluster_examinations
from badc_assets.slurm.submission import new_submission
from badc_assets.upkeep.examination import examine
from badc_assets_tests.slurm.fake_slurm import FakeSlurm


def problems(folder, text: str, slurm: FakeSlurm) -> list[str]:
    (folder / "p.toml").write_text(text)
    diagnoses = examine(cluster_examinations(folder / "p.toml", Layout(folder, folder, folder), slurm), fix=False)
    return [ailment.problem for diagnosis in diagnoses for ailment in diagnosis.ailments]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[gpu]\npartition = "gpu"', []),
        ('[gpu]\npartition = "gpu,old"', ["partition old is down"]),
        ('[cpu]\npartition = "cpu"', ["there is no partition cpu"]),
        ("", []),
    ],
)
def test_partitions(tmp_path, text, expected):
    assert problems(tmp_path, text, FakeSlurm()) == expected


def test_a_wrong_profile_and_a_silent_slurm(tmp_path):
    (wrong,) = problems(tmp_path, "acount = 1", FakeSlurm())
    assert wrong.endswith("p.toml: unknown setting 'acount'")

    class Silent(FakeSlurm):
        def partitions(self):
            raise SlurmSilent("timed out")

    assert problems(tmp_path, "", Silent()) == ["SLURM gives no answer: timed out"]


def test_what_is_left_behind_is_found_and_cancelled(tmp_path):
    layout, slurm = Layout(tmp_path, tmp_path, tmp_path), FakeSlurm()
    left = new_submission(layout, "dead")
    left.folder.mkdir(parents=True)
    (tmp_path / "p.toml").write_text("")
    _, tasks = examine(cluster_examinations(tmp_path / "p.toml", layout, slurm), fix=True)
    assert tasks.state == "fixed"
    assert slurm.cancelled == [left.name]
