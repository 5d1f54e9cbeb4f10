"""Numbers held against limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from badc_assets.chunks.quality.limits import Code, QualityLimits
from badc_assets.chunks.quality.numbers import SoundQuality

QualityStatus = Literal["ok", "flagged", "quarantined"]


@dataclass(frozen=True)
class QualityFlag:
    """Something that is beyond a limit, with its number in `reason`."""

    code: Code
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What the limits say of a recording or a chunk."""

    status: QualityStatus
    flags: tuple[QualityFlag, ...] = ()

    @property
    def reason(self) -> str:
        """All flags in one line; empty when there are none."""
        return "; ".join(f"{flag.code}: {flag.reason}" for flag in self.flags)

    def to_json(self) -> dict[str, Any]:
        return {"status": self.status, "flags": [asdict(flag) for flag in self.flags]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Verdict:
        return cls(value["status"], tuple(QualityFlag(**flag) for flag in value["flags"]))


def judge(sound: SoundQuality, limits: QualityLimits) -> Verdict:
    """Where nothing can be heard at all, nothing else is said."""
    if sound.lost_share >= limits.no_sound_share:
        flags = [QualityFlag("no_sound", f"the signal stands still for {_percent(sound.lost_share)} of the time")]
    else:
        flags = [*_waveform_flags(sound, limits), *_spectrum_flags(sound, limits)]
    is_barred = any(flag.code in limits.quarantine for flag in flags)
    return Verdict("quarantined" if is_barred else "flagged" if flags else "ok", tuple(flags))


def _waveform_flags(sound: SoundQuality, limits: QualityLimits) -> Iterator[QualityFlag]:
    if sound.still_share >= limits.still_share:
        yield QualityFlag("still", f"a channel stands still for {_percent(sound.still_share)} of the time")
    if sound.dropout_s > limits.dropout_share * sound.seconds:
        yield QualityFlag("dropouts", f"the sound breaks off in {sound.dropout_s} of {sound.seconds} s")
    if sound.clipped_s > limits.clipped_share * sound.seconds:
        share = _percent(sound.clipped_share)
        yield QualityFlag("clipped", f"in {sound.clipped_s} of {sound.seconds} s; {share} of the samples")
    if abs(sound.offset) >= limits.offset:
        yield QualityFlag("offset", f"the mean lies {_percent(sound.offset)} of full scale off zero")
    if sound.level_dbfs < limits.low_level_dbfs:
        yield QualityFlag("low_level", f"{sound.level_dbfs} dB of full scale")
    if sound.level_dbfs > limits.high_level_dbfs:
        yield QualityFlag("high_level", f"{sound.level_dbfs} dB of full scale")
    if sound.channel_gap_db >= limits.channel_gap_db:
        yield QualityFlag("dead_channel", f"a channel is {sound.channel_gap_db} dB quieter than the loudest")


def _spectrum_flags(sound: SoundQuality, limits: QualityLimits) -> Iterator[QualityFlag]:
    if _reaches(sound.hum_db, limits.hum_db):
        yield QualityFlag("hum", f"multiples of {sound.hum_hz:.0f} Hz stand out by {sound.hum_db:.0f} dB")
    if _reaches(sound.wind_db, limits.wind_db) and _reaches(sound.low_db, limits.wind_level_db):
        yield QualityFlag("wind", f"30-120 Hz lie {sound.wind_db:.0f} dB above 0.5-2 kHz")
    if _reaches(sound.rain_db, limits.rain_db) and _reaches(sound.rain_even, limits.rain_evenness):
        yield QualityFlag("rain", f"even noise of {sound.rain_db:.0f} dB of full scale per hertz")


def _reaches(value: float | None, limit: float) -> bool:
    return value is not None and value >= limit


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
