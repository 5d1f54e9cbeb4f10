"""What README and docs say to type exists, and what of it can be run here works.

README's bash blocks are run as a new user would by `scripts/run_readme.py`, in CI.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from badc_assets.cli.main import app
from badc_assets_tests.datasets import Dataset, make_dataset
from badc_assets_tests.sounds import noise, with_tone, write_sound
from badc_assets_tests.transcripts import PAGES, REPOSITORY, mentions, transcript

UsageError = typer.BadParameter.__mro__[1]
"""What the parser raises; Typer does not export it."""


def parsed(arguments: list[str], *, is_whole: bool) -> str:
    """What is wrong with these arguments; empty when nothing is. A part of a command may lack arguments."""
    command, rest = typer.main.get_command(app), list(arguments)
    if rest[:1] == ["--dataset-name"]:
        del rest[:2]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return f"there is no command {name!r}"
        command = command.commands[name]
    if not is_whole:
        known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}
        unknown = [word for word in rest if word.startswith("--") and word not in known]
        return f"there is no option {unknown[0]}" if unknown else ""
    try:
        command.make_context(command.name, rest)
    except typer.Exit:
        return ""
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_exists_with_its_options(page: Path):
    wrong = {" ".join(each): parsed(each, is_whole=True) for each in transcript(page)}
    wrong |= {" ".join(each): parsed(each, is_whole=False) for each in mentions(page)}
    assert {command: problem for command, problem in wrong.items() if problem} == {}


def test_a_wrong_command_or_option_would_be_noticed():
    assert parsed(["chunk", "splice"], is_whole=False) == "there is no command 'splice'"
    assert parsed(["chunk", "split"], is_whole=False) == ""
    assert "FILE" in parsed(["chunk", "split"], is_whole=True).upper()
    assert parsed(["run", "--budles"], is_whole=False) == "there is no option --budles"
    assert "--budles" in parsed(["run", "--budles"], is_whole=True)


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The folder that the pages are about, with a recording R, is the present one. BADC has left detection JSON of it."""
    made = make_dataset(tmp_path / "site-2024", 1, detector="energy", chunking={"length_s": 30})
    write_sound(made.layout.audio / "R.flac", with_tone(noise(5), 1.0, 2.0, 3000))
    shutil.copy(REPOSITORY / "dagster.yaml", made.layout.dataset)
    monkeypatch.chdir(made.layout.dataset)
    monkeypatch.setenv("BADC_DATASET", ".")
    monkeypatch.setenv("BADC_DATA_CONFIG", str(tmp_path / "data.toml"))
    folder = made.layout.output / "artifacts/infer/R"
    folder.mkdir(parents=True)
    chunk = {"chunk_id": "R_chunk_0_5000", "recording_id": "R", "chunk_start_ms": 0, "chunk_end_ms": 5000, "status": "ok",
             "detections": [{"timestamp_ms": 1000, "label": "owl", "confidence": 0.5}]}  # fmt: skip
    (folder / "R_chunk_0_5000.json").write_text(json.dumps(chunk))
    return made


HERE = {
    "/data/site-2024": ".",
    "--use-hawkears": "--stub-runner",
    "hawkears": "energy",
    "--follow": "--once",
    "audio/R.wav": "audio/SITE-1_20230508_000000.wav",
}
"""What a page says -> what can be done here: HawkEars is not installed, and nobody waits."""
ELSEWHERE = {"/old/manifests/GNWT-290.csv", "python my_model.py", "hawkears-local.toml", "--print-datalad-run"}
"""Commands with one of these need what a page does not make. They are parsed, and tested where their code is."""
MAY_BE_WRONG = {"doctor"}
"""Says what is wrong with the machine."""


def test_the_commands_of_badc_run_one_after_the_other(dataset: Dataset):
    console_of_readme = transcript(REPOSITORY / "README.md", "console")
    for arguments in [*transcript(REPOSITORY / "docs/commands.md"), *console_of_readme]:
        if ELSEWHERE & set(arguments):
            continue
        result = CliRunner().invoke(app, [HERE.get(word, word) for word in arguments])
        allowed = {0, 1} if arguments[0] in MAY_BE_WRONG else {0}
        assert result.exit_code in allowed, (arguments, result.output, result.exception)
        if "--json" in arguments:
            json.loads(result.stdout)
