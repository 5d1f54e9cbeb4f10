"""A stand-in for analyze.py of HawkEars 1: its arguments, its output, and its habit of ending with status 0.

What a run was given is noted in `words.json`. What goes wrong is chosen by the name of the recording.
"""

import argparse
import array
import csv
import json
import logging
import os
import sys
import wave
from pathlib import Path

ROWS = ("filename", "start_time", "end_time", "class_name", "class_code", "score")
SEGMENT_S = 3


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("-b", "--band", type=int, default=1)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("-i", "--input", default="")
    parser.add_argument("-o", "--output", default="")
    parser.add_argument("--overlap", type=float, default=1.5)
    parser.add_argument("-m", "--merge", type=int, default=1)
    parser.add_argument("-p", "--min_score", type=float, default=0.75)
    parser.add_argument("--rtype", default="audacity")
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--date")
    parser.add_argument("--lat", type=float)
    parser.add_argument("--lon", type=float)
    parser.add_argument("--region")
    return parser.parse_args()


def loud(path: str) -> float | None:
    """The loudest sample; None where the file cannot be read, which is only logged."""
    try:
        with wave.open(path) as sound:
            samples = array.array("h", sound.readframes(sound.getnframes()))
    except (OSError, EOFError, wave.Error) as error:
        logging.error("Caught exception in audio load of %s: %s", path, error)
        return None
    return max((abs(sample) for sample in samples), default=0) / 32768


def rows(args: argparse.Namespace, name: str) -> list[tuple]:
    score = loud(args.input)
    if score is None or score < args.min_score or args.region == "CA-ON-OT":
        return []
    found = [(name, 0.0, SEGMENT_S, "Ovenbird", "OVEN", score)]
    if args.merge == 0:
        found.append((name, SEGMENT_S - args.overlap, 2 * SEGMENT_S - args.overlap, "Ovenbird", "OVEN", score))
    return found


def main() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    args = arguments()
    noted = {**vars(args), "cwd": str(Path.cwd()), "environment": dict(os.environ)}
    Path("words.json").write_text(json.dumps(noted))
    path = Path(args.input)
    if path.suffix not in (".wav", ".flac", ".mp3"):
        logging.error("Error: %s is not a directory or an audio file", path)
        sys.exit(0)  # as quit() does
    if "gpu-full" in path.name:
        logging.error("torch.OutOfMemoryError: CUDA out of memory")
        sys.exit(0)
    if "crash" in path.name:
        raise RuntimeError("unforeseen")
    name = path.resolve().name if "resolved" in path.name else "other.wav" if "other" in path.name else path.name
    Path(args.output).mkdir(parents=True, exist_ok=True)
    (Path(args.output) / "HawkEars_summary.txt").write_text("# Summary\n")
    if args.rtype in ("csv", "both"):
        with (Path(args.output) / "HawkEars_labels.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(ROWS)
            writer.writerows(
                (*row[:1], *(f"{x:.3f}" for x in row[1:3]), *row[3:5], f"{row[5]:.3f}") for row in rows(args, name)
            )


if __name__ == "__main__":
    main()
