"""The comment that AudioMoths write into their WAV files, all firmwares."""

from __future__ import annotations

import re
from typing import Any

from badc_assets.recordings.clock import existing_moment, offset_text, read_offset
from badc_assets.recordings.statements import AUDIOMOTH_COMMENT, Statement

RECORDER = "AudioMoth"
GAINS = ("low", "low-medium", "medium", "medium-high", "high")
_START = re.compile(
    r"Recorded at ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))? ([0-9]{2})/([0-9]{2})/([0-9]{4})"
    r"(?: \((UTC[^)]*)\))?(?P<rest>.*)",
    re.DOTALL,
)
_DEVICE = re.compile(r"AudioMoth ([0-9A-Fa-f]{16})")
_SENTENCE = re.compile(r".*?V(?: and temperature was -?[0-9.]+C)?\.?(?= |$)")
_BOUND = re.compile(r"battery (?:state )?was (?:less than|greater than|[<>])")


def audiomoth_statement(comment: str, artist: str = "") -> Statement | None:
    """What an AudioMoth comment says; None when it is none. `artist` names the device when the comment names a deployment.

    metamoth reads the wording of each firmware. Not taken from it: the clock (it reads UTC-3:30 as UTC-2:30), the voltage where
    the comment gives only a bound ("less than 2.5V"), and the device, for which it takes the deployment.
    """
    match = _START.fullmatch(comment.strip())
    if match is None:
        return None
    hour, minute, second, fraction, day, month, year, zone, _ = match.groups()
    found: dict[str, Any] = {"recorder": RECORDER}
    problems = []
    clock = existing_moment(year + month + day, hour + minute + second, fraction or "")
    # The first firmware wrote no zone, and had none but UTC.
    offset = read_offset(zone.strip() if zone else "UTC")
    if clock is None or offset is None:
        problems.append(f"no such time: {comment[: match.start('rest')].strip()!r}")
    else:
        found |= {"start": clock.isoformat(), "utc_offset": offset_text(offset)}
    found |= device_of(match["rest"]) or device_of(artist)
    details = _details(match["rest"])
    if details is None:
        problems.append("a comment of an unknown form, of which only time and device were read")
    return Statement(AUDIOMOTH_COMMENT, found | (details or {}), "; ".join(problems))


def device_of(text: str) -> dict[str, str]:
    """Recorder and serial of a text that names an AudioMoth; empty for any other."""
    match = _DEVICE.search(text)
    return {"recorder": RECORDER, "serial": match[1].upper()} if match else {}


def _details(after_start: str) -> dict[str, Any] | None:
    """Gain, voltage, temperature and deployment; None when metamoth does not know the wording.

    It gets the first sentence only, with a start that it knows: what follows is about filters, and differs most.
    """
    from metamoth.enums import GainSetting
    from metamoth.parsing import MessageFormatError, parse_comment

    sentence = _SENTENCE.match(after_start)
    if sentence is None:
        return None
    try:
        read = parse_comment(f"Recorded at 00:00:00 01/01/2020 (UTC){sentence[0]}")
    except (MessageFormatError, ValueError, KeyError):
        return None
    gains = dict(zip(GainSetting, GAINS, strict=True))
    found: dict[str, Any] = {"gain": gains[read["gain"]]}
    if not _BOUND.search(sentence[0]):
        found["battery_v"] = float(read["battery_state_v"])
    if read.get("temperature_c") is not None:
        found["temperature_c"] = float(read["temperature_c"])
    if read.get("deployment_id"):
        found["deployment"] = str(read["deployment_id"])
    return found
