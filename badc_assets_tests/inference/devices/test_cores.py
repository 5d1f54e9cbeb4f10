"""How many cores a limited process may use."""

from __future__ import annotations

import os

import pytest

from badc_assets.inference.devices.cores import usable_cores

ALL = len(os.sched_getaffinity(0))


def put(root, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_without_control_groups_the_mask_counts(tmp_path):
    assert usable_cores(tmp_path) == ALL


def test_the_mask_of_the_scheduler_counts(tmp_path):
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert usable_cores(tmp_path) == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max 100000", ALL),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("99900000 100000", ALL),
        ("0 100000", ALL),
        ("nonsense", ALL),
    ],
)
def test_version_2_limits_on_the_group_and_those_around_it(tmp_path, limit, expected):
    put(tmp_path, {"proc/self/cgroup": "0::/jobs/7\n", "sys/fs/cgroup/jobs/cpu.max": limit + "\n"})
    assert usable_cores(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("100000", 1), ("-1", ALL)])
@pytest.mark.parametrize("place", ["cpu", "cpu,cpuacct", "cpu,cpuacct/jobs"])
def test_version_1_limits(tmp_path, quota, expected, place):
    group = f"sys/fs/cgroup/{place}"
    files = {"cpu.cfs_quota_us": quota + "\n", "cpu.cfs_period_us": "100000\n"}
    put(tmp_path, {f"{group}/{name}": text for name, text in files.items()})
    put(tmp_path, {"proc/self/cgroup": "4:memory:/x\n2:cpuacct,cpu:/jobs\n"})
    assert usable_cores(tmp_path) == expected
