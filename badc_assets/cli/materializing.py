"""A process that runs `dagster asset materialize` again and again, since starting Dagster takes longer than most stages do.

Each line of its input is the arguments of one command, a JSON list; the line that begins with END and the exit status ends the
output of each. It ends when its input does.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from badc_assets.cli.stopping import ended

END = "badc: ended with status "
DEFINITIONS = "badc_assets.definitions"
COMMAND = ("dagster", "asset", "materialize", "-m", DEFINITIONS)


class MaterializingProcess:
    """That process as its user sees it. A killed one is started again for the next command."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._process = self._start()

    def __enter__(self) -> MaterializingProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ended(self._process):
            self._process.communicate()

    def materialize(self, arguments: Sequence[str], read: Callable[[str], None]) -> int:
        """Run one command to its end; its exit status. `read` gets each line of its output."""
        if self._process.poll() is not None:
            self._process = self._start()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with ended(process):
            process.stdin.write(json.dumps([*arguments]) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                said, end, status = line.partition(END)
                if said:
                    read(said)
                if end:
                    return int(status)
            return process.wait() or 1

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", __name__],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )


def main() -> None:
    """Run the commands that standard input asks for."""
    # What a stage starts must not read the next command.
    asked = os.fdopen(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    importlib.import_module(DEFINITIONS)  # while whoever asks is busy elsewhere
    for line in asked:
        status = run([*COMMAND, *json.loads(line)])
        sys.stderr.flush()
        print(f"{END}{status}", flush=True)


def run(command: list[str]) -> int:
    """The exit status of a command of Dagster, run in this process."""
    sys.argv = command
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001  whatever it was, the next command is asked of this process too
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
