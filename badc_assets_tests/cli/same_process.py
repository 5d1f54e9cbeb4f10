"""Commands as a user types them, in the process of the test: most of what they take otherwise is to start Dagster."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from badc_assets.cli import materialize, materializing
from badc_assets.cli.main import main
from badc_assets_tests.cli.test_commands import Shell
from badc_assets_tests.instances import set_up


class SameProcess(Shell):
    """Like a shell, for `badc`. What it starts for the stages of Dagster runs in this process too."""

    def __init__(self, home: Path, dataset: Path) -> None:
        super().__init__(home, dataset)
        if not (home / "data/dagster").exists():
            set_up(home / "data/dagster")
            (home / "data/dagster/.migrated").touch()

    def __call__(self, *command: str, **settings: str) -> tuple[int, str]:
        assert command[0] == "badc"
        said = io.StringIO()
        with self._as_in_a_shell({**self.environment, "COLUMNS": "200", **settings}), _output_to(said):
            status = _status(list(command), main)
        return status, said.getvalue()

    @contextmanager
    def _as_in_a_shell(self, environment: Mapping[str, str]) -> Iterator[None]:
        before = Path.cwd()
        os.chdir(self.home)
        try:
            with (
                mock.patch.dict(os.environ, environment, clear=True),
                mock.patch.object(materialize, "MaterializingProcess", _NoProcess),
            ):
                yield
        finally:
            os.chdir(before)


class _NoProcess:
    """Stands in for a process that materializes."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def __enter__(self) -> _NoProcess:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def materialize(self, arguments: Sequence[str], read: Callable[[str], None]) -> int:
        said = io.StringIO()
        with mock.patch.dict(os.environ, self._environment), _output_to(said):
            status = materializing.run([*materializing.COMMAND, *arguments])
        for line in said.getvalue().splitlines(keepends=True):
            read(line)
        return status


@contextmanager
def _output_to(said: io.StringIO) -> Iterator[None]:
    with redirect_stdout(said), redirect_stderr(said):
        yield


def _status(command: list[str], run: Callable[[], None]) -> int:
    with mock.patch.object(sys, "argv", command):
        try:
            run()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
