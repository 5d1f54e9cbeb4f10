"""Datasets inside datasets, real ones and any text of .gitmodules."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.provenance.subdatasets import Subdataset, by_repository, declared_paths, subdatasets
from badc_assets_tests.repositories import Repository


def test_installed_and_not(tmp_path: Path):
    inner = Repository.annexed(tmp_path / "inner")
    inner_commit = inner.add_sounds(a=100)
    middle = Repository.annexed(tmp_path / "middle")
    middle.add_subdataset(inner, "deployments/one")
    outer = Repository.annexed(tmp_path / "outer")
    outer.add_subdataset(middle, "audio/study area")
    middle_commit = middle.run("git", "rev-parse", "HEAD")
    path = "audio/study area"
    assert list(subdatasets(outer.root)) == [
        Subdataset(path, True, middle_commit),
        Subdataset(f"{path}/deployments/one", False, None),
    ]
    outer.run("git", "-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init", "--recursive")
    assert list(subdatasets(outer.root))[1] == Subdataset(f"{path}/deployments/one", True, inner_commit)
    assert list(subdatasets(inner.root)) == []
    fresh = Repository(tmp_path / "fresh")
    outer.run("git", "clone", "-q", os.fspath(outer.root), os.fspath(fresh.root))
    assert list(subdatasets(fresh.root)) == [Subdataset(path, False, None)]


def test_paths_are_grouped_by_the_innermost_repository():
    paths = ["audio/a.wav", "audio/s/b.wav", "audio/s/t/c.wav", "audio/st/d.wav"]
    assert by_repository(paths, ["audio/s", "audio/s/t"]) == {
        "": ["audio/a.wav", "audio/st/d.wav"],
        "audio/s": ["b.wav"],
        "audio/s/t": ["c.wav"],
    }


def test_declarations_with_quotes_and_ways_out():
    text = (
        '[submodule "x"]\n\tpath = "a \\"b\\""\n\turl = ../x\n[submodule "y"]\npath=/etc\n path = ../up\n\tpath = ok/\n'
    )
    assert declared_paths(text) == ['a "b"', "ok"]


@settings(deadline=None)
@given(st.text())
def test_any_declaration_is_read_without_leading_out(text: str):
    for path in declared_paths(text):
        assert not path.startswith("/") and ".." not in path.split("/")
