"""Whether a folder lies on a file system that other machines share, where SQLite's locks and shared memory do not hold."""

from __future__ import annotations

import re
from pathlib import Path

NETWORK = {
    *("nfs", "nfs3", "nfs4", "cifs", "smb3", "smbfs", "afs", "davfs", "9p", "virtiofs"),
    *(
        "lustre",
        "gpfs",
        "beegfs",
        "fhgfs",
        "ceph",
        "glusterfs",
        "panfs",
        "pvfs2",
        "orangefs",
        "wekafs",
        "ocfs2",
        "gfs2",
    ),
}
"""File systems that are shared, as the kernel calls them; in user space (`fuse.NAME`) see `_is_shared`."""
_LOCAL_FUSE = frozenset({"fuseblk", "fuse.fuse-overlayfs", "fuse.ext4", "fuse.ntfs", "fuse.ntfs-3g", "fuse.squashfuse"})
MOUNTS = Path("/proc/self/mountinfo")


def network_file_system(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """The kind of the shared file system that `folder` is or will be on; None on a local disk, or where it cannot be known."""
    if not mounts.is_file():
        return None
    place = folder.absolute()
    existing = next((one for one in (place, *place.parents) if one.exists()), place).resolve()
    kinds = dict(_mounted(mounts.read_text(errors="replace")))
    nearest = next((one for one in (existing, *existing.parents) if one in kinds), None)
    kind = kinds.get(nearest) if nearest else None
    return kind if kind and _is_shared(kind) else None


def _is_shared(kind: str) -> bool:
    return kind in NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE)


def _mounted(text: str) -> list[tuple[Path, str]]:
    """(mount point, kind) in the order of mounting; see proc(5). Of two at one point the later one counts."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) > 4 and kind:
            found.append((Path(_unescaped(fields[4])), kind[0]))
    return found


def _unescaped(path: str) -> str:
    """Blanks stand as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
