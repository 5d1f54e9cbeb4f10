"""Whether a process runs on this machine."""

from __future__ import annotations

import os


def is_alive(pid: int) -> bool:
    """Whether there is a process with this number, whoever owns it. Numbers are used again after a while."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
