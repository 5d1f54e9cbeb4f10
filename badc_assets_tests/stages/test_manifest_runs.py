"""`badc infer run` on manifests of any folder: BADC's JSON, with the engine of the assets."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from badc_assets.chunks.manifest import BADC_COLUMNS, Chunk, chunk_id, read_manifest
from badc_assets.chunks.settings import ChunkSettings
from badc_assets.chunks.wav_files import CutSound, virtual_chunks, write_wav_chunks
from badc_assets.cli.main import app
from badc_assets.errors import BadcError
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.sounds import noise, with_tone, write_sound

NAME = "GNWT-290_20230331_235938"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands are given from a folder that has nothing to do with the data."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("BADC_DATASET", str(tmp_path / "no-project"))
    monkeypatch.setenv("BADC_INFERENCE__RETRY_DELAY_S", "0")
    return folder


def badc(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, BadcError):
        raise result.exception
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def cut(dataset: Path, *, stem: str = "", newline: str = "\r\n") -> Path:
    """A dataset as BADC leaves it: chunks of 2 s as WAV files, and a manifest with absolute paths; a tone from 3 to 4 s."""
    (dataset / ".datalad").mkdir(parents=True)
    sound = dataset / f"audio/{stem or NAME}.wav"
    write_sound(sound, with_tone(noise(6, seed=1), 3.0, 4.0, 3000))
    settings = ChunkSettings(length_s=2, overlap_s=0)
    folder = dataset / "artifacts/chunks" / (stem or NAME)
    chunks = list(write_wav_chunks(CutSound(sound, settings), folder, dataset))
    rows = [[NAME, c.chunk_id, dataset / c.source_path, c.start_ms, c.end_ms, 0, c.sha256, ""] for c in chunks]
    manifest = dataset / f"manifests/{NAME}.csv"
    manifest.parent.mkdir()
    lines = [",".join(BADC_COLUMNS), *(",".join(map(str, row)) for row in rows), ""]
    manifest.write_bytes(newline.join(lines).encode())
    return manifest


def jsons(folder: Path) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json")) if path.name[0] != "."}


def state(folder: Path) -> dict[Path, tuple[int, str]]:
    """Time and content of every file that is a result."""
    return {
        path: (path.stat().st_mtime_ns, hashlib.md5(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file() and ".working" not in path.parts
    }


def test_a_dataset_of_badc_is_analysed_in_its_place_and_not_twice(tmp_path):
    manifest = cut(tmp_path / "ds", stem="MD5E-s100--0123456789abcdef")
    result = badc("infer", "run", manifest)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "ds/artifacts/infer" / NAME
    found = jsons(folder)
    chunks = read_manifest(manifest)
    assert list(found) == [chunk.chunk_id for chunk in chunks]
    assert chunks[0].chunk_id.startswith("MD5E-s100--")
    middle = found[chunks[1].chunk_id]
    (item,) = middle["detections"]
    assert (middle["status"], middle["runner"], middle["recording_id"]) == ("ok", "energy", NAME)
    assert middle["dataset_root"] == str(tmp_path / "ds")
    assert middle["source_path"] == chunks[1].source_path
    assert list(item) == ["timestamp_ms", "end_ms", "label_code", "label_name", "label", "confidence"]
    assert 900 <= item["timestamp_ms"] <= 1100
    assert found[chunks[0].chunk_id]["status"] == "no_detections"
    (row,) = pq.read_table(folder / f"{NAME}.parquet").to_pylist()
    assert (row["absolute_time_ms"] - row["timestamp_ms"], row["chunk_id"]) == (2000, chunks[1].chunk_id)
    assert row["source_path"] == f"artifacts/chunks/MD5E-s100--0123456789abcdef/{chunks[1].chunk_id}.wav"
    assert len(pq.read_table(folder / f"{NAME}_effort.parquet")) == 3
    (summary,) = (tmp_path / "ds/artifacts/telemetry/infer").glob(f"{NAME}_*.summary.json")
    assert {job["output"] for job in json.loads(summary.read_text())["jobs"].values()} == {
        str(folder / f"{chunk.chunk_id}.json") for chunk in chunks
    }
    assert "telemetry: " in result.output

    before = state(folder)
    again = badc("infer", "run", manifest)
    assert "3 chunks, had results already" in again.output
    assert state(folder) == before
    lost = folder / f"{chunks[2].chunk_id}.json"
    lost.unlink()
    assert "had results already" in badc("infer", "run", manifest).output
    assert lost.read_text() == json.dumps(found[lost.stem])
    aggregated = badc("infer", "aggregate", folder, "--output", tmp_path / "t.csv")
    assert "1 detections in 3 chunks" in aggregated.output


def test_the_stub_writes_byte_for_byte_what_badc_did(tmp_path):
    manifest = cut(tmp_path / "ds")
    assert badc("infer", "run", manifest, "--stub-runner", "--output-dir", tmp_path / "out").exit_code == 0
    for chunk in read_manifest(manifest):
        expected = {
            "chunk_id": chunk.chunk_id, "recording_id": NAME, "source_path": chunk.source_path, "status": "stub",
            "detections": [], "meta": {"attempt": 1},
            "chunk": {"start_ms": chunk.start_ms, "end_ms": chunk.end_ms, "overlap_ms": 0, "sha256": chunk.sha256,
                      "notes": None},
            "runner": "stub", "dataset_root": str(tmp_path / "ds"),
        }  # fmt: skip
        assert (tmp_path / "out" / NAME / f"{chunk.chunk_id}.json").read_text() == json.dumps(expected)


def test_a_failed_chunk_is_kept_apart_the_rest_goes_on_and_only_it_is_done_again(tmp_path):
    manifest = cut(tmp_path / "ds")
    lost, changed, good = (Path(chunk.source_path) for chunk in read_manifest(manifest))
    content = {path: path.read_bytes() for path in (lost, changed)}
    lost.unlink()
    changed.write_bytes(content[changed][:-2] + b"\1\1")
    result = badc("infer", "run", manifest)
    assert result.exit_code == 1
    assert "does not exist" in result.output
    assert "is not the file that the manifest was written for" in result.output
    folder = tmp_path / "ds/artifacts/infer" / NAME
    assert list(jsons(folder)) == [good.stem]
    assert {path.stem for path in folder.glob("*.failed")} == {lost.stem, changed.stem}
    statuses = {row["chunk_id"]: row["status"] for row in pq.read_table(folder / f"{NAME}_effort.parquet").to_pylist()}
    assert statuses == {lost.stem: "failed", changed.stem: "failed", good.stem: "empty"}

    for path, whole in content.items():
        path.write_bytes(whole)
    assert badc("infer", "run", manifest, "--telemetry-log", "log.jsonl").exit_code == 0
    events = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    assert {event["chunk_id"] for event in events} == {lost.stem, changed.stem}
    assert len(jsons(folder)) == 3
    assert not list(folder.glob("*.failed"))


def runner(tmp_path: Path, text: str) -> str:
    script = tmp_path / "runner.py"
    script.write_text(f"import json, sys\nsource, target = sys.argv[2], sys.argv[4]\n{text}\n")
    return shlex.join([sys.executable, str(script)])


def test_a_program_is_run_for_each_chunk_and_what_it_wrote_is_kept(tmp_path):
    manifest = cut(tmp_path / "ds")
    item = {"timestamp_ms": 100, "end_ms": 200, "label": "OVEN", "confidence": 0.5}
    command = runner(
        tmp_path,
        f"if '_2000_4000' in source: sys.exit(7)\njson.dump({{'detections': [{item!r}]}}, open(target, 'w'))",
    )
    result = badc("infer", "run", manifest, "--runner-cmd", command, "--max-retries", 1, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert "ended with status 7" in result.output
    found = jsons(tmp_path / "out" / NAME)
    assert [(each["runner"], each["status"]) for each in found.values()] == [("custom", "ok")] * 2
    last = found[f"{NAME}_chunk_4000_6000"]
    assert [(one["timestamp_ms"], one["end_ms"], one["label"]) for one in last["detections"]] == [(100, 200, "OVEN")]
    rows = pq.read_table(tmp_path / "out" / NAME / f"{NAME}.parquet").to_pylist()
    assert [row["absolute_time_ms"] for row in rows] == [100, 4100]
    # BADC takes every JSON file below the folder for a chunk; what the program wrote itself is beside it.
    assert len(list((tmp_path / "out").rglob("*.json"))) == len(found)
    assert len(list((tmp_path / "out_outputs" / NAME).glob("*.json"))) == 2


def test_chunks_of_one_file_may_be_any_part_of_it(tmp_path, elsewhere):
    sound = tmp_path / "plain/R.flac"
    write_sound(sound, with_tone(noise(10, seed=2), 5.0, 6.0, 3000))
    chunks = virtual_chunks(CutSound(sound, ChunkSettings(length_s=2, overlap_s=0)), "R.flac")
    lines = [",".join(BADC_COLUMNS)]
    lines += [f"R,{c.chunk_id},{c.source_path},{c.start_ms},{c.end_ms},0,TODO_HASH," for c in (chunks[0], chunks[3])]
    manifest = tmp_path / "plain/R.csv"
    manifest.write_text("\n".join(lines) + "\n")
    assert badc("infer", "run", manifest).exit_code == 0
    found = jsons(elsewhere / "artifacts/infer/R")
    # The tone lies in the third chunk, which is not in the manifest.
    assert {name: each["detections"] for name, each in found.items()} == {
        chunks[0].chunk_id: [],
        chunks[3].chunk_id: [],
    }
    assert "dataset_root" not in found[chunks[0].chunk_id]

    manifest.write_text("\n".join([*lines, f"R,{chunks[2].chunk_id},R.flac,4000,6000,0,TODO_HASH,"]) + "\n")
    assert badc("infer", "run", manifest).exit_code == 0
    assert [len(each["detections"]) for each in jsons(elsewhere / "artifacts/infer/R").values()] == [0, 1, 0]
    manifest.write_text("\n".join([*lines, "R,R_chunk_8000_12000,R.flac,8000,12000,0,TODO_HASH,"]) + "\n")
    result = badc("infer", "run", manifest)
    assert result.exit_code == 1
    assert "holds 10000 ms; by the manifest the chunk is 8000 to 12000 ms" in result.output


def test_a_manifest_of_ours_gives_the_same_as_the_assets(tmp_path):
    dataset = make_dataset(tmp_path / "data", 1, seconds=6)
    dataset.chunk()
    dataset.analyse()
    (recording,) = dataset.recording_ids
    assert badc("infer", "run", dataset.layout.manifest(recording), "--output-dir", tmp_path / "out").exit_code == 0
    names = ["chunk_id", "absolute_time_ms", "absolute_end_ms", "label", "confidence", "chunk_sha256"]
    ours = pq.read_table(dataset.layout.detections(recording), columns=names)
    assert len(ours) > 0
    assert pq.read_table(tmp_path / "out" / recording / f"{recording}.parquet", columns=names) == ours


def test_a_manifest_in_the_datasets_own_place_is_its_own_unless_badc_wrote_it(tmp_path, monkeypatch):
    dataset = make_dataset(tmp_path / "data", 2, seconds=4)
    dataset.chunk()
    layout, (first, second) = dataset.layout, dataset.recording_ids
    monkeypatch.setenv("BADC_DATASET", str(layout.dataset))
    monkeypatch.setenv("BADC_CHUNKING__LENGTH_S", "2")
    row = f"{second},{chunk_id(second, 0, 2000)},audio/{second}.wav,0,2000,0,TODO_HASH,"
    layout.manifest(second).write_text(",".join(BADC_COLUMNS) + f"\n{row}\n")
    result = badc("infer", "run", layout.manifest(first), layout.manifest(second))
    assert result.exit_code == 0, result.output
    assert layout.detections(first).is_file()
    assert not layout.detections(second).exists()
    assert f"{second}: 1 chunks, 0 failed" in result.output


def test_annexed_results_are_replaced_and_never_written_through(tmp_path):
    manifest = cut(tmp_path / "ds")
    folder = tmp_path / "ds/artifacts/infer" / NAME
    objects = tmp_path / "ds/.git/annex/objects"
    objects.mkdir(parents=True)
    folder.mkdir(parents=True)
    names = [f"{chunk.chunk_id}.json" for chunk in read_manifest(manifest)] + [f"{NAME}.parquet"]
    for name in names:
        (objects / name).write_text("annexed")
        (folder / name).symlink_to(objects / name)
    assert badc("infer", "run", manifest).exit_code == 0
    assert {(objects / name).read_text() for name in names} == {"annexed"}
    assert not any((folder / name).is_symlink() for name in names)


def test_what_a_summary_of_badc_says_is_done_is_taken_over(tmp_path):
    manifest = cut(tmp_path / "ds")
    first, second, third = read_manifest(manifest)
    done = tmp_path / "ds/artifacts/infer" / NAME / f"{first.chunk_id}.json"
    done.parent.mkdir(parents=True)
    item = {
        "timestamp_ms": 5,
        "end_ms": 9,
        "label": "RUGR",
        "label_code": "RUGR",
        "label_name": None,
        "confidence": 0.9,
    }
    done.write_text(json.dumps({"chunk_id": first.chunk_id, "detections": [item]}))
    job = {"status": "success", "attempts": 1, "retries": 0, "worker": "gpu-0"}
    jobs = {first.chunk_id: {**job, "output": str(done)}, second.chunk_id: {**job, "output": "gone.json"}}
    summary = tmp_path / "log.jsonl.summary.json"
    summary.write_text(json.dumps({"telemetry_log": "log.jsonl", "workers": {}, "jobs": jobs}))
    result = badc("infer", "run", manifest, "--resume-summary", summary, "--telemetry-log", "new.jsonl")
    assert result.exit_code == 0, result.output
    assert "1 chunks taken over" in result.output
    assert "gone.json: is named in the summary and is not there" in result.output
    events = [json.loads(line) for line in Path("new.jsonl").read_text().splitlines()]
    assert {event["chunk_id"] for event in events} == {second.chunk_id, third.chunk_id}
    assert [one["label"] for one in jsons(done.parent)[first.chunk_id]["detections"]] == ["RUGR"]


def test_datalad_run_is_printed_and_nothing_done(tmp_path):
    manifest = cut(tmp_path / "ds")
    result = badc("infer", "run", manifest, "--use-hawkears", "--max-gpus", 2, "--print-datalad-run")
    words = shlex.split(result.stdout)
    assert words[:6] == ["datalad", "run", "-d", str(tmp_path / "ds"), "-m", f"Infer {NAME}"]
    assert words[words.index("--") + 1 :] == [
        "badc", "infer", "run", f"manifests/{NAME}.csv", "--use-hawkears", "--max-gpus", "2", "--output-dir",
        "artifacts/infer",
    ]  # fmt: skip
    assert f"artifacts/chunks/{NAME}" in words
    assert not (tmp_path / "ds/artifacts/infer").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.csv"], "there is no chunk manifest"),
        (["m.csv", "--detector", "energy", "--use-hawkears"], "name different detectors"),
        (["m.csv", "--runner-cmd", "x", "--stub-runner"], "name different detectors"),
        (["m.csv", "--detector", "nobody"], "there is no detector 'nobody'"),
        (["m.csv", "--print-datalad-run"], "is in no DataLad dataset"),
        (["--print-datalad-run"], "none is named"),
        (["m.csv", "--resume-summary", "none.json"], "none.json"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(elsewhere, arguments, says):
    chunk = Chunk("R", chunk_id("R", 0, 1000), "R.wav", 0, 1000, 0, "")
    values = [getattr(chunk, name) for name in BADC_COLUMNS]
    (elsewhere / "m.csv").write_text(",".join(BADC_COLUMNS) + "\n" + ",".join(map(str, values)) + "\n")
    with pytest.raises(BadcError, match=says) as raised:
        badc("infer", "run", *arguments)
    assert "\n" not in str(raised.value)
