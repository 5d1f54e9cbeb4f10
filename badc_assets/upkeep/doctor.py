"""What the doctor looks at outside Dagster: programs, disk, git, and what killed processes left behind."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from badc_assets.chunks.interrupted import interrupted_chunkings, reset_interrupted
from badc_assets.chunks.status import Clock
from badc_assets.files import leftover_temporaries, remove_dead_temporaries
from badc_assets.inference.devices.gpus import Gpu
from badc_assets.inference.devices.orphans import orphaned_leases
from badc_assets.inference.scratch import leftovers, remove_leftovers
from badc_assets.layout import Layout
from badc_assets.recordings.catalog_file import read_catalog
from badc_assets.upkeep.examination import Ailment, Examination

GB = 10**9


@dataclass(frozen=True)
class Surroundings:
    """What the doctor is told of this machine: its cards, the folder of their leases, and other folders that must not fill up."""

    gpus: tuple[Gpu, ...]
    lease_folder: Path
    folders: tuple[Path, ...] = ()


def examinations(
    layout: Layout, surroundings: Surroundings, clock: Clock, *, least_free_gb: float
) -> list[Examination]:
    """All examinations of one dataset on this machine."""
    folders = (layout.output, Path(tempfile.gettempdir()), *surroundings.folders)
    return [
        Examination("versions", _versions),
        Examination("programs", lambda: _programs(layout)),
        Examination("disk space", lambda: _disk_space(folders, least_free_gb)),
        Examination("git identity", lambda: _git_identity(layout)),
        Examination("chunk statuses", lambda: _chunk_statuses(layout), lambda: _reset_statuses(layout, clock)),
        Examination("GPU leases", lambda: _leases(surroundings)),
        Examination("scratch folders", _scratch, remove_leftovers),
        Examination("unfinished files", lambda: _temporaries(layout), lambda: _remove_temporaries(layout)),
    ]


def _versions() -> Iterator[Ailment]:
    """Our own requirements against what is installed."""
    for line in requires("badc-assets") or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            yield Ailment(f"{requirement.name} is not installed", "run `make setup`")
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            yield Ailment(f"{requirement.name} {installed} is not {requirement.specifier}", "run `make setup`")


def _programs(layout: Layout) -> Iterator[Ailment]:
    if not _is_repository(layout.dataset) and not _is_repository(layout.output):
        return
    for program in ("git", "git-annex", "datalad"):
        if shutil.which(program) is None:
            yield Ailment(f"{program} is not on PATH", "install it; git-annex and datalad come with `make setup`")


def _disk_space(folders: Sequence[Path], least_free_gb: float) -> Iterator[Ailment]:
    """Folders on the same disk are told once."""
    devices: dict[int, Path] = {}
    for folder in folders:
        existing = next((place for place in (folder, *folder.parents) if place.is_dir()), None)
        if existing is not None:
            devices.setdefault(existing.stat().st_dev, existing)
    for folder in devices.values():
        free_gb = shutil.disk_usage(folder).free / GB
        if free_gb < least_free_gb:
            yield Ailment(f"{folder} has {free_gb:.1f} GB left", f"free space; the doctor wants {least_free_gb:g} GB")


def _git_identity(layout: Layout) -> Iterator[Ailment]:
    if not _is_repository(layout.output) or shutil.which("git") is None:
        return
    command = ["git", "-C", str(layout.output), "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if answer.returncode:
        remedy = "git config --global user.name 'NAME' and git config --global user.email ADDRESS"
        yield Ailment("git does not know who you are, and will not save results", remedy)


def _is_repository(folder: Path) -> bool:
    return (folder / ".git").exists()


def _known_ids(layout: Layout) -> list[str]:
    catalog = read_catalog(layout.catalog)
    return catalog.all_ids if catalog else []


def _chunk_statuses(layout: Layout) -> Iterator[Ailment]:
    found = interrupted_chunkings(layout, _known_ids(layout))
    if found:
        some = ", ".join(found[:5])
        yield Ailment(
            f"{len(found)} recordings count as being chunked by processes that are dead: {some}", "badc doctor --fix"
        )


def _reset_statuses(layout: Layout, clock: Clock) -> None:
    for recording_id in interrupted_chunkings(layout, _known_ids(layout)):
        reset_interrupted(layout, recording_id, clock)


def _leases(surroundings: Surroundings) -> Iterator[Ailment]:
    for lease in orphaned_leases(surroundings.gpus, surroundings.lease_folder):
        kept_by = ", ".join(str(pid) for pid in lease.kept_by) or "a process that cannot be seen from here"
        yield Ailment(
            f"GPU {lease.gpu.index} is leased to {lease.holder}, which is dead; what it left behind keeps it: {kept_by}",
            "end that process",
        )


def _scratch() -> Iterator[Ailment]:
    found = list(leftovers())
    if found:
        yield Ailment(f"{len(found)} scratch folders of killed processes, such as {found[0]}", "badc doctor --fix")


def _temporary_places(layout: Layout) -> tuple[Path, ...]:
    """Where files of the whole dataset are made; those of single recordings are small, and too many to look for."""
    return layout.catalog.parent, layout.aggregate_dir, layout.aggregate_table("x").parent, layout.report_dir


def _temporaries(layout: Layout) -> Iterator[Ailment]:
    found = [path for place in _temporary_places(layout) for path in leftover_temporaries(place)]
    if found:
        yield Ailment(f"{len(found)} files that killed processes began, such as {found[0]}", "badc doctor --fix")


def _remove_temporaries(layout: Layout) -> None:
    for place in _temporary_places(layout):
        remove_dead_temporaries(place)
