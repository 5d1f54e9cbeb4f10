"""The container files name what is there and say the same; they are built where a builder is at hand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).resolve().parents[1]
CONTAINERS = REPOSITORY / "containers"
INSTALL, CHECK = CONTAINERS / "install.sh", CONTAINERS / "check.sh"
PLACE = "/opt/badc_assets/"
BUILD_LIMIT_S = 3600


def sections() -> dict[str, str]:
    """The parts of the Apptainer file; what stands before the first is "header"."""
    found, name = {"header": ""}, "header"
    for line in (CONTAINERS / "badc_assets.def").read_text().splitlines():
        if start := re.fullmatch(r"%(\w+)", line):
            name = start[1]
            found[name] = ""
        else:
            found[name] += line + "\n"
    return found


def instructions() -> list[tuple[str, str]]:
    """(name, rest) of each instruction of the Containerfile."""
    text = (CONTAINERS / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


def of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def apptainer_files() -> dict[str, str]:
    return dict(line.split() for line in sections()["files"].splitlines() if line.strip())


def container_files() -> dict[str, str]:
    found = {}
    for copy in of("COPY"):
        *sources, target = copy.split()
        found |= {source: target + source if target.endswith("/") else target for source in sources}
    return found


def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def is_shell(text: str) -> None:
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_both_are_made_from_the_same_files_which_are_all_there():
    assert apptainer_files() == container_files()
    for source, target in container_files().items():
        assert (REPOSITORY / source).exists(), source
        assert target == PLACE + source
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == set(container_files())


def test_both_start_from_one_python_that_the_project_supports():
    (base,) = of("FROM")
    assert f"From: {base}" in sections()["header"].splitlines()
    version = re.search(r"python:(\d+\.\d+)", base)
    assert version is not None
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert SpecifierSet(project["requires-python"]).contains(version[1])


def test_both_set_the_same_environment():
    exported = re.findall(r"export (\w+)=(.*)", sections()["environment"])
    values = {name: re.sub(r'"\$\{\w+:-(.*)\}"', r"\1", value) for name, value in exported}
    assert values == dict(setting.split("=", 1) for setting in of("ENV"))


def test_every_package_is_pinned():
    text = INSTALL.read_text()
    assert "-c constraints.txt" in text
    extras = re.search(r"'\.\[([a-z,]+)\]'", text)
    assert extras is not None
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in extras[1].split(","):
        wanted += project["optional-dependencies"][extra]
    pins = constraints()
    for line in wanted:
        requirement = Requirement(line)
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert requirement.specifier.contains(pins[name], prereleases=True), line


def test_the_scripts_are_shell_and_both_files_run_them():
    for script in (INSTALL, CHECK, *(REPOSITORY / "scripts").glob("*.sh")):
        is_shell(script.read_text())
    parts = sections()
    for name in ("post", "test", "runscript", "environment"):
        is_shell(parts[name])
    for command in of("RUN"):
        is_shell(command)
    for script, part in ((INSTALL, "post"), (CHECK, "test")):
        inside = PLACE + str(script.relative_to(REPOSITORY))
        assert inside in parts[part]
        assert any(inside in command for command in of("RUN"))


def test_the_manual_names_paths_and_options_that_are_there():
    text = (REPOSITORY / "docs" / "containers.md").read_text()
    for path in re.findall(r"containers/[\w.]+", text):
        assert (REPOSITORY / path).exists(), path
    for flag in ("--nv", "--gpus all", "nvidia.com/gpu=all", "TORCH_INDEX"):
        assert flag in text
    assert "TORCH_INDEX" in sections()["arguments"]
    assert any(argument.startswith("TORCH_INDEX") for argument in of("ARG"))


def build(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=BUILD_LIMIT_S)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def require(*command: str) -> None:
    """Skips the test when it was not asked for, or the builder is missing or cannot work here, with what it says."""
    if "BADC_BUILD_IMAGES" not in os.environ:
        pytest.skip("an image takes gigabytes and a quarter of an hour: `make test-containers` builds them")
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        pytest.skip(f"`{' '.join(command)}` says: {' '.join((done.stderr or done.stdout).split())[-200:]}")


@pytest.mark.system
@pytest.mark.parametrize("builder", ["podman", "docker"])
def test_the_image_is_built_and_whole(builder, tmp_path):
    """The last step of the build looks whether the image is whole."""
    require(builder, "pull", of("FROM")[0])
    build([builder, "build", "-f", "containers/Containerfile", "-t", "badc_assets_test", "."], REPOSITORY)
    build([builder, "run", "--rm", "-v", f"{tmp_path}:/work", "badc_assets_test", "instance", "show"], tmp_path)


@pytest.mark.system
def test_the_apptainer_image_is_built_and_whole(tmp_path):
    image = tmp_path / "badc_assets.sif"
    require("apptainer", "pull", str(tmp_path / "base.sif"), f"docker://{of('FROM')[0]}")
    build(["apptainer", "build", str(image), "containers/badc_assets.def"], REPOSITORY)
    build(["apptainer", "test", str(image)], tmp_path)
