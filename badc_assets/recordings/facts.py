"""The facts of one recording: format, place and time, and whatever is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

from badc_assets.audio.probe import BadSound, SoundFormat, probe
from badc_assets.files import write_json
from badc_assets.layout import Layout
from badc_assets.provenance.annex import has_content
from badc_assets.recordings.identity import content_key
from badc_assets.recordings.model import CatalogEntry, Flag, RecordingFacts
from badc_assets.recordings.names import parse_name
from badc_assets.recordings.settings import RecordingSettings

_FROM_NAME = "file name"


def examine(layout: Layout, entry: CatalogEntry, settings: RecordingSettings) -> RecordingFacts:
    """Look at one recording. Bad sound is never raised: it becomes a flag, fatal unless the settings say otherwise.

    Codes of flags: those of `BadSound`, `vanished`, and the warnings `duplicate` and `changed_since_catalogued`.
    `start_utc` stays unknown, since the name of a file does not tell the zone.
    """
    key, size, flags = entry.content_key, entry.size_bytes, []
    sound: SoundFormat | None = None
    if entry.state == "vanished":
        flags.append(Flag("vanished", "fatal", "was in the dataset before and is not there any more"))
    else:
        source = layout.source(entry.audio_path)
        key, size = _current_key(source, entry)
        try:
            sound = probe(source)
        except BadSound as error:
            flags.append(Flag(error.code, "fatal", f"{error.problem}; {error.remedy}"))
    if sound is not None:
        flags += _sound_flags(sound, settings)
    if key != entry.content_key:
        flags.append(Flag("changed_since_catalogued", "warning", "has changed since the last scan; scan again"))
    if entry.duplicate_of:
        flags.append(Flag("duplicate", "warning", f"has the same content as {entry.duplicate_of}"))
    name = parse_name(entry.alias)
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
        site=name.site,
        site_source=_FROM_NAME if name.site else "",
        start_local=name.start_local.isoformat() if name.start_local else None,
        time_source=_FROM_NAME if name.start_local else "",
        flags=tuple(flags),
        settings_digest=settings.digest,
    )


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
