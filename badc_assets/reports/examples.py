"""The best detections of a dataset as cards with a picture and a sound, spread over labels and sites."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.recordings.facts import read_facts
from badc_assets.reports.queries import Row
from badc_assets.reports.settings import ReportSettings


@dataclass(frozen=True)
class Example:
    """One detection to show. `picture` and `sound` are data URIs; `clip_start_ms` counts from the recording's start."""

    detection: Row
    picture: str
    sound: str
    clip_start_ms: int
    clip_seconds: float


@dataclass(frozen=True)
class Examples:
    """The cards, and one sentence for each detection that could not be shown."""

    shown: tuple[Example, ...]
    skipped: tuple[str, ...]


def examples(layout: Layout, best: Sequence[Row], settings: ReportSettings) -> Examples:
    """Pictures and sounds of up to `settings.example_clips` of `best`, within `settings.media_megabytes`.

    A detection whose sound is not here is passed over, up to three times as many as are to be shown.
    """
    shown: list[Example] = []
    skipped: list[str] = []
    room = round(settings.media_megabytes * 1_000_000)
    for detection in spread(best):
        if len(shown) >= settings.example_clips or len(skipped) >= 3 * settings.example_clips:
            break
        try:
            example = _example(layout, detection, settings)
        except BadcError as error:
            skipped.append(f"{detection['audio_path']}: {error.problem}")
            continue
        room -= len(example.picture) + len(example.sound)
        if room < 0:
            break
        shown.append(example)
    return Examples(tuple(shown), tuple(skipped))


def spread(best: Sequence[Row]) -> Iterator[Row]:
    """`best` (highest confidence first) in an order where each next one has the label, then the site, seen least."""
    labels: Counter[str | None] = Counter()
    sites: Counter[str | None] = Counter()
    waiting = list(enumerate(best))
    while waiting:
        chosen = min(waiting, key=lambda item: (labels[item[1]["label"]], sites[item[1]["site"]], item[0]))
        waiting.remove(chosen)
        labels[chosen[1]["label"]] += 1
        sites[chosen[1]["site"]] += 1
        yield chosen[1]


def _example(layout: Layout, detection: Row, settings: ReportSettings) -> Example:
    from badc_assets.reports.spectrogram import Box, clip_flac, read_clip, spectrogram_png

    facts = read_facts(layout, detection["recording_id"])
    if facts is None:
        raise BadcError(layout.facts(detection["recording_id"]), "is missing", "examine the recording again")
    start_ms = detection["start_ms"]
    end_ms = start_ms if detection["end_ms"] is None else max(detection["end_ms"], start_ms)
    box = Box(start_ms, end_ms, detection["low_hz"], detection["high_hz"])
    clip = read_clip(layout.source(facts.audio_path), box, settings.clip_seconds)
    return Example(
        detection=detection,
        picture=_data_uri("image/png", spectrogram_png(clip, box)),
        sound=_data_uri("audio/flac", clip_flac(clip, settings.clip_sample_rate_hz)),
        clip_start_ms=clip.start_ms,
        clip_seconds=len(clip.samples) / clip.sample_rate_hz,
    )


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
