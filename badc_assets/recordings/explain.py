"""For one file: every source, what it says, what was chosen, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.recordings.deployments import Deployment
from badc_assets.recordings.facts import below_audio, headers_of
from badc_assets.recordings.place_time import Declared, Resolution, resolve
from badc_assets.recordings.settings import RecordingSettings
from badc_assets.recordings.statements import (
    AUDIOMOTH_COMMENT,
    DEPLOYMENTS,
    FILE_NAME,
    FLAC_TAGS,
    FOLDER,
    GUANO,
    OPENSOUNDSCAPE_COMMENT,
    STUDY_AREA,
    TEMPLATE,
    WAV_BEXT,
    WAV_INFO,
)

SOURCES = (
    GUANO, AUDIOMOTH_COMMENT, OPENSOUNDSCAPE_COMMENT, FLAC_TAGS, WAV_BEXT, WAV_INFO, FILE_NAME, FOLDER, TEMPLATE, STUDY_AREA,
    DEPLOYMENTS,
)  # fmt: skip
"""In the order in which they are believed."""

_SHOWN = {
    "study_area": "study_area_source", "site": "site_source", "deployment": "deployment_source", "side": "side_source",
    "recorder": "recorder_source", "serial": "serial_source", "start_local": "time_source", "start_utc": "time_source",
    "zone": "zone_source", "clock_offset_s": "clock_offset_source", "latitude": "coordinates_source",
    "longitude": "coordinates_source", "gain": "gain_source", "battery_v": "battery_v_source",
    "temperature_c": "temperature_c_source",
}  # fmt: skip
_REASON_OF = {"start_local": "start", "start_utc": "start", "latitude": "coordinates", "longitude": "coordinates"}
_SUN = ("sun_elevation_deg", "sunrise_utc", "sunset_utc", "diel_phase")


@dataclass(frozen=True)
class Said:
    """What one source says: `text` is empty when it says nothing."""

    source: str
    text: str


@dataclass(frozen=True)
class Chosen:
    """One field of the result. `value` is empty when it is unknown."""

    field: str
    value: str
    source: str
    reason: str


@dataclass(frozen=True)
class Explanation:
    path: str
    template: str
    said: tuple[Said, ...]
    chosen: tuple[Chosen, ...]
    flags: tuple[str, ...]


def explain(layout: Layout, file: Path, declared: Declared, settings: RecordingSettings) -> Explanation:
    """Explain a file below the audio folder, given as it stands or relative to the dataset.

    It need not be catalogued. Raises BadcError when there is no such file in the audio folder.
    """
    source = next((path for path in (file.absolute(), layout.source(str(file))) if path.is_file()), None)
    if source is None:
        raise BadcError(file, "there is no such file", "name a sound file of the dataset")
    if not source.is_relative_to(layout.audio):
        raise BadcError(file, f"is not in the audio folder {layout.audio}", "set BADC_DATASET to its dataset")
    path = below_audio(layout, source.relative_to(layout.dataset).as_posix())
    headers, reading = headers_of(source), declared.templates.read(path)
    found = resolve(headers, reading, declared, settings)
    texts: dict[str, str] = {}
    for statement in (*headers, *reading.statements):
        said = "  ".join(f"{name}={value}" for name, value in statement.values.items())
        texts[statement.source] = "  ".join(filter(None, [said, statement.problem and f"({statement.problem})"]))
    texts[DEPLOYMENTS] = _rows(declared, found)
    flags = tuple(f"{flag.code}: {flag.reason}" for flag in found.flags)
    said = tuple(Said(name, texts.get(name, "")) for name in SOURCES)
    return Explanation(path, reading.template, said, _chosen(found), flags)


def _rows(declared: Declared, found: Resolution) -> str:
    if declared.deployments is None:
        return "(no table is declared)"
    rows = declared.deployments.by_site.get(found.place.site or "", [])
    return "; ".join(_row(row) for row in rows)


def _row(row: Deployment) -> str:
    place = f"{row.latitude}, {row.longitude}" if row.latitude is not None else "no place"
    return f"line {row.line}: {row.period}, {place}, {row.zone or 'no zone'}, clock {row.clock_offset_s:+g} s"


def _chosen(found: Resolution) -> tuple[Chosen, ...]:
    values: dict[str, Any] = asdict(found.place)
    chosen = [
        Chosen(
            name,
            _text(values[name]),
            values[source] if values[name] is not None else "",
            found.reasons.get(_REASON_OF.get(name, name), ""),
        )
        for name, source in _SHOWN.items()
    ]
    reason = found.place.sun_reason
    return (*chosen, *(Chosen(name, _text(values[name]), "astral" if values[name] else "", reason) for name in _SUN))


def _text(value: Any) -> str:
    return "" if value is None else str(value)
