"""What `sbatch` is asked for, in its own words: long options and their values, such as `mem = "16G"`."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from badc_assets.errors import BadcError

KNOWN = frozenset(
    {
        "account", "comment", "constraint", "cpus-per-gpu", "cpus-per-task", "deadline", "exclude", "exclusive", "gpus",
        "gpus-per-node", "gres", "hint", "licenses", "mail-type", "mail-user", "mem", "mem-per-cpu", "mem-per-gpu",
        "nice", "nodelist", "nodes", "ntasks", "partition", "prefer", "priority", "qos", "reservation", "switches",
        "time", "time-min", "tmp",
    }
)  # fmt: skip
"""Options that a profile or a tag may hold. Those that decide where the log goes or how many tasks there are belong to us."""

MEMORY = ("mem", "mem-per-cpu", "mem-per-gpu")
_MEMORY = re.compile(r"(\d+)([KMGT]?)B?\Z", re.IGNORECASE)
_MIB = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}
_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?\Z")


@dataclass(frozen=True)
class SbatchOptions:
    """Option -> value. An empty value takes an option back."""

    values: Mapping[str, str] = field(default_factory=dict)

    def merged(self, more: Mapping[str, str]) -> SbatchOptions:
        """These options with `more` over them."""
        merged = {**self.values, **more}
        for name in more:
            if name in MEMORY:
                merged = {key: value for key, value in merged.items() if key == name or key not in MEMORY}
        return SbatchOptions({name: value for name, value in merged.items() if value})

    @property
    def memory(self) -> tuple[str, int] | None:
        """The option that says how much memory, and MiB; None where the cluster decides."""
        for name in MEMORY:
            if name in self.values:
                return name, memory_mib(self.values[name])
        return None

    @property
    def minutes(self) -> int | None:
        """The time limit; None where the cluster decides."""
        return minutes(self.values["time"]) if "time" in self.values else None

    def directives(self) -> list[str]:
        """The `#SBATCH` lines."""
        return [f"#SBATCH --{name}={value}" for name, value in sorted(self.values.items())]


def checked_options(values: Mapping[str, object], place: str) -> dict[str, str]:
    """`values` as sbatch takes them. Raises ValueError that names the wrong one; `place` says where they stand."""
    checked = {}
    for written, value in values.items():
        name = written.replace("_", "-")
        if name not in KNOWN:
            close = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.5)
            raise ValueError(f"{place}.{written}: no option of sbatch that can be set here" + _instead(close))
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"{place}.{written}: must be a text or a whole number, as sbatch takes it")
        text = str(value)
        if any(character.isspace() or not character.isprintable() for character in text):
            raise ValueError(f"{place}.{written}: holds a blank ({text!r}), and sbatch takes one word here")
        if text and name in MEMORY:
            memory_mib(text)
        if text and name == "time":
            minutes(text)
        checked[name] = text
    return checked


def options_in_tag(text: str, tag: str) -> dict[str, str]:
    """The options in a tag: a JSON object. Raises BadcError."""
    try:
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"{tag}: must be a JSON object")
        return checked_options(values, tag)
    except ValueError as error:
        raise BadcError(f"tag {tag}", str(error), """write it like {"time": "08:00:00", "mem": "64G"}""") from error


def memory_mib(text: str) -> int:
    """MiB of SLURM's `500` (MiB), `16G`, `1T`. Raises ValueError."""
    match = _MEMORY.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no amount of memory: write it like 16G")
    return max(round(int(match[1]) * _MIB[(match[2] or "M").upper()]), 1 if int(match[1]) else 0)


def minutes(text: str) -> int:
    """Minutes of SLURM's `90`, `90:00`, `1:30:00`, `2-12`, `2-12:30`, `2-12:30:00`; a part of one counts. Raises ValueError."""
    match = _TIME.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no time limit: write it like 04:00:00 or 1-12:00:00")
    days, *rest = match.groups()
    parts = [int(part) for part in rest if part is not None]
    if days is not None:
        hours, mins, seconds = (*parts, 0, 0)[:3]
    elif len(parts) == 3:
        hours, mins, seconds = parts
    else:
        hours, mins, seconds = 0, *(*parts, 0)[:2]
    return ((int(days or 0) * 24 + hours) * 60 + mins) + (seconds > 0)


def memory_text(mib: int) -> str:
    return f"{mib}M"


def time_text(amount: int) -> str:
    """Minutes as SLURM writes them."""
    days, rest = divmod(amount, 24 * 60)
    clock = f"{rest // 60:02d}:{rest % 60:02d}:00"
    return f"{days}-{clock}" if days else clock


def _instead(close: list[str]) -> str:
    return f" (did you mean {close[0]!r}?)" if close else ""
