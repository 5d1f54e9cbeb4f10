"""`badc detectors setup hawkears`: what is run, in which order, and what is said when a step fails."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from badc_assets.cli.main import app
from badc_assets.detectors.hawkears import setup as hawkears_setup
from badc_assets.detectors.hawkears.files import default_python, default_root
from badc_assets.detectors.hawkears.setup import Ended, RealPrograms, set_up
from badc_assets.detectors.registry import DETECTORS
from badc_assets.errors import BadcError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


class FakePrograms:
    """Does what venv, pip and HawkEars do to the files, without a network. `broken` names a step that fails."""

    def __init__(self, broken: str = "") -> None:
        self.steps: list[str] = []
        self.commands: list[Sequence[str]] = []
        self.installed = ""
        self.broken = broken

    def run(self, command: Sequence[str]) -> Ended:
        text = " ".join(command)
        names = ("venv", "pip", "print(hawkears.__version__)", "initialize")
        step = next(name for name in names if name in text.removeprefix(str(default_python())))
        self.steps.append(step)
        self.commands.append(command)
        if step == self.broken:
            return Ended(1, ("much before", f"{step} went wrong"))
        return getattr(self, {"print(hawkears.__version__)": "_import"}.get(step, f"_{step}"))(command)

    def _venv(self, command: Sequence[str]) -> Ended:
        python = Path(command[-1]) / "bin/python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        return Ended(0, ())

    def _pip(self, command: Sequence[str]) -> Ended:
        self.installed = command[-1].removeprefix("hawkears==")
        return Ended(0, ("Successfully installed",))

    def _import(self, command: Sequence[str]) -> Ended:
        return Ended(0, (self.installed,)) if self.installed else Ended(1, ("ModuleNotFoundError",))

    def _initialize(self, command: Sequence[str]) -> Ended:
        folder = Path(command[-1]) / "data/ckpt"
        folder.mkdir(parents=True)
        (folder / "main.ckpt").touch()
        return Ended(0, ())


IMPORT = "print(hawkears.__version__)"


def test_all_steps_and_nothing_the_second_time() -> None:
    programs = FakePrograms()
    assert set_up(programs, Path("/usr/bin/python3")) == default_root()
    assert programs.steps == ["venv", "pip", IMPORT, "initialize"]
    assert programs.commands[0][0] == "/usr/bin/python3"
    assert programs.commands[1][-1] == "hawkears==2.3.0"
    assert all(command[0] == str(default_python()) for command in programs.commands[1:])
    programs.steps.clear()
    set_up(programs, Path("/usr/bin/python3"))
    assert programs.steps == [IMPORT]


def test_another_version_is_installed_over_the_first() -> None:
    programs = FakePrograms()
    set_up(programs, Path(sys.executable))
    set_up(programs, Path(sys.executable), "2.2.0")
    assert programs.installed == "2.2.0"


def test_own_checkpoints_and_configuration_are_left_alone() -> None:
    """HawkEars' own `init` writes its configuration again, and replaces data/ckpt once it can download."""
    folder = default_root() / "data/ckpt"
    folder.mkdir(parents=True)
    (folder / "mine.ckpt").touch()
    programs = FakePrograms()
    set_up(programs, Path(sys.executable))
    assert "initialize" not in programs.steps


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("venv", r"environments/hawkears: could not be made \(venv went wrong\); choose another interpreter with --python"),
        ("pip", r"hawkears 2\.3\.0 could not be installed \(pip went wrong\)"),
        (IMPORT, r"hawkears 2\.3\.0 was installed, but cannot be imported"),
        ("initialize", r"hawkears/data/ckpt: HawkEars is installed, but its checkpoints could not be downloaded "
                       r"\(initialize went wrong\); put its \*\.ckpt files there, .*ckpt-low-band"),
    ],
)  # fmt: skip
def test_a_step_that_fails_is_one_line_and_can_be_tried_again(broken, says) -> None:
    programs = FakePrograms(broken)
    with pytest.raises(BadcError, match=says) as caught:
        set_up(programs, Path(sys.executable))
    assert "\n" not in str(caught.value)
    programs.broken = ""
    set_up(programs, Path(sys.executable))


@pytest.mark.parametrize("version", ["1.0.8", "2.3.0; rm -rf", "2.3.0 --index-url=x", ""])
def test_only_versions_of_the_second_generation(version) -> None:
    programs = FakePrograms()
    with pytest.raises(BadcError, match="is no version of HawkEars 2"):
        set_up(programs, Path(sys.executable), version)
    assert programs.steps == []


def test_real_programs_show_their_lines_and_run_without_our_paths(monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/ours")
    shown: list[str] = []
    code = "import os, sys; print('one'); print(os.environ.get('PYTHONPATH'), file=sys.stderr); sys.exit(3)"
    ended = RealPrograms(shown.append).run([sys.executable, "-c", code])
    assert ended.exit_status == 3
    assert sorted(shown) == sorted(ended.last_lines) == ["None", "one"]
    with pytest.raises(BadcError, match="/no/such/python: cannot be started"):
        RealPrograms(shown.append).run(["/no/such/python"])


class TestCommands:
    def test_all_detectors_are_listed_with_what_they_need(self, monkeypatch) -> None:
        monkeypatch.setenv("COLUMNS", "400")
        done = CliRunner().invoke(app, ["detectors"])
        assert done.exit_code == 0
        for name, entry in DETECTORS.items():
            (line,) = [line for line in done.stdout.splitlines() if line.strip("│┃ ").startswith(f"{name} ")]
            assert entry.summary in line
            assert entry.needs in line

    def test_setup_says_where_it_is(self, monkeypatch) -> None:
        programs = FakePrograms()
        monkeypatch.setattr(hawkears_setup, "RealPrograms", lambda show: programs)
        done = CliRunner().invoke(
            app, ["detectors", "setup", "hawkears", "--version", "2.2.0", "--python", "/other/python"]
        )
        assert done.exit_code == 0, done.output
        assert done.stdout.strip() == f"hawkears is ready: {default_root()}"
        assert (programs.installed, programs.commands[0][0]) == ("2.2.0", "/other/python")

    @pytest.mark.parametrize(
        ("name", "says"), [("energy", "needs no set-up"), ("hawkeye", "there is no such detector")]
    )
    def test_a_detector_without_a_set_up(self, name, says) -> None:
        done = CliRunner().invoke(app, ["detectors", "setup", name])
        assert isinstance(done.exception, BadcError)
        assert f"detector {name}: {says}; with a set-up there are: hawkears" in str(done.exception)
