"""Programs that fail, hang, or are killed; work that is interrupted, repeated, or done twice at once."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from badc_assets.detections.store import read_result_status, read_table
from badc_assets.inference.telemetry.reader import last_events
from badc_assets.inference.telemetry.run_summary import read_summary, summary_path
from badc_assets.layout import Layout
from badc_assets_tests.compared.command import badc, ended, kill_when, start
from badc_assets_tests.compared.rows import compared
from badc_assets_tests.datasets import Dataset, make_dataset
from badc_assets_tests.detectors.command.programs import program
from badc_assets_tests.detectors.command.test_engine import LOUD
from badc_assets_tests.inference.detectors import Trouble
from badc_assets_tests.inference.runs import run

DIARY = """
chunk = sys.argv[sys.argv.index("--input") + 1].rsplit("/", 1)[-1]
here = os.path.dirname(__file__)
with open(os.path.join(here, "diary"), "a") as diary:
    diary.write(os.environ["CHUNK"] + "\\n") if "CHUNK" in os.environ else diary.write(sys.argv[-1] + "\\n")
is_mended = os.path.exists(os.path.join(here, "mended"))
"""


class Program:
    """A program as detector of the project: it notes which chunk it was given, and is `mended` at some time."""

    def __init__(self, folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        words = [*program(folder, DIARY + body), "--input", "{input}", "--output", "{output}", "{chunk_id}"]
        monkeypatch.setenv("BADC_DETECTOR", "command")
        monkeypatch.setenv("BADC_DETECTORS__COMMAND__COMMAND", " ".join(words))

    def mend(self) -> None:
        (self.folder / "mended").touch()

    @property
    def given(self) -> Counter[str]:
        """Chunk -> how often it was given to the program."""
        diary = self.folder / "diary"
        return Counter(diary.read_text().splitlines() if diary.exists() else ())


FINDS = "write(found('RUGR'))"
FAILS_ON_ONE = (
    """
if "4000_5000" in sys.argv[-1] and not is_mended:
    sys.exit("CUDA out of memory")
"""
    + FINDS
)
STALLS_ON_ONE = (
    """
if "4000_5000" in sys.argv[-1] and not is_mended:
    time.sleep(600)
"""
    + FINDS
)


@pytest.fixture
def dataset(data: Path) -> Dataset:
    """Two recordings of three chunks each, chunked."""
    made = make_dataset(data, 2)
    assert badc("chunk", "orchestrate", "--apply").status == 0
    return made


def found(layout: Layout, recording: str) -> list[str]:
    return [row["label"] for row in read_table(layout.detections(recording)).to_pylist()]


@compared(
    "F8",
    "B3",
    situation="A program of one's own that writes detections",
    badc="What it wrote is replaced by an empty list, exit 0: all its detections are lost",
    ours="They are checked, kept as they were written, and in the table. What is no result fails with one line",
)
def test_detections_of_a_program(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Program(tmp_path / "finds", FINDS, monkeypatch)
    assert badc("infer", "run").status == 0
    for recording in dataset.recording_ids:
        assert found(dataset.layout, recording) == ["RUGR"] * 3
        kept = list(dataset.layout.kept_outputs(recording).iterdir())
        assert len(kept) == 3 and all("RUGR" in file.read_text() for file in kept)
    Program(tmp_path / "silent", "", monkeypatch)
    said = badc("infer", "run")
    assert said.status == 1
    for recording in dataset.recording_ids:
        assert said.line(f"{recording}: ", "wrote no output file")


@compared(
    "F9",
    "B5",
    situation="`kill -9` while detections are made",
    badc="The JSON of finished chunks stays, but there is no summary, and so no resuming: all is done again",
    ours="The next run goes on by itself; only what was in hand is done again",
)
def test_killed(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stalls = Program(tmp_path / "bin", STALLS_ON_ONE, monkeypatch)
    kill_when(start("infer", "run"), lambda: any("4000_5000" in chunk for chunk in stalls.given))
    finished = {chunk for chunk in stalls.given if "4000_5000" not in chunk}
    assert finished
    stalls.mend()
    assert badc("infer", "run").status == 0
    assert {stalls.given[chunk] for chunk in finished} == {1}
    for recording in dataset.recording_ids:
        assert found(dataset.layout, recording) == ["RUGR"] * 3


@compared(
    "F10",
    "B5",
    situation="One chunk always fails",
    badc="After its last attempt everything stops: 2 of 40 chunks done, traceback, no summary",
    ours="All others are analysed. The recording is named with the reason, exit status 1; summary and log have the failure",
)
def test_one_chunk_fails(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fails = Program(tmp_path / "bin", FAILS_ON_ONE.replace("4000_5000", "001500_chunk_4000_5000"), monkeypatch)
    good, bad = dataset.recording_ids
    log = tmp_path / "log.jsonl"
    said = badc("infer", "run", "--telemetry-log", log, "--max-retries", "2")
    assert said.status == 1
    assert said.line(f"{bad}: ", "CUDA out of memory")
    assert (found(dataset.layout, good), found(dataset.layout, bad)) == (["RUGR"] * 3, ["RUGR"] * 2)
    assert sorted(fails.given.values()) == [1, 1, 1, 1, 1, 3]
    states = [row["status"] for row in read_table(dataset.layout.effort(bad)).to_pylist()]
    assert states == ["ok", "ok", "failed"]
    jobs = read_summary(summary_path(log)).jobs
    assert sorted(job.status for job in jobs.values()) == ["failure"] + ["success"] * 5


@compared(
    "F11b",
    "B16",
    situation="Two `infer run` of the same recordings at once",
    badc="Each chunk is analysed twice",
    ours="Each chunk is analysed once; both exit 0",
)
def test_two_at_once(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    once = Program(tmp_path / "bin", "time.sleep(0.2)\n" + FINDS, monkeypatch)
    both = [start("infer", "run") for _ in range(2)]
    said = [ended(process) for process in both]
    assert [each.status for each in said] == [0, 0], said
    assert list(once.given.values()) == [1] * 6
    assert found(dataset.layout, dataset.recording_ids[0]) == ["RUGR"] * 3


@compared(
    "F13a",
    "B14",
    situation="An empty output folder of a recording",
    badc="Taken for results: the recording is skipped",
    ours="Analysed: results are what is complete and made of this sound with these settings",
)
def test_empty_output_folder(dataset: Dataset):
    first, second = dataset.recording_ids
    dataset.layout.infer_dir(first).mkdir(parents=True)
    said = badc("infer", "orchestrate", "--detector", "energy", "--apply", "--json")
    assert (said.status, said.json["stages"]["analysis"]["done"]) == (0, 2)
    for recording in (first, second):
        status = read_result_status(dataset.layout, recording)
        assert status is not None and status.is_complete


@compared(
    "F15",
    "B6",
    situation="A run that failed is started again, and again",
    badc="The second resume has forgotten what the first run did, and repeats it",
    ours="Each run adds what was missing; the summary has all chunks",
)
def test_resumed_twice(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fails = Program(tmp_path / "bin", FAILS_ON_ONE, monkeypatch)
    log = tmp_path / "log.jsonl"
    command = ("infer", "run", "--telemetry-log", log, "--max-retries", "0")
    assert badc(*command).status == 1
    before = fails.given
    fails.mend()
    for _ in range(2):
        assert badc(*command, "--resume-summary", summary_path(log)).status == 0
    again = fails.given - before
    assert set(again.values()) == {1}
    assert all("4000_5000" in chunk for chunk in again)
    jobs = read_summary(summary_path(log)).jobs
    assert [job.status for job in jobs.values()] == ["success"] * 6


@compared(
    "F20",
    situation="The program, HawkEars or the sound is not there",
    badc="A traceback without an event; three attempts and then another error; the stub reports success",
    ours="One line each that says what is missing, exit status 1; never a success",
)
def test_something_is_missing(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BADC_DETECTORS__COMMAND__COMMAND", "/no/such/program")
    assert badc("infer", "run", "--detector", "command").is_refusal("/no/such/program: there is no such program")
    assert badc("infer", "run", "--detector", "hawkears").is_refusal("badc detectors setup hawkears")
    assert badc("infer", "run", "--detector", "hawk").is_refusal("there is no detector 'hawk'", "hawkears")
    gone, there = dataset.recording_ids
    dataset.layout.source(f"audio/{gone}.wav").unlink()
    said = badc("infer", "run", "--detector", "stub")
    assert said.status == 1
    assert said.line(f"{gone}: does not exist")
    assert said.line("2 recordings: 0 had results already, 1 were left out")
    assert read_result_status(dataset.layout, there) is not None


@compared(
    "B13",
    situation="Chunks that overlap, and a sound in the overlap",
    badc="It is counted twice",
    ours="It is counted once, also for programs that are given chunk by chunk: what two chunks heard is one detection",
)
def test_overlap(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dataset = make_dataset(data, 1)
    monkeypatch.setenv("BADC_DETECTORS__COMMAND__COMMAND", " ".join(program(tmp_path / "bin", LOUD)))
    for detector, expected in (("energy", 1), ("command", 10)):
        for overlap in ("0", "1"):
            said = badc("pipeline", "run", "--chunk-overlap", overlap, "--detector", detector, "--no-bundle")
            assert said.status == 0
            rows = read_table(dataset.layout.detections(dataset.recording_ids[0])).to_pylist()
            assert len({(row["absolute_time_ms"], row["absolute_end_ms"]) for row in rows}) == len(rows) == expected


@compared(
    "B23",
    situation="What the log of a run says",
    badc="`telemetry` hides the status; a program that cannot be started leaves no failure; `nvidia-smi` runs twice a chunk",
    ours="Status of each event; each failed attempt with its reason; `nvidia-smi` is never run",
)
def test_log(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tool = tmp_path / "tools/nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho run >> {tmp_path}/asked\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{Path(sys.executable).parent}:/usr/bin:/bin")
    broken = tmp_path / "broken"
    broken.write_text("this is no program\n")
    broken.chmod(0o755)
    monkeypatch.setenv("BADC_DETECTORS__COMMAND__COMMAND", str(broken))
    log = tmp_path / "log.jsonl"
    said = badc("infer", "run", "--detector", "command", "--telemetry-log", log)
    assert said.status == 1
    shown = badc("telemetry", "--log", log)
    assert "[start]" in shown.text and "[failure]" in shown.text
    failures = [event for event in last_events(log, 100) if event.status == "failure"]
    assert len({event.chunk_id for event in failures}) == 6
    assert not (tmp_path / "asked").exists()


@compared(
    "B24",
    situation="Sound for which the memory is too small",
    badc="A formula advises on the length of chunks: 3591 s on a card that ran out of memory with 600 s",
    ours="Memory does not depend on the length of chunks: windows are scored in batches, and one that does not fit is halved. "
    "`chunk probe` runs the detector on longer and longer chunks; where it cannot, it calls its answer an estimate",
)
def test_memory(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    outcomes = run(dataset, Trouble("memory", tmp_path / "diary"), batch_windows=16)
    assert all(outcome.is_complete for outcome in outcomes)
    assert {row["attempts"] for row in read_table(dataset.layout.effort(dataset.recording_ids[0])).to_pylist()} == {1}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav")
    measured = badc("chunk", "probe", file, "--detector", "energy")
    assert measured.status == 0
    assert "not a measurement" not in measured.text
    assert "not a measurement" in badc("chunk", "probe", file, "--detector", "stub").text
