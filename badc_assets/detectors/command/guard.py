"""Runs one program and takes it along when it dies: a script for `run`, never imported for its own sake.

Called as `python guard.py REPORT PROGRAM ARGUMENT...` by a process that holds the other end of its standard input.
When that end closes, by whatever death of its owner, the guard kills its process group: itself, the program, and all that
the program started. How the program ended is written to the file descriptor REPORT: `exit STATUS`, or `errno NUMBER`
when it could not be started. Variables whose name begins with ADDED_PREFIX are for the program, under their name without it.

A guard, and not PR_SET_PDEATHSIG: that signal spares what the program itself started, strikes when the *thread* that
started the program ends, is lost by set-uid programs, and would need code between fork and exec. A guard costs 20 ms.
Nothing slow may be imported here.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys

ADDED_PREFIX = "BADC_GUARDED_"


def main() -> None:
    """Run the program of the command line to its end."""
    report, command = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(report, False)
    _thread.start_new_thread(_die_with_owner, ())
    try:
        # Python ignores these two signals, and programs would inherit that.
        child = os.posix_spawn(
            command[0],
            command,
            _programs_environment(),
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except OSError as error:
        os.write(report, f"errno {error.errno}".encode())
        return
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(report, f"exit {status}".encode())


def _programs_environment() -> dict[str, str]:
    added = {name: value for name, value in os.environ.items() if name.startswith(ADDED_PREFIX)}
    kept = {name: value for name, value in os.environ.items() if name not in added}
    return {**kept, **{name.removeprefix(ADDED_PREFIX): value for name, value in added.items()}}


def _die_with_owner() -> None:
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
