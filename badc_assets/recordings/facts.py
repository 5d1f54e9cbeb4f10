"""The facts of one recording: format, place and time, and whatever is wrong with it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from badc_assets.audio.probe import BadSound, SoundFormat, probe
from badc_assets.audio.tags import read_tags
from badc_assets.files import write_json
from badc_assets.layout import Layout
from badc_assets.provenance.annex import has_content
from badc_assets.recordings.headers import header_statements
from badc_assets.recordings.identity import content_key
from badc_assets.recordings.model import ABSENT_CODES, CatalogEntry, Flag, RecordingFacts
from badc_assets.recordings.place_time import Declared, load_declared, resolve
from badc_assets.recordings.settings import RecordingSettings
from badc_assets.recordings.statements import Statement

HEADERS_VERSION = 1
"""Raise it when headers are read otherwise: then files are opened again."""


@dataclass(frozen=True)
class _Observed:
    """What opening the file showed: its format, and what its headers say. None and empty when it could not be opened."""

    sound: SoundFormat | None = None
    headers: tuple[Statement, ...] = ()
    flags: tuple[Flag, ...] = ()


def examine(
    layout: Layout,
    entry: CatalogEntry,
    settings: RecordingSettings,
    declared: Declared | None = None,
    former: RecordingFacts | None = None,
) -> RecordingFacts:
    """Look at one recording. Bad sound is never raised: it becomes a flag, fatal unless the settings say otherwise.

    Codes of flags: those of `BadSound`, `vanished`, the warnings `duplicate`, `changed_since_catalogued` and `wrong_sample_rate`,
    and those of `place_time.resolve`. `former` are the facts as they were: while content, size and time of a sound file stay, it
    is not opened again, and what was known of sound that is not here now stays known. `declared` saves reading the files.
    """
    declared = declared or load_declared(settings)
    key, size = entry.content_key, entry.size_bytes
    if entry.state != "vanished":
        key, size = _current_key(layout.source(entry.audio_path), entry)
    observed = _observed(layout, entry, former if former is not None and former.content_key == key else None)
    flags = list(observed.flags)
    if observed.sound is not None and not any(flag.code in ABSENT_CODES for flag in flags):
        flags += _sound_flags(observed.sound, settings)
    if key != entry.content_key:
        flags.append(Flag("changed_since_catalogued", "warning", "has changed since the last scan; scan again"))
    if entry.duplicate_of:
        flags.append(Flag("duplicate", "warning", f"has the same content as {entry.duplicate_of}"))
    found = resolve(
        observed.headers, declared.templates.read(below_audio(layout, entry.audio_path)), declared, settings
    )
    sound = observed.sound
    if sound is not None and found.sample_rate_hz not in (None, sound.sample_rate_hz):
        reason = f"has {sound.sample_rate_hz} Hz, its deployment was set to {found.sample_rate_hz} Hz"
        flags.append(Flag("wrong_sample_rate", "warning", reason))
    return RecordingFacts(
        recording_id=entry.recording_id,
        audio_path=entry.audio_path,
        content_key=key,
        size_bytes=size,
        container=sound.container if sound else None,
        sample_format=sound.sample_format if sound else None,
        sample_rate_hz=sound.sample_rate_hz if sound else None,
        channels=sound.channels if sound else None,
        frames=sound.frames if sound else None,
        duration_ms=sound.duration_ms if sound else None,
        declared_frames=sound.declared_frames if sound else None,
        headers=tuple(statement.to_json() for statement in observed.headers),
        headers_version=HEADERS_VERSION if sound else 0,
        flags=(*flags, *found.flags),
        settings_digest=settings.digest,
        **asdict(found.place),
    )


def below_audio(layout: Layout, audio_path: str) -> str:
    """The path below the audio folder, which is what templates are about."""
    prefix = layout.audio.relative_to(layout.dataset).as_posix()
    return audio_path if prefix == "." else audio_path.removeprefix(f"{prefix}/")


def headers_of(source: Path) -> tuple[Statement, ...]:
    """What the headers of a file say; nothing when it cannot be read."""
    try:
        return header_statements(read_tags(source))
    except OSError:
        return ()


def _observed(layout: Layout, entry: CatalogEntry, former: RecordingFacts | None) -> _Observed:
    """What the file shows, from `former` facts of the same content where it need not be opened or is not here."""
    known = _remembered(former) if former is not None else None
    if entry.state == "vanished":
        flag = Flag("vanished", "fatal", "was in the dataset before and is not there any more")
        return replace(known or _Observed(), flags=(flag,))
    if known is not None and _is_here(layout, entry):
        return known
    observed = _observe(layout.source(entry.audio_path))
    is_absent = any(flag.code in ABSENT_CODES for flag in observed.flags)
    return replace(known, flags=observed.flags) if known is not None and is_absent else observed


def _observe(source: Path) -> _Observed:
    try:
        sound = probe(source)
    except BadSound as error:
        return _Observed(flags=(Flag(error.code, "fatal", f"{error.problem}; {error.remedy}"),))
    return _Observed(sound, headers_of(source))


def _remembered(former: RecordingFacts) -> _Observed | None:
    """What a former opening showed; None when it showed no sound, or headers were read otherwise then."""
    stated = (former.container, former.sample_format, former.sample_rate_hz, former.channels, former.frames,
              former.declared_frames)  # fmt: skip
    if former.headers_version != HEADERS_VERSION or None in stated:
        return None
    sound = SoundFormat(*stated)  # pyright: ignore[reportArgumentType] - none of them is None
    return _Observed(sound, tuple(Statement(**each) for each in former.headers))


def _is_here(layout: Layout, entry: CatalogEntry) -> bool:
    """Whether the file can still be read, without opening it."""
    source = layout.source(entry.audio_path)
    return entry.state == "present" and source.is_file() and os.access(source, os.R_OK)


def write_facts(layout: Layout, facts: RecordingFacts) -> None:
    """Write the facts as JSON. Raises BadcError when the place cannot be written."""
    write_json(layout.facts(facts.recording_id), facts.to_json())


def read_facts(layout: Layout, recording_id: str) -> RecordingFacts | None:
    """The facts as they were last written; None when they never were, or the file is damaged: then examine again."""
    path = layout.facts(recording_id)
    if not path.is_file():
        return None
    try:
        return RecordingFacts.from_json(json.loads(path.read_bytes()))
    except (ValueError, TypeError, AttributeError):
        return None


def missing_facts_reason(layout: Layout, recording_id: str) -> str:
    """Why `read_facts` gave none."""
    if layout.facts(recording_id).is_dir():
        return f"its facts cannot be stored: {layout.facts(recording_id)} is a folder; rename or remove it"
    return "its facts are missing; materialize recordings first"


def has_changed(layout: Layout, facts: RecordingFacts) -> bool:
    """Whether the file is not the one that was examined. What an annex key names does not change."""
    if not facts.content_key.startswith("STAT-"):
        return False
    source = layout.source(facts.audio_path)
    return not source.is_file() or content_key(source, source.stat()) != facts.content_key


def _current_key(source: Path, entry: CatalogEntry) -> tuple[str, int]:
    """(content key, bytes) of the file as it is now; it is read only if its size or time is not the catalogued one.

    What the catalogue has, when the file cannot be looked at: `probe` then says why.
    """
    try:
        if not has_content(source):
            return entry.content_key, entry.size_bytes
        stat = source.stat()
        if (stat.st_size, stat.st_mtime_ns) == (entry.size_bytes, entry.mtime_ns):
            return entry.content_key, stat.st_size
        return content_key(source, stat), stat.st_size
    except OSError:
        return entry.content_key, entry.size_bytes


def _sound_flags(sound: SoundFormat, settings: RecordingSettings) -> list[Flag]:
    if not sound.is_truncated:
        return []
    declared_s, held_s = (frames / sound.sample_rate_hz for frames in (sound.declared_frames, sound.frames))
    reason = f"declares {declared_s:.3f} s of sound but holds {held_s:.3f} s; copy it again from the card or archive"
    return [Flag("truncated", "fatal" if settings.truncated == "quarantine" else "warning", reason)]
