"""The array script, run by bash as SLURM would run it, with a stand-in for sbatch."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from badc_assets.errors import BadcError
from badc_assets.slurm.array_script import ArrayJob, SlurmOptions, array_script

SBATCH = """#!/usr/bin/env bash
printf '%s\\n' "$@" >> "$SAID"; echo -- >> "$SAID"
echo 4711
"""
SHOW = """#!/usr/bin/env bash
printf '%s\\n' "$PWD" "${BADC_OUTPUT:-}" "$@"
"""
HARD = 'manifests/it\'s a "$HOME" `x`,*.csv'


class Cluster:
    """A folder with programs that say how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin, self.said = folder / "da ta's", folder / "bin", folder / "said"
        self.folder.mkdir()
        self.bin.mkdir()
        for name, text in (("sbatch", SBATCH), ("show", SHOW)):
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)

    def run(self, job: ArrayJob, **environment: str) -> subprocess.CompletedProcess[str]:
        script = self.bin.parent / "script.sh"
        script.write_text(array_script(job))
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "BADC"))}
        return subprocess.run(
            ["bash", "script.sh"],
            cwd=script.parent,
            env={**clean, "PATH": path, "SAID": str(self.said), **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_each_task_gets_its_share_whatever_the_names(cluster: Cluster):
    names = ["manifests/a.csv", HARD, "manifests/c.csv", "manifests/d.csv", "manifests/e.csv"]
    job = ArrayJob(cluster.folder, names, ["show", "infer run", "$x"], environment={"BADC_OUTPUT": "/o u't"},
                   options=SlurmOptions(max_array=3, throttle=2))  # fmt: skip
    assert (job.per_task, job.tasks) == (2, 3)
    assert "#SBATCH --array=1-3%2\n#SBATCH --requeue\n" in array_script(job)
    found: list[str] = []
    for task in range(1, job.tasks + 1):
        done = cluster.run(job, SLURM_ARRAY_TASK_ID=str(task))
        assert done.returncode == 0, done.stderr
        _, folder, output, first, second, *mine = done.stdout.splitlines()
        assert (folder, output, first, second) == (str(cluster.folder), "/o u't", "infer run", "$x")
        found += mine
    assert found == names
    assert not cluster.said.exists()


def test_it_submits_itself_and_what_comes_after(cluster: Cluster):
    job = ArrayJob(cluster.folder, ["m.csv"], ["show"], after=["show", "it's", "$HOME"],
                   options=SlurmOptions(job_name="j", account="st-x", log_dir="lo gs"))  # fmt: skip
    done = cluster.run(job)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["array job 4711", "results: job 4711"]
    first, second, _ = cluster.said.read_text().split("--\n")
    assert first.splitlines() == ["--parsable", "--output=lo gs/%x-%A_%a.out", str(cluster.bin.parent / "script.sh")]
    *options, wrap = second.splitlines()
    assert options == [
        "--parsable", "--job-name=j-after", "--account=st-x", "--dependency=afterany:4711", "--output=lo gs/%x-%j.out",
    ]  # fmt: skip
    shown = subprocess.run(
        ["bash", "-c", wrap.removeprefix("--wrap=")], env={**os.environ, "PATH": f"{cluster.bin}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.splitlines()[0] == str(cluster.folder)
    assert shown.stdout.splitlines()[2:] == ["it's", "$HOME"]
    assert (cluster.folder / "lo gs").is_dir(), "made where the job runs, not where the script was started"


def test_a_task_that_fails_says_so(cluster: Cluster):
    assert cluster.run(ArrayJob(cluster.folder, ["m.csv"], ["false"]), SLURM_ARRAY_TASK_ID="1").returncode == 1


@pytest.mark.parametrize(
    ("recordings", "expected"), [(1, (1, 1)), (1000, (1, 1000)), (1001, (2, 501)), (570_000, (570, 1000))]
)
def test_arrays_stay_below_the_limit_of_the_cluster(recordings, expected):
    job = ArrayJob(Path(), ["m.csv"] * recordings, ["show"])
    assert (job.per_task, job.tasks) == expected


def test_what_is_wrong_is_one_line():
    with pytest.raises(BadcError, match="no tasks"):
        array_script(ArrayJob(Path(), [], ["show"]))
    with pytest.raises(BadcError, match="holds a blank"):
        array_script(ArrayJob(Path(), ["m"], ["show"], options=SlurmOptions(account="a --wrap=x")))
