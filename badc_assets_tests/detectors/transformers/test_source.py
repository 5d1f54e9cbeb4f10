"""Where a model comes from: a folder, or the Hub by way of huggingface_hub itself, against a server that answers like it.

Each request is made in a process of its own, since huggingface_hub reads its environment when it is imported.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.detectors.transformers.settings import TransformersSettings
from badc_assets.detectors.transformers.source import HubReference, parse_reference, resolve
from badc_assets.errors import BadcError
from badc_assets_tests.detectors.transformers.hub_server import COMMITS, Hub, serving
from badc_assets_tests.detectors.transformers.models import write_description

PROBE = """
import json, sys
from badc_assets.detectors.transformers import source as transformers_source
from badc_assets.detectors.transformers.settings import TransformersSettings
from badc_assets.errors import BadcError
answers = []
for name, values in json.loads(sys.argv[1]):
    try:
        settings = TransformersSettings.model_validate(values)
        found = getattr(transformers_source, name)(settings)
        answers.append([str(getattr(found, "path", found)), getattr(found, "revision", "")])
    except BadcError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = write_description(tmp_path / "original")
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    files |= {"README.md": b"# Model", "optimizer.pt": b"large", "pytorch_model.bin": b"the same weights again"}
    with serving(Hub(files)) as hub:
        yield hub


class Caller:
    """Calls functions of transformers_source with settings, in one process. Answers are (folder, revision), or what was wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}

    def __call__(self, *calls: str, **settings: object) -> list[Any]:
        calls = calls or ("download", "resolve")
        secrets = ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN_PATH")
        inherited = {name: value for name, value in os.environ.items() if name not in secrets}
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                PROBE,
                json.dumps([[name, {"model": "hf:owner/model", **settings}] for name in calls]),
            ],
            env={**inherited, "HF_HOME": str(self.folder / "hf"), "NO_PROXY": "*", **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers = json.loads(done.stdout.splitlines()[-1])
        return [answer if isinstance(answer, str) else (Path(answer[0]), answer[1]) for answer in answers]


@pytest.fixture
def call(tmp_path: Path, hub: Hub) -> Caller:
    caller = Caller(tmp_path)
    caller.environment["HF_ENDPOINT"] = hub.url
    return caller


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_what_is_needed_is_downloaded_and_then_found_without_the_network(call: Caller, hub: Hub) -> None:
    before, (fetched, _), found, again = call("resolve", "download", "resolve", "download")
    assert before == "hf:owner/model: was not downloaded yet; run `badc detectors setup transformers`"
    assert found == (again[0], COMMITS["main"])
    assert found[0] == fetched
    assert {file.name for file in fetched.iterdir()} == {"config.json", "preprocessor_config.json", "model.safetensors"}
    hub.requests.clear()
    assert call("resolve") == [found]
    assert hub.requests == []
    call.environment["HF_ENDPOINT"] = f"http://127.0.0.1:{closed_port()}"
    assert call("resolve", "download") == [found, again]


def test_pytorch_weights_are_taken_where_there_are_no_others(call: Caller, hub: Hub) -> None:
    del hub.files["model.safetensors"]
    (fetched, _), _ = call()
    assert {file.name for file in fetched.iterdir()} == {"config.json", "preprocessor_config.json", "pytorch_model.bin"}


def test_a_revision_is_what_was_asked_for(call: Caller, hub: Hub) -> None:
    hub.changed[COMMITS["v2"]] = {"model.safetensors": b"second"}
    call("download")
    unfetched, (fetched, _), found = call("resolve", "download", "resolve", model="hf:owner/model@v2")
    assert "was not downloaded yet" in unfetched
    assert found == (fetched, COMMITS["v2"])
    assert (fetched / "model.safetensors").read_bytes() == b"second"
    assert call("resolve", model=f"hf:owner/model@{COMMITS['v2']}") == [found]
    assert call("resolve")[0][1] == COMMITS["main"]


def test_a_folder_of_the_repository_can_be_the_model(call: Caller, hub: Hub) -> None:
    hub.files = {f"birds/small/{name}": data for name, data in hub.files.items()}
    (fetched, _), found = call(model="hf:owner/model:birds/small")
    assert found == (fetched, COMMITS["main"])
    assert fetched.parts[-2:] == ("birds", "small")
    assert (fetched / "model.safetensors").is_file()
    assert "no config.json" in call("download", model="hf:owner/model:fish")[0]


@pytest.mark.parametrize("subdir", ["", "birds"])
def test_a_model_can_be_kept_in_a_folder_of_ones_own(call: Caller, hub: Hub, tmp_path: Path, subdir: str) -> None:
    if subdir:
        hub.files = {f"{subdir}/{name}": data for name, data in hub.files.items()}
    model = f"hf:owner/model{':' + subdir if subdir else ''}#{tmp_path / 'kept'}"
    before, (fetched, _), found = call("resolve", "download", "resolve", model=model)
    assert "was not downloaded to" in before
    assert found == (fetched, COMMITS["main"])
    assert fetched == tmp_path / "kept" / subdir
    assert (fetched / "model.safetensors").read_bytes() == b"weights"
    other = model.replace("owner/model", f"owner/model@{COMMITS['v2']}")
    assert "holds another revision" in call("resolve", model=other)[0]


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (
            (403, "GatedRepo"),
            "is a gated model; accept its terms at https://huggingface.co/owner/model, then set HF_TOKEN",
        ),
        ((401, "RepoNotFound"), "there is no such model, or it is private; correct its name, or set HF_TOKEN"),
        ((404, "RepoNotFound"), "there is no such model, or it is private"),
        ((404, "RevisionNotFound"), "there is no revision main"),
        ((403, ""), "the Hub refused it (HTTP 403); set HF_TOKEN"),
        ((410, ""), "the Hub refused it (HTTP 410); try again later"),
    ],
)
def test_a_refusal_says_what_to_do(call: Caller, hub: Hub, refused: tuple[int, str], words: str) -> None:
    hub.refused = refused
    (answer,) = call("download")
    assert isinstance(answer, str) and words in answer and "\n" not in answer


def test_without_a_network_it_says_so(call: Caller) -> None:
    call.environment["HF_ENDPOINT"] = f"http://127.0.0.1:{closed_port()}"
    assert "the Hub cannot be reached" in call("download")[0]


def test_offline_is_honoured(call: Caller, hub: Hub) -> None:
    assert "`offline` forbids the network" in call("download", offline=True)[0]
    call.environment["HF_HUB_OFFLINE"] = "1"
    assert "HF_HUB_OFFLINE forbids the network" in call("download")[0]
    assert hub.requests == []
    del call.environment["HF_HUB_OFFLINE"]
    fetched = call("download")
    hub.requests.clear()
    assert call("download", offline=True) == fetched
    assert hub.requests == []


def test_a_download_that_was_cut_off_is_no_model(call: Caller, hub: Hub) -> None:
    (fetched, _), _ = call()
    (fetched / "preprocessor_config.json").unlink()
    assert "was not downloaded yet" in call("resolve")[0]


def test_no_room_or_permission_is_said(call: Caller, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    assert "cannot be stored" in call("download", model=f"hf:owner/model#{tmp_path}/taken/here")[0]


def test_a_local_folder_needs_no_download(call: Caller, hub: Hub, tmp_path: Path) -> None:
    assert call(model=str(tmp_path / "original")) == [(tmp_path / "original", ""), (tmp_path / "original", "")]
    assert hub.requests == []


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)


@given(
    owner=NAMES,
    name=NAMES,
    revision=st.one_of(st.none(), NAMES, st.just("refs/pr/1")),
    subdir=st.lists(NAMES.filter(lambda part: set(part) != {"."}), max_size=3),
    folder=st.one_of(st.none(), st.from_regex(r"/[a-z:@# ]{0,10}[a-z]", fullmatch=True)),
)
def test_references_are_read_as_written(
    owner: str, name: str, revision: str | None, subdir: list[str], folder: str | None
) -> None:
    text = f"hf:{owner}/{name}"
    text += f"@{revision}" if revision else ""
    text += f":{'/'.join(subdir)}" if subdir else ""
    text += f"#{folder}" if folder else ""
    expected = HubReference(f"{owner}/{name}", revision or "main", "/".join(subdir), Path(folder) if folder else None)
    assert parse_reference(text) == expected


@given(st.text())
def test_any_other_text_is_a_path_or_refused_in_one_line(text: str) -> None:
    for given_text in (text, f"hf:{text}"):
        try:
            reference = parse_reference(given_text)
        except BadcError as error:
            assert str(error).isprintable()
        else:
            assert isinstance(reference, HubReference if given_text.startswith("hf:") else Path)


@pytest.mark.parametrize(
    "text", ["hf:", "hf:a/b/c", "hf:a/b@", "hf:a/b:../c", "hf:a/b:/c", "hf:a/b#", "hf:a b", "hf:../a", "  "]
)
def test_malformed_references_are_refused(text: str) -> None:
    with pytest.raises(BadcError):
        parse_reference(text)


def test_a_folder_of_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").mkdir()
    assert resolve(TransformersSettings(model="~/model")).path == tmp_path / "model"
