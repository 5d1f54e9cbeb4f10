"""BADC's data.toml: read as BADC wrote it, and written so that it can be read whatever the names hold."""

from __future__ import annotations

import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.errors import BadcError
from badc_assets.provenance.registry import (
    ConnectedDataset,
    read_registry,
    registry_file,
    registry_text,
    registry_update,
    valid_name,
)

BADC = """[datasets.bogus]
path = "data/datalad/bogus"
url = "https://github.com/UBC-FRESH/badc-bogus-data.git"
method = "git-submodule"
status = "disconnected"
last_connected = "2025-12-01T10:00:00+00:00"
last_disconnected = "2025-12-02T10:00:00+00:00"

[datasets.production]
path = "data/datalad/production"
url = "ria+ssh://x"
method = "datalad"
status = "connected"
last_connected = "2025-12-03T10:00:00+00:00"
"""


def test_what_badc_wrote_is_read_and_written_as_it_was(tmp_path: Path):
    file = tmp_path / "data.toml"
    file.write_text(BADC)
    datasets = read_registry(file)
    assert datasets["bogus"].method == "git-submodule"
    assert datasets["production"].last_disconnected == ""
    assert registry_text(datasets) == BADC


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
OTHER = st.dictionaries(st.sampled_from(["note", "a b", "size"]), st.integers() | st.booleans())
DATASETS = st.dictionaries(TEXT, st.builds(ConnectedDataset, *[TEXT] * 6, OTHER))


@settings(deadline=None)
@given(DATASETS)
def test_any_registry_survives(datasets: dict[str, ConnectedDataset]):
    values = tomllib.loads(registry_text(datasets))
    again = {
        name: {key: value for key, value in {**vars(each), **each.other}.items() if key != "other" and value != ""}
        for name, each in datasets.items()
    }
    assert values.get("datasets", {}) == again


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused_in_one_line(text: str):
    with TemporaryDirectory() as name:
        file = Path(name) / "data.toml"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            assert isinstance(read_registry(file), dict)
        except BadcError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[other]\nx = 1", "more than"),
        ("datasets = 3", "more than"),
        ("[datasets]\nbogus = 1", "no table"),
        ("[datasets.bogus]\npath = 1", "wrong kind"),
        ("[datasets.bogus", "not valid TOML"),
    ],
)
def test_what_cannot_be_understood(tmp_path: Path, text: str, problem: str):
    file = tmp_path / "data.toml"
    file.write_text(text)
    with pytest.raises(BadcError, match=problem), registry_update(file):
        raise AssertionError("it was read")
    assert file.read_text() == text


def test_an_update_that_fails_writes_nothing(tmp_path: Path):
    file = tmp_path / "config/data.toml"
    with registry_update(file) as datasets:
        datasets["a"] = ConnectedDataset("x")
    with pytest.raises(KeyboardInterrupt), registry_update(file) as datasets:
        datasets["b"] = ConnectedDataset("y")
        raise KeyboardInterrupt
    assert list(read_registry(file)) == ["a"]


def test_where_it_is_and_what_may_be_a_name(tmp_path: Path):
    assert registry_file({"BADC_DATA_CONFIG": "/x/y.toml"}) == Path("/x/y.toml")
    assert registry_file({}) == Path.home() / ".config/badc/data.toml"
    assert valid_name("site 2024.b") == "site 2024.b"
    for name in ("", ".", "..", "a/b", "/etc", "-rf", "a\0b"):
        with pytest.raises(BadcError):
            valid_name(name)
