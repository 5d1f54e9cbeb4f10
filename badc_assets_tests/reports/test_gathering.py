"""BADC's detection JSON, read and written, and a folder of it as one table."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from badc_assets.chunks.manifest import Chunk
from badc_assets.cli.main import app
from badc_assets.detections.schema import BADC_COLUMNS
from badc_assets.errors import BadcError
from badc_assets.reports.detection_json import chunk_json, read_chunk_json
from badc_assets.reports.gathering import as_badc, gather

CHUNK = Chunk("R", "R_chunk_60000_120000", "audio/R.wav", 60_000, 120_000, 0, "ab" * 32)
ITEM = {
    "timestamp_ms": 1500, "end_ms": 4500, "label_code": "RUGR", "label_name": "Ruffed Grouse", "label": "RUGR",
    "confidence": 0.91,
}  # fmt: skip


def written(folder: Path, text: str, name: str = "c.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def text_of(items=(ITEM,), chunk: Chunk = CHUNK, **more) -> str:
    return chunk_json(chunk, list(items), **({"status": "ok", "runner": "hawkears", "dataset_root": "/ds"} | more))


def test_a_chunk_comes_back_as_it_was_written(tmp_path):
    read = read_chunk_json(written(tmp_path, text_of(model_version="1.2")))
    (row,) = read.detections
    assert row == {
        "recording_id": "R", "chunk_id": CHUNK.chunk_id, "chunk_start_ms": 60_000, "chunk_end_ms": 120_000,
        "timestamp_ms": 1500, "absolute_time_ms": 61_500, "end_ms": 4500, "absolute_end_ms": 64_500, "label": "RUGR",
        "label_code": "RUGR", "label_name": "Ruffed Grouse", "confidence": 0.91, "status": "ok", "runner": "hawkears",
        "model_version": "1.2", "chunk_sha256": "ab" * 32, "source_path": "audio/R.wav", "dataset_root": "/ds",
    }  # fmt: skip
    assert set(row) == set(BADC_COLUMNS)


def test_the_stub_writes_files_of_the_sizes_of_badcs(shared_data):
    """The content of the 300 published files is not here, their sizes are. The dataset's root had 42 characters there."""
    index = json.loads((shared_data / "badc_fixtures/annex_index.json").read_text())
    sizes = {Path(path): entry["size"] for path, entry in index.items() if path.endswith(".json")
             and path.startswith("artifacts/infer/") and "GNWT" in path}  # fmt: skip
    assert len(sizes) == 300
    root = "/" + "x" * 41
    for path, size in sizes.items():
        recording, (start, end) = path.parent.name, path.stem.split("_")[-2:]
        source = f"{root}/artifacts/chunks/{recording}/{path.stem}.wav"
        chunk = Chunk(recording, path.stem, source, int(start), int(end), 0, "0" * 64)
        assert len(chunk_json(chunk, [], status="stub", runner="stub", dataset_root=root, attempt=1)) == size


def test_what_the_file_does_not_say_comes_from_the_manifest_and_the_folder(tmp_path):
    path = written(tmp_path / "R2", json.dumps({"chunk_id": CHUNK.chunk_id, "detections": [{"timestamp_ms": 10}]}))
    bare = read_chunk_json(path)
    assert (bare.recording_id, bare.start_ms, bare.status) == ("R2", None, "unknown")
    assert bare.detections[0]["label"] == "unknown"
    assert bare.detections[0]["absolute_time_ms"] is None
    known = read_chunk_json(path, {CHUNK.chunk_id: CHUNK})
    assert (known.recording_id, known.detections[0]["absolute_time_ms"]) == ("R", 60_010)


def run(*arguments: object):
    return CliRunner().invoke(app, ["infer", "aggregate", *map(str, arguments)])


def test_a_folder_becomes_a_table_and_what_is_wrong_is_named(tmp_path):
    empty = Chunk("R", "R_chunk_0_60000", "audio/R.wav", 0, 60_000, 0, "cd" * 32)
    written(tmp_path / "in/R/R", text_of(), "late.json")
    written(tmp_path / "in/R", text_of((), empty, status="no_detections"), "early.json")
    written(tmp_path / "in/R", "{", "broken.json")
    written(tmp_path / "in", "[]", "list.json")
    old = written(tmp_path / "in", text_of(()), "old.json")
    os.utime(old, (1, 1))
    result = run(tmp_path / "in", "--output", tmp_path / "t.csv", "--parquet", tmp_path / "t.parquet")
    assert result.exit_code == 1
    assert "broken.json: is not valid JSON" in result.output
    assert "list.json: is no detection JSON" in result.output
    assert "old.json: is about the chunk of" in result.output
    assert "1 detections in 2 chunks" in result.output
    assert [row["label"] for row in pq.read_table(tmp_path / "t.parquet").to_pylist()] == ["RUGR"]
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 2
    assert (tmp_path / "t_effort.csv").read_text().splitlines()[1:] == [
        "R,R_chunk_0_60000,0,60000,no_detections,0", "R,R_chunk_60000_120000,60000,120000,ok,1",
    ]  # fmt: skip
    for name in ("broken", "old"):
        next((tmp_path / "in").rglob(f"{name}.json")).unlink()
    (tmp_path / "in/list.json").unlink()
    assert run(tmp_path / "in", "--output", tmp_path / "b.csv", "--compat", "badc").exit_code == 0
    lines = (tmp_path / "b.csv").read_bytes().decode().split("\n")
    assert lines[1] == f"R,R_chunk_0_60000,0,60000,,,,,none,,,,no_detections,hawkears,,{'cd' * 32},audio/R.wav,/ds"
    assert len(lines) == 4


def test_what_no_file_can_hold_is_replaced(tmp_path):
    written(tmp_path / "in", text_of(({**ITEM, "label_name": "a\ud800b"},)))
    result = run(tmp_path / "in", "--output", tmp_path / "t.csv", "--parquet", tmp_path / "t.parquet")
    assert result.exit_code == 0, result.output
    assert "61500" in (tmp_path / "t.csv").read_text()


def test_commas_are_quoted(tmp_path):
    written(tmp_path / "in", text_of(({**ITEM, "label_name": "Robin, American"},)))
    run(tmp_path / "in", "--output", tmp_path / "t.csv")
    assert '"Robin, American"' in (tmp_path / "t.csv").read_text()


@given(st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["chunk_id", "detections", "chunk", "timestamp_ms", "confidence", "start_ms"]), inner, max_size=5),
    max_leaves=8).map(lambda value: json.dumps(value).encode()))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_any_file_is_a_chunk_or_one_line(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    (folder / "c.json").write_bytes(content)
    gathered = gather(folder)
    assert len(gathered.chunks) + len(gathered.problems) == 1
    assert len(as_badc(gathered)) >= len(gathered.chunks)
    assert not any("\n" in problem for problem in gathered.problems)


def test_no_folder_is_one_line(tmp_path):
    with pytest.raises(BadcError, match="there is no such folder"):
        gather(tmp_path / "nowhere")
