"""What the headers of a file say of place, time and recorder."""

from __future__ import annotations

import json
import re
from typing import Any

from badc_assets.audio.tags import SoundTags
from badc_assets.recordings.audiomoth import GAINS, audiomoth_statement, device_of
from badc_assets.recordings.clock import existing_moment, read_iso
from badc_assets.recordings.statements import (
    FLAC_TAGS,
    GUANO,
    OPENSOUNDSCAPE_COMMENT,
    WAV_BEXT,
    WAV_INFO,
    Statement,
    coordinates,
    number,
)

_OPENSOUNDSCAPE = "opso_metadata"
_FRONTIER_LABS = "Frontier Labs"


def header_statements(tags: SoundTags) -> tuple[Statement, ...]:
    """One statement for each header that says something, the most trusted first. Never raises."""
    comment, artist = tags.info.get("ICMT", ""), tags.info.get("IART", "")
    found = [
        guano_statement(tags.guano) if tags.guano else None,
        audiomoth_statement(comment, artist),
        opensoundscape_statement(comment),
        flac_statement(tags),
        bext_statement(tags),
        info_statement(artist),
    ]
    return tuple(each for each in found if each is not None and (each.values or each.problem))


def guano_statement(chunk: bytes) -> Statement:
    """A GUANO chunk, https://github.com/riggsd/guano-spec. Of a broken one only the problem is stated."""
    import guano

    guano.log.setLevel("ERROR")  # it would print a warning for each value of an unusual form
    try:
        text = chunk.decode("utf-8").strip("\0")
        # Line ends are a single \n by the standard; what carries no colon is no field.
        values = guano.GuanoFile.from_string("\n".join(line for line in text.split("\n") if ":" in line))
    except (UnicodeDecodeError, ValueError):
        return Statement(GUANO, {}, "the GUANO chunk is damaged")
    texts = {key: str(value) if not isinstance(value, tuple) else value for key, value in values.items()}
    found: dict[str, Any] = {}
    maker = " ".join(str(texts[key]) for key in ("Make", "Model") if texts.get(key))
    found |= {"recorder": maker} if maker else {}
    found |= {"serial": texts["Serial"]} if texts.get("Serial") else {}
    problem = ""
    stamp = _raw_value(chunk, "Timestamp")
    if stamp:
        reading = read_iso(stamp)
        found |= _start(reading) if reading else {}
        problem = "" if reading else f"no such time: {stamp!r}"
    place = texts.get("Loc Position")
    found |= coordinates(*place) if isinstance(place, tuple) and len(place) == 2 else {}
    temperature = number(str(texts.get("Temperature Int") or texts.get("Temperature Ext") or ""))
    found |= {"temperature_c": temperature} if temperature is not None else {}
    gain = _song_meter_gain(str(texts.get("WA|Song Meter|Audio settings", ""))) or _audiomoth_gain(
        str(texts.get("OAD|Recording Settings", ""))
    )
    found |= {"gain": gain} if gain else {}
    found |= {"deployment": texts["OAD|Deployment ID"]} if texts.get("OAD|Deployment ID") else {}
    volts = number(str(texts.get("OAD|Battery Voltage", "")))
    # AudioMoths write these two for "less than 2.5" and "greater than 4.9".
    found |= {"battery_v": volts} if volts is not None and volts not in (2.4, 5.0) else {}
    return Statement(GUANO, found, problem)


def _raw_value(chunk: bytes, key: str) -> str:
    """The text of a field as it was written: the library turns only some of the times that recorders write into times."""
    match = re.search(rf"(?:^|\n){key}\s*:([^\n]*)", chunk.decode("utf-8", "replace"))
    return match[1].strip(" \t\r\0") if match else ""


def _song_meter_gain(settings: str) -> str:
    """Song Meters keep the gain of each channel in JSON, as [{"rate":24000,"gain":18}]."""
    channels = _json(settings)
    if not isinstance(channels, list):
        return ""
    gains = [channel.get("gain") for channel in channels if isinstance(channel, dict)]
    return ", ".join(f"{gain:g} dB" for gain in gains if isinstance(gain, int | float) and not isinstance(gain, bool))


def _audiomoth_gain(settings: str) -> str:
    """AudioMoths keep it as a number among other settings: `48000 GAIN 2 LPF 8000`."""
    match = re.search(r"\bGAIN ([0-4])\b", settings)
    return GAINS[int(match[1])] if match else ""


def opensoundscape_statement(comment: str) -> Statement | None:
    """The JSON that OpenSoundscape puts into the comment of clips. Its start is that of the clip."""
    if not comment.startswith(_OPENSOUNDSCAPE):
        return None
    values = _json(comment.removeprefix(_OPENSOUNDSCAPE))
    if not isinstance(values, dict):
        return Statement(OPENSOUNDSCAPE_COMMENT, {}, "the comment of OpenSoundscape is damaged")
    found: dict[str, Any] = {}
    start = values.get("recording_start_time")
    reading = read_iso(start) if isinstance(start, str) else None
    found |= _start(reading) if reading else {}
    found |= device_of(str(values.get("device_id") or ""))
    gain = values.get("gain_setting")
    found |= {"gain": str(gain)} if isinstance(gain, str | int) and str(gain) else {}
    for name, key in (("battery_v", "battery_state"), ("temperature_c", "temperature_C")):
        value = values.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = float(value)
    problem = f"no such time: {start!r}" if isinstance(start, str) and reading is None else ""
    return Statement(OPENSOUNDSCAPE_COMMENT, found, problem)


def flac_statement(tags: SoundTags) -> Statement | None:
    """The comments that Frontier Labs recorders write into FLAC files."""
    comments = tags.comments
    if not ({"recordingstart", "sensoruid"} & comments.keys()):
        return None
    found: dict[str, Any] = {"recorder": _FRONTIER_LABS}
    reading = read_iso(comments.get("recordingstart", ""))
    found |= _start(reading) if reading else {}
    found |= {"serial": comments["sensoruid"]} if comments.get("sensoruid") else {}
    gain = comments.get("channelgain") or comments.get("channelgain1")
    found |= {"gain": gain} if gain else {}
    volts = re.search(r"([0-9]+(?:\.[0-9]+)?) ?V", comments.get("batterylevel", ""))
    found |= {"battery_v": float(volts[1])} if volts else {}
    place = re.fullmatch(
        r"([+-]?[0-9]+(?:\.[0-9]+)?),? *([+-]?[0-9]+(?:\.[0-9]+)?)", comments.get("sensorlocation", "")
    )
    found |= coordinates(float(place[1]), float(place[2])) if place else {}
    start = comments.get("recordingstart", "")
    return Statement(FLAC_TAGS, found, f"no such time: {start!r}" if start and reading is None else "")


def bext_statement(tags: SoundTags) -> Statement | None:
    """The Broadcast Wave chunk: a clock without a zone. Its originator may be a recorder or the last editor, so it is left."""
    bext = tags.bext
    if not bext:
        return None
    date, time = (re.sub(r"[-_:/. ]", "", bext.get(key, "")) for key in ("OriginationDate", "OriginationTime"))
    clock = existing_moment(date, time)
    found: dict[str, Any] = {"start": clock.isoformat()} if clock else {}
    problem = f"no such time: {date} {time}" if (date or time) and clock is None else ""
    return Statement(WAV_BEXT, found, problem)


def info_statement(artist: str) -> Statement | None:
    """The artist of RIFF INFO, in which AudioMoths write who they are."""
    return Statement(WAV_INFO, device) if (device := device_of(artist)) else None


def _start(reading: tuple[Any, str]) -> dict[str, Any]:
    clock, offset = reading
    return {"start": clock.isoformat()} | ({"utc_offset": offset} if offset else {})


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
