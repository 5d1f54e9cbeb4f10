"""What recordings and their chunks are called, and which chunks lie together."""

from __future__ import annotations

import csv
from pathlib import Path

import soundfile

from badc_assets.chunks.manifest import read_manifest
from badc_assets.detections.store import read_table
from badc_assets.recordings.current import require_catalog
from badc_assets_tests.compared.command import badc, ended, start
from badc_assets_tests.compared.rows import compared
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.git import require_programs
from badc_assets_tests.repositories import Repository
from badc_assets_tests.sounds import noise, with_tone, write_sound


def annexed_dataset(folder: Path) -> None:
    """A recording R with a tone, whose file is a link into the annex, as in a DataLad dataset."""
    require_programs("git", "git-annex")
    repository = Repository.annexed(folder)
    (folder / ".datalad").mkdir()
    write_sound(folder / "audio/R.wav", with_tone(noise(5), 1, 2, 3000))
    repository.run("git", "annex", "add", "-q", "audio")
    repository.commit("sound")
    assert (folder / "audio/R.wav").is_symlink()


@compared(
    "F6",
    situation="An annexed recording whose content is here, analysed with `--bundle`",
    badc="Its id is the key of its content (`MD5E-...`), and then no detections are found for the bundle",
    ours="Its id is the name of the file; the bundle holds its detections",
)
def test_annexed_recording(data: Path):
    annexed_dataset(data)
    assert badc("pipeline", "run", "--no-record-datalad").status == 0
    assert [chunk.chunk_id for chunk in read_manifest(data / "manifests/R.csv")] == [
        "R_chunk_0_2000", "R_chunk_2000_4000", "R_chunk_4000_5000",
    ]  # fmt: skip
    assert read_table(data / "artifacts/aggregate/R.parquet").num_rows > 0
    assert (data / "artifacts/aggregate/R_quicklook/labels.csv").is_file()


@compared(
    "B1",
    situation="WAV chunks of an annexed recording",
    badc="Link and name are resolved: the chunks are called after the key",
    ours="They are called after the file, and lie in the folder of that name",
)
def test_wav_chunks_of_an_annexed_recording(data: Path):
    annexed_dataset(data)
    assert badc("chunk", "run", data / "audio/R.wav", "--chunk-duration", "2").status == 0
    rows = read_manifest(data / "manifests/R.csv")
    assert {row.recording_id for row in rows} == {"R"}
    assert sorted(row.source_path for row in rows) == sorted(
        path.relative_to(data).as_posix() for path in data.glob("artifacts/chunks/R/*.wav")
    )


@compared(
    "F7b",
    situation="Chunked again with another duration",
    badc="Ignored while there is a manifest. Without it the WAV files of both lie in one folder, whose manifest names 10 of 410",
    ours="`chunk orchestrate` sees that the settings are others. `chunk run` refuses a folder with other chunks of the recording",
)
def test_another_duration(data: Path):
    dataset = make_dataset(data, 1)
    (recording,) = dataset.recording_ids
    for duration, chunks in (("2", 3), ("1", 5)):
        assert badc("chunk", "orchestrate", "--apply", "--chunk-duration", duration).status == 0
        assert len(read_manifest(dataset.layout.manifest(recording))) == chunks
    file = data / f"audio/{recording}.wav"
    assert badc("chunk", "run", file, "--chunk-duration", "2").status == 0
    before = sorted(data.rglob("*.wav"))
    (data / f"manifests/{recording}.csv").unlink()
    said = badc("chunk", "run", file, "--chunk-duration", "1")
    assert said.is_refusal("holds 2 chunks of this recording that were cut otherwise")
    assert sorted(data.rglob("*.wav")) == before
    assert badc("chunk", "run", file, "--chunk-duration", "2").status == 0, "the same again is no trouble"


@compared(
    "F11a",
    "B16",
    situation="Two `chunk run` of one file at once, with two durations",
    badc="Both exit 0; the files of both lie in one folder, the manifest names those of the last writer",
    ours="One does its work, the other waits and is refused in one line, exit status 1; manifest and folder agree",
)
def test_two_durations_at_once(data: Path):
    file = write_sound(data / "audio/R.wav", noise(30))
    (data / ".datalad").mkdir()
    both = [start("chunk", "run", file, "--chunk-duration", duration) for duration in ("0.5", "0.3")]
    said = [ended(process) for process in both]
    assert sorted(each.status for each in said) == [0, 1]
    (refused,) = (each for each in said if each.status)
    assert refused.is_refusal("that were cut otherwise")
    named = {row.source_path for row in read_manifest(data / "manifests/R.csv")}
    assert named == {path.relative_to(data).as_posix() for path in data.glob("artifacts/chunks/R/*.wav")}


@compared(
    "F18",
    "B10",
    "B11",
    situation="The same file name at two stations; a file whose name ends in `.WAV`",
    badc="The second overwrites the first, exit 0, one manifest; `.WAV` is not seen",
    ours="Each has an id of its own, with its folder in it, as recording and for its WAV chunks; `.WAV` is seen",
)
def test_equal_names(data: Path):
    (data / ".datalad").mkdir(parents=True)
    files = {
        name: write_sound(data / f"audio/{name}", noise(3, seed=number))
        for number, name in enumerate(("north/R.wav", "south/R.wav", "south/S.WAV"))
    }
    ids = ["north__R", "south__R", "south__S"]
    assert badc("chunk", "orchestrate", "--apply", "--no-record-datalad").status == 0
    layout = make_dataset(data, 0).layout
    assert [entry.recording_id for entry in require_catalog(layout).entries] == ids
    hashes = {recording: read_manifest(layout.manifest(recording))[0].sha256 for recording in ids}
    assert len(set(hashes.values())) == 3
    for file in files.values():
        assert badc("chunk", "run", file, "--chunk-duration", "2").status == 0
    for recording in ids:
        named = {row.source_path for row in read_manifest(layout.manifest(recording))}
        assert named == {f"artifacts/chunks/{recording}/{recording}_chunk_{at}.wav" for at in ("0_2000", "2000_3000")}
        assert all((data / path).is_file() for path in named)


@compared(
    "F16",
    "B15",
    situation="A WAV file of floats or of 24 bits; a comma in its name",
    badc="Floats are refused; the comma breaks the rows of the manifest, and the result lands in a folder of half the name",
    ours="All are read, bits and names are kept, and the comma is quoted in every CSV file",
)
def test_floats_and_commas(data: Path):
    make_dataset(data, 0)
    sound = with_tone(noise(3), 1, 2, 3000)
    files = {
        subtype: write_sound(data / f"audio/{subtype},1.wav", sound, subtype=subtype) for subtype in ("FLOAT", "PCM_24")
    }
    assert badc("pipeline", "run").status == 0
    for subtype, file in files.items():
        said = badc("chunk", "run", file, "--chunk-duration", "2", "--manifest", data / "of_files.csv")
        assert said.status == 0
        rows = read_manifest(data / "of_files.csv")
        assert {soundfile.info(data / row.source_path).subtype for row in rows} == {subtype}
    tables = [*data.glob("manifests/*.csv"), *data.glob("artifacts/aggregate/**/*.csv"), data / "of_files.csv"]
    assert len(tables) > 10
    for table in tables:
        header, *rows = csv.reader(table.open(newline=""))
        assert all(len(row) == len(header) for row in rows), table
