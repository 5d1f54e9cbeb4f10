"""`badc chunk probe`, `split`, `manifest` and `run`: the chunks of one sound file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from badc_assets.errors import BadcError, printable

if TYPE_CHECKING:
    from badc_assets.chunks.wav_files import CutSound

chunk_app = typer.Typer(help="Divide recordings into chunks.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(help="Sound file: WAV, FLAC, MP3 or Ogg.")]
DurationOption = Annotated[float, typer.Option(help="Length of a chunk in seconds.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.add_typer(chunk_app, name="chunk")


@chunk_app.command()
def probe(
    file: FileArgument,
    initial_duration: Annotated[float, typer.Option(help="Seconds to begin with.")] = 60.0,
    max_duration: Annotated[float | None, typer.Option(help="Longest chunk to try. Default: the recording.")] = None,
    tolerance: Annotated[float, typer.Option(help="How exact the answer is, in seconds.")] = 5.0,
    gpu_index: Annotated[int | None, typer.Option(min=0, help="GPU to use. Default: the first that is free.")] = None,
    log: Annotated[
        Path | None, typer.Option(help="Log to write. Default: artifacts/telemetry/chunk_probe/NAME_TIME.jsonl.")
    ] = None,
    detector: Annotated[str | None, typer.Option(help="Detector to measure. Default: that of the project.")] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Measure nothing: BADC's rule of thumb.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Measure anew what was measured before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Find the longest chunk that the detector takes on this computer, and what an hour of sound costs.

    Example: badc chunk probe audio/R.wav --detector hawkears --max-duration 600

    It is run on longer and longer chunks of the file; the answer is kept for this device and these weights. Where the detector
    cannot be run, the answer is an estimate of memory, and says so. Exit status 1 when no chunk fits.
    """
    from badc_assets.cli.chunk_probe_view import show
    from badc_assets.inference.chunk_length.probe import Asked
    from badc_assets.project import load_project
    from badc_assets.stages.chunk_probe import probed
    from badc_assets.stages.detector_choice import DetectorChoice

    project = DetectorChoice(detector).applied(load_project())
    asked = Asked(file, initial_duration, max_duration, tolerance)
    found = probed(project, asked, gpu_index=gpu_index, log=log, only_estimate=estimate, again=again)
    show(found, as_json=as_json)
    if found.duration_s is None:
        raise typer.Exit(1)


@chunk_app.command()
def split(file: FileArgument, chunk_duration: DurationOption = 60.0) -> None:
    """Print the ids of the chunks that a file would have. Nothing is written.

    Example: badc chunk split audio/GNWT-290_20230331_235938.wav --chunk-duration 30
    """
    from badc_assets.chunks.manifest import chunk_id
    from badc_assets.chunks.wav_files import planned

    sound = _sound(file, chunk_duration, 0)
    for span in planned(sound):
        print(printable(chunk_id(sound.recording_id, span.start_ms, span.end_ms)))


@chunk_app.command()
def manifest(
    file: FileArgument,
    chunk_duration: DurationOption = 60.0,
    output: Annotated[Path, typer.Option(help="CSV file to write.")] = Path("chunk_manifest.csv"),
    hash_chunks: Annotated[
        bool, typer.Option("--hash-chunks/--no-hash-chunks", help="Write WAV chunks to artifacts/chunks and hash them.")
    ] = False,
) -> None:
    """Write the chunks of a file as a manifest: of the whole file, or with --hash-chunks of WAV files that are written too.

    Example: badc chunk manifest audio/R.flac --output R.csv
    """
    from badc_assets.chunks.manifest import write_manifest
    from badc_assets.chunks.wav_files import virtual_chunks, write_wav_chunks

    sound = _sound(file, chunk_duration, 0)
    if hash_chunks:
        chunks = tuple(write_wav_chunks(sound, Path("artifacts/chunks") / sound.recording_id, Path.cwd()))
    else:
        chunks = virtual_chunks(sound, file.as_posix())
    write_manifest(output, chunks)
    print(f"{len(chunks)} chunks: {printable(str(output))}")


@chunk_app.command()
def run(
    file: FileArgument,
    chunk_duration: Annotated[float, typer.Option(help="Length of a chunk in seconds.")],
    overlap: Annotated[float, typer.Option(help="Seconds of a chunk that the next one repeats.")] = 0.0,
    output_dir: Annotated[
        Path | None, typer.Option(help="Folder for the files. Default: artifacts/chunks/NAME of the dataset.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Manifest to write. Default: manifests/NAME.csv of the dataset.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run/--write-chunks", help="Only say what would be written.")] = False,
) -> None:
    """Cut a file into WAV files, and write their manifest last. The dataset is the nearest folder above with `.datalad`, else the
    file's own.

    Example: badc chunk run audio/R.flac --chunk-duration 60 --overlap 5

    The graph does not need these files (its chunks are virtual); other programs may.
    """
    from badc_assets.chunks.manifest import chunk_id, write_manifest
    from badc_assets.chunks.wav_files import planned, root_of, write_wav_chunks

    sound = _sound(file, chunk_duration, overlap)
    root = root_of(file)
    folder = root / (output_dir or Path("artifacts/chunks") / sound.recording_id)
    target = root / (manifest or Path("manifests") / f"{sound.recording_id}.csv")
    if dry_run:
        for span in planned(sound):
            name = chunk_id(sound.recording_id, span.start_ms, span.end_ms)
            print(printable(f"{folder / name}.wav"))
        return
    chunks = tuple(write_wav_chunks(sound, folder, root))
    write_manifest(target, chunks)
    print(f"{len(chunks)} chunks in {printable(str(folder))}, manifest {printable(str(target))}")


def _sound(file: Path, length_s: float, overlap_s: float) -> CutSound:
    from pydantic import ValidationError

    from badc_assets.chunks.settings import ChunkSettings
    from badc_assets.chunks.wav_files import CutSound

    try:
        return CutSound(file, ChunkSettings(length_s=length_s, overlap_s=overlap_s))  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BadcError("--chunk-duration or --overlap", problem, "give other seconds") from error
