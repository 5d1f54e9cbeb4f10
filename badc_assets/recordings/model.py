"""What is known of a recording: its entry in the catalogue, its facts, and the flags against it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from badc_assets.files import stable_hash

EntryState = Literal["present", "content_missing", "vanished"]
Severity = Literal["warning", "fatal"]
RecordingStatus = Literal["ok", "flagged", "quarantined"]
ABSENT_CODES = ("vanished", "content_missing", "missing")
"""Flags of sound that is not here now."""


@dataclass(frozen=True)
class CatalogEntry:
    """One sound file of the dataset, as the last scan saw it. Nothing in it needs the file to be opened as sound.

    `audio_path` is relative to the dataset, with `/`. `content_key` identifies the content (see
    `recordings.identity.content_key`). `alias` is the file stem, which BADC used as its recording id. `moved_from` is
    the former path of a file that was renamed, `note` a sentence about a collision or a duplicate; both may be empty.
    """

    recording_id: str
    audio_path: str
    alias: str
    size_bytes: int
    mtime_ns: int
    content_key: str
    state: EntryState
    duplicate_of: str = ""
    moved_from: str = ""
    note: str = ""


@dataclass(frozen=True)
class Flag:
    """Something wrong with a recording. A fatal flag quarantines it: it is not chunked and never counted as silence."""

    code: str
    severity: Severity
    reason: str


@dataclass(frozen=True, kw_only=True)
class PlaceTime:
    """Where and when a recording was made, and by what. Each `*_source` names where the value was read; it is empty, and the
    value None, where nothing says it.

    `start_local` is ISO 8601 without an offset, in `zone` (an IANA name or an offset; None: the recorder's clock, zone unknown);
    `start_utc` with one. `clock_offset_s` was added to the recorder's clock. `side` tells recorders, cards or channels of one
    site apart. `template` is the name of the one that matched the path. Coordinates in degrees; the sun as in `recordings.sun`.
    """

    study_area: str | None = None
    study_area_source: str = ""
    site: str | None = None
    site_source: str = ""
    deployment: str | None = None
    deployment_source: str = ""
    side: str | None = None
    side_source: str = ""
    recorder: str | None = None
    recorder_source: str = ""
    serial: str | None = None
    serial_source: str = ""
    start_local: str | None = None
    start_utc: str | None = None
    time_source: str = ""
    zone: str | None = None
    zone_source: str = ""
    clock_offset_s: float | None = None
    clock_offset_source: str = ""
    latitude: float | None = None
    longitude: float | None = None
    coordinates_source: str = ""
    gain: str | None = None
    gain_source: str = ""
    battery_v: float | None = None
    battery_v_source: str = ""
    temperature_c: float | None = None
    temperature_c_source: str = ""
    sun_elevation_deg: float | None = None
    sunrise_utc: str | None = None
    sunset_utc: str | None = None
    diel_phase: str | None = None
    sun_reason: str = ""
    template: str | None = None


@dataclass(frozen=True)
class RecordingFacts(PlaceTime):
    """Format, identity, place and time of one recording, and the flags against it.

    `frames` is what can be read: what the header declares, or less when the file is truncated (its flag states both).
    `duration_ms` = frames * 1000 // sample_rate_hz. None means unknown, never zero. `headers` is what the file itself says of
    place and time (statements as JSON), kept for when the sound is not here. `settings_digest` names the settings that were used.
    """

    recording_id: str
    audio_path: str
    content_key: str
    size_bytes: int
    container: str | None = None
    sample_format: str | None = None
    sample_rate_hz: int | None = None
    channels: int | None = None
    frames: int | None = None
    duration_ms: int | None = None
    declared_frames: int | None = None
    headers: tuple[dict[str, Any], ...] = field(default=(), hash=False)
    headers_version: int = 0
    flags: tuple[Flag, ...] = ()
    settings_digest: str = ""

    @property
    def status(self) -> RecordingStatus:
        if any(flag.severity == "fatal" for flag in self.flags):
            return "quarantined"
        return "flagged" if self.flags else "ok"

    @property
    def is_vanished(self) -> bool:
        """The file is gone from the dataset. What was found in it stays; nothing more is expected of it."""
        return any(flag.code == "vanished" for flag in self.flags)

    @property
    def is_absent(self) -> bool:
        """The sound is not here now (file gone, annexed content not fetched). Nothing is known against it."""
        return any(flag.code in ABSENT_CODES for flag in self.flags)

    @property
    def awaits_content(self) -> bool:
        """The file is in the dataset and its content is not here: it may be fetched. A state, not a fault."""
        return any(flag.code == "content_missing" for flag in self.flags)

    @property
    def reason(self) -> str:
        """All flags in one line, fatal ones first; empty when there are none."""
        ordered = sorted(self.flags, key=lambda flag: flag.severity != "fatal")
        return "; ".join(f"{flag.code}: {flag.reason}" for flag in ordered)

    @property
    def version(self) -> str:
        """Changes when anything of the facts does."""
        return stable_hash(self.to_json())

    def to_json(self) -> dict[str, Any]:
        lists = {"flags": [asdict(flag) for flag in self.flags], "headers": list(self.headers)}
        return {**asdict(self), **lists, "status": self.status}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> RecordingFacts:
        lists = ("flags", "headers")
        fields = {name: value[name] for name in cls.__dataclass_fields__ if name in value and name not in lists}
        flags = tuple(Flag(**flag) for flag in value.get("flags", ()))
        return cls(**fields, flags=flags, headers=tuple(dict(each) for each in value.get("headers", ())))
