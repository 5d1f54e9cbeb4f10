"""How many CPU cores this process may really use: a job on a cluster or a container has fewer than the machine."""

from __future__ import annotations

import math
import os
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Cores by the scheduler's mask and the control group's quota (versions 1 and 2), at least 1.

    `root` is where /proc and /sys are looked for.
    """
    quotas = [len(os.sched_getaffinity(0)), *_quotas(root)]
    return max(1, math.floor(min(quotas)))


def _quotas(root: Path) -> list[float]:
    """Every limit, in cores, on the groups of this process and on those around them."""
    groups = root / "sys/fs/cgroup"
    quotas: list[float] = []
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "-", "")
        inside = Path(path.lstrip("/"))
        if controllers == "":
            quotas += [quota for place in (inside, *inside.parents) if (quota := _version_2(groups / place))]
        elif "cpu" in controllers.split(","):
            for mount in (groups / "cpu", groups / "cpu,cpuacct"):
                # In a container the group's own path is not below the mount: its limits lie at the top.
                quotas += [quota for place in (inside, *inside.parents) if (quota := _version_1(mount / place))]
    return quotas


def _version_2(group: Path) -> float | None:
    words = " ".join(_lines(group / "cpu.max")).split()
    return _ratio(*words) if len(words) == 2 else None


def _version_1(group: Path) -> float | None:
    quota, period = (_lines(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    return _ratio(quota[0], period[0]) if quota and period else None


def _ratio(quota: str, period: str) -> float | None:
    """Cores, None without a limit (`max` in version 2, -1 in version 1)."""
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return None
    return int(quota) / int(period) or None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("ascii", "replace").splitlines()
    except OSError:
        return []
