"""Recordings that are bad, named badly, elsewhere, or interrupted while they are chunked."""

from __future__ import annotations

from pathlib import Path

from badc_assets.chunks.manifest import read_manifest
from badc_assets.chunks.status import read_status
from badc_assets.detections.store import read_table
from badc_assets_tests.audio.builders import chunk as riff_chunk
from badc_assets_tests.audio.builders import cut, format_chunk, riff
from badc_assets_tests.compared.command import badc, kill_when, start
from badc_assets_tests.compared.rows import compared
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.sounds import noise, with_tone, write_sound
from badc_assets_tests.whole_runs import temporary_files


def chunk_all() -> tuple[int, dict[str, str]]:
    """`badc chunk orchestrate --apply`: its status, and what was left out for which reason."""
    said = badc("chunk", "orchestrate", "--apply", "--json")
    return said.status, said.json["left_out"]


@compared(
    "F1",
    "B7",
    situation="The first of two files holds random bytes",
    badc="Stops there, on every rerun: the good file is never chunked. `chunk run` shows a traceback",
    ours="The good file is chunked; the bad one is named with its reason, exit status 1. Only it is tried again",
)
def test_random_bytes(data: Path):
    dataset = make_dataset(data, 2, bad=(0,))
    bad, good = dataset.recording_ids
    for _ in range(2):
        status, left_out = chunk_all()
        assert (status, list(left_out)) == (1, [bad])
        assert left_out[bad].startswith("unreadable: cannot be read as sound")
        assert len(read_manifest(dataset.layout.manifest(good))) == 3
    assert badc("chunk", "orchestrate").line("1 recordings to chunk")
    said = badc("chunk", "run", data / f"audio/{bad}.wav", "--chunk-duration", "2")
    assert said.is_refusal(f"{bad}.wav")


@compared(
    "F2",
    "B9",
    situation="A WAV file without a byte",
    badc="`Aborted.`; the status file says `failed` with an empty error",
    ours="Named as empty, exit status 1, from `chunk orchestrate` as from `chunk run`; the status file has the reason",
)
def test_no_bytes(data: Path):
    dataset = make_dataset(data, 1)
    (data / "audio/empty.wav").touch()
    status, left_out = chunk_all()
    assert status == 1
    assert left_out["empty"].startswith("empty: has no bytes")
    kept = read_status(dataset.layout, "empty")
    assert kept is not None
    assert (kept.status, kept.error) == ("failed", left_out["empty"])
    said = badc("chunk", "run", data / "audio/empty.wav", "--chunk-duration", "2")
    assert said.is_refusal("empty.wav")


@compared(
    "F2b",
    "B9",
    situation="A WAV file with a header and no samples",
    badc="Exit 0, status `completed` with 0 rows, and no manifest",
    ours="Named as empty, exit status 1, status `failed`; no manifest",
)
def test_header_without_samples(data: Path):
    dataset = make_dataset(data, 1)
    (data / "audio/header.wav").write_bytes(riff(format_chunk(), riff_chunk(b"data", b"")))
    status, left_out = chunk_all()
    assert status == 1
    assert left_out["header"].startswith("empty: has a header but no samples")
    kept = read_status(dataset.layout, "header")
    assert kept is not None and kept.status == "failed"
    assert not dataset.layout.manifest("header").exists()
    said = badc("chunk", "run", data / "audio/header.wav", "--chunk-duration", "2")
    assert said.is_refusal("header.wav", "no samples")


@compared(
    "F3",
    "B8",
    situation="A WAV file cut off at 60 %",
    badc="Exit 0, `completed`; the manifest has all rows, four of them for WAV files that are a header only",
    ours="Named with what its header promises and what it holds, exit status 1; no manifest, no WAV file",
)
def test_cut_off(data: Path):
    dataset = make_dataset(data, 1)
    file = cut(write_sound(data / "audio/cut.wav", noise(10)), 0.6)
    status, left_out = chunk_all()
    assert status == 1
    assert "declares 10.000 s of sound but holds 5.99" in left_out["cut"]
    assert not dataset.layout.manifest("cut").exists()
    said = badc("chunk", "run", file, "--chunk-duration", "2")
    assert said.is_refusal("ends early")
    assert list(data.glob("**/*_chunk_*.wav")) == []


@compared(
    "F4",
    "B2",
    situation="A FLAC file, whole or cut off",
    badc="All commands refuse FLAC (no RIFF id); its own function leaves the chunks before the end of a cut-off one behind",
    ours="The whole one is chunked and analysed like a WAV file. The cut-off one is named, exit status 1; nothing is written",
)
def test_flac(data: Path):
    dataset = make_dataset(data, 0)
    whole = write_sound(data / "audio/whole.flac", with_tone(noise(5), 1, 2, 3000))
    short = cut(write_sound(data / "audio/short.flac", noise(10)), 0.5)
    said = badc("pipeline", "run", "--json", "--no-bundle")
    assert said.status == 1
    assert list(said.json["left_out"]) == ["short"]
    assert said.json["left_out"]["short"].startswith("truncated: declares 10.000 s")
    assert read_table(dataset.layout.detections("whole")).num_rows > 0
    assert badc("chunk", "run", whole, "--chunk-duration", "2").status == 0
    assert len(list(data.glob("**/whole_chunk_*.wav"))) == 3
    said = badc("chunk", "run", short, "--chunk-duration", "2")
    assert said.is_refusal("ends early")
    assert list(data.glob("**/short_chunk_*.wav")) == []


@compared(
    "F5",
    "B11",
    situation="An annexed recording whose content is not here",
    badc="`chunk run`: traceback. `chunk orchestrate`: no recording matched, exit 0",
    ours="Named as absent, exit status 1; what is here is done. `chunk run`: one line",
)
def test_absent_content(data: Path):
    dataset = make_dataset(data, 1)
    key = f"SHA256E-s96044--{64 * 'a'}.wav"
    link = data / "audio/annexed.wav"
    link.symlink_to(f"../.git/annex/objects/Xx/Yy/{key}/{key}")
    assert badc("chunk", "orchestrate").line("annexed (content missing)")
    status, left_out = chunk_all()
    assert (status, list(left_out)) == (1, ["annexed"])
    assert "content" in left_out["annexed"]
    assert dataset.layout.manifest(dataset.recording_ids[0]).is_file()
    said = badc("chunk", "run", link, "--chunk-duration", "2")
    assert said.is_refusal("annexed.wav")


@compared(
    "F7",
    situation="`kill -9` while a dataset is chunked",
    badc="What was finished stays; the rest is done by the next run",
    ours="The same; the killed recording has no manifest until then, and nothing half-written is left",
)
def test_killed(data: Path):
    dataset = make_dataset(data, 3)
    first, second, _ = dataset.recording_ids
    stalling = """
import sys, time
from badc_assets.chunks import chunking
hash_spans = chunking.hash_spans
chunking.hash_spans = lambda path, *rest: time.sleep(600) if "0015" in path.name else hash_spans(path, *rest)
from badc_assets.cli.main import main
main()
"""

    def is_in_the_second() -> bool:
        status = read_status(dataset.layout, second)
        return status is not None and status.status == "in_progress"

    kill_when(start("chunk", "orchestrate", "--apply", program=stalling), is_in_the_second)
    manifests = [dataset.layout.manifest(recording) for recording in dataset.recording_ids]
    assert [manifest.exists() for manifest in manifests] == [True, False, False]
    made = dataset.layout.manifest(first).stat().st_mtime_ns
    assert chunk_all() == (0, {})
    assert all(len(read_manifest(manifest)) == 3 for manifest in manifests)
    assert dataset.layout.manifest(first).stat().st_mtime_ns == made
    assert temporary_files(data) == []
