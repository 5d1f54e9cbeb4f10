"""What is known of a recording: its entry in the catalogue, its facts, and the flags against it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

EntryState = Literal["present", "content_missing", "vanished"]
Severity = Literal["warning", "fatal"]
RecordingStatus = Literal["ok", "flagged", "quarantined"]


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


@dataclass(frozen=True)
class RecordingFacts:
    """Format, identity, place and time of one recording, and the flags against it.

    `frames` is what can be read: what the header declares, or less when the file is truncated (its flag states both).
    `duration_ms` = frames * 1000 // sample_rate_hz. None means unknown, never zero.
    `start_local` is ISO 8601 without an offset (the recorder's clock), `start_utc` with one; each `*_source` names
    where the value was read, and is empty when the value is unknown. `settings_digest` names the settings that were used.
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
    site: str | None = None
    site_source: str = ""
    start_local: str | None = None
    start_utc: str | None = None
    time_source: str = ""
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
        return any(flag.code in ("vanished", "content_missing", "missing") for flag in self.flags)

    @property
    def reason(self) -> str:
        """All flags in one line, fatal ones first; empty when there are none."""
        ordered = sorted(self.flags, key=lambda flag: flag.severity != "fatal")
        return "; ".join(f"{flag.code}: {flag.reason}" for flag in ordered)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "flags": [asdict(flag) for flag in self.flags], "status": self.status}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> RecordingFacts:
        fields = {name: value[name] for name in cls.__dataclass_fields__ if name in value and name != "flags"}
        return cls(**fields, flags=tuple(Flag(**flag) for flag in value.get("flags", ())))
