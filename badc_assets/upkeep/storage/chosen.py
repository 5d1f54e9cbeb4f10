"""Which of the repository's instance files is in use: the one beside the program, or another one that was chosen."""

from __future__ import annotations

from pathlib import Path

from badc_assets.errors import BadcError
from badc_assets.files import remove
from badc_assets.upkeep.storage.kinds import INSTANCE_FILE

PROFILES = {"sqlite": INSTANCE_FILE, "postgres": "dagster.postgres.yaml"}
"""Kind of storage -> its file in the repository."""
CHOSEN = Path("data/instance")


def chosen_home(folder: Path) -> Path | None:
    """The home in which `choose` put a link; None: the repository's own folder is the home."""
    home = folder / CHOSEN
    return home if (home / INSTANCE_FILE).is_file() else None


def choose(folder: Path, kind: str) -> Path:
    """Make the storage of this kind the one that is used from `folder`; returns its home. Raises BadcError.

    Dagster reads `dagster.yaml` of its home and nothing else, so the chosen file gets a home of its own, as a link, which stays
    that of the repository whatever is changed there.
    """
    if kind not in PROFILES:
        raise BadcError(kind, f"is no kind of storage (there are: {', '.join(PROFILES)})", "correct the name")
    profile, link = folder / PROFILES[kind], folder / CHOSEN / INSTANCE_FILE
    if not profile.is_file():
        raise BadcError(profile, "there is no such file", "run from the repository's folder")
    remove(link)
    if profile.name == INSTANCE_FILE:
        return folder
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(Path(*[".."] * len(CHOSEN.parts), profile.name))
    return link.parent
