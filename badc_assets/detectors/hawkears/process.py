"""A long-lived process of another Python that answers questions, one JSON object a line.

What the process and its libraries print goes to its standard error, of which the end is kept for error messages. The process is
in our process group, and it ends itself when its standard input closes: it does not outlive us.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from badc_assets.errors import BadcError, printable
from badc_assets.files import scratch_prefix

TAIL_CHARACTERS = 500
PATIENCE_S = 5.0
"""How long the process has to end by itself."""

_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "VIRTUAL_ENV", "HAWKEARS_DATA_DIR")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class HawkEarsFailed(Exception):
    """HawkEars ended, or failed without saying that the sound is to blame. It may do better when tried again."""

    def __init__(self, problem: str) -> None:
        super().__init__(printable(problem))


class WorkerProcess:
    """The gateway to the process. Not to be shared between threads."""

    def __init__(self, python: Path, script: Path, environment: Mapping[str, str], folder: Path) -> None:
        """Start it in `folder`. Raises BadcError when the interpreter cannot be started."""
        # Ours, so that what it leaves is removed even where it is killed; by the next run where we are.
        self._scratch = TemporaryDirectory(prefix=scratch_prefix(), ignore_cleanup_errors=True)
        try:
            # -I: neither our own folder, which holds files with common names, nor the user's packages are on its path.
            self._process = subprocess.Popen(
                [str(python), "-I", str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env={**environment, "TMPDIR": self._scratch.name},
            )
        except OSError as error:
            self._scratch.cleanup()
            problem = f"cannot be started ({error.strerror or error})"
            raise BadcError(python, problem, "correct detectors.hawkears.python") from error
        self._end = _End()
        self._drain = threading.Thread(target=self._end.read_all, args=(self._process.stderr,), daemon=True)
        self._drain.start()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Send a question and wait for its answer, however long it takes. Raises HawkEarsFailed when none comes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise HawkEarsFailed(self._last_words())
        answer = json.loads(line)
        if not isinstance(answer, dict):
            self.stop(patience_s=0)
            raise HawkEarsFailed("HawkEars' process answered with something else than an object")
        return answer

    def stop(self, patience_s: float = PATIENCE_S) -> None:
        """End the process: first by closing its input, then by force. May be called twice."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._scratch.cleanup()

    def _last_words(self) -> str:
        self.stop()
        self._drain.join(PATIENCE_S)
        said = self._end.text()
        return f"HawkEars' process {_how(self._process.returncode)}" + (f"; it said: {said}" if said else "")


class _End:
    """The last bytes of a stream."""

    def __init__(self) -> None:
        self._bytes = b""

    def read_all(self, stream: Any) -> None:
        with stream:
            while block := stream.read1(1 << 16):
                # A character has up to four bytes.
                self._bytes = (self._bytes + block)[-4 * TAIL_CHARACTERS :]

    def text(self) -> str:
        text = self._bytes.decode("utf-8", "replace")[-TAIL_CHARACTERS:]
        return " | ".join(line.strip() for line in text.splitlines() if line.strip())


def clean_environment(*, is_gpu: bool, threads: int) -> dict[str, str]:
    """Our environment for another Python: nothing that is meant for ours, no GPU unless it may use one."""
    environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    environment.update(dict.fromkeys(_THREADS, str(threads)))
    if not is_gpu:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    return environment


def _how(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    hint = " (out of memory?)" if -status == signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-status).name}{hint}"
