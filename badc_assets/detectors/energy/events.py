"""Groups to events: which groups count, what stands in the table about them, and how sure it is.

**Confidence** says how rarely weather makes a sound as strong. It is 1 - p, where p is the chance that an event that was made
by wind, rain or running water alone is at least as strong as this one. Among events of call-free recordings confidences are
therefore spread evenly over 0..1: to leave out nine of ten of them, keep what is above 0.9. It does not say that the
sound is an animal: a passing car is as sure as a bird. Steady noise makes no events at all.

The model behind p: strengths of such events fall off by a power law with exponent 1, so p = 60 / strength, and an event of
strength 60 or less has confidence 0. `python -m benchmarks.run energy` measures exponent and evenness anew on generated
gusts, squalls and rain.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from badc_assets.detectors.energy.groups import Group
from badc_assets.detectors.energy.settings import EnergySettings
from badc_assets.detectors.energy.spectrum import BandGrid
from badc_assets.detectors.protocol import Event, Label

WEATHER_STRENGTH = 60.0
"""Weather alone rarely makes events stronger than this; half of them are less than twice as strong."""

# What is strongest below 400 Hz and begins below 100 Hz is wind when its parts last for 2 s, or when it reaches beyond 450 Hz;
# what begins below 200 Hz, when it reaches beyond 1 kHz. Owls, grouse and bitterns stay within an octave or two.
_WIND_HZ = 100
_WIND_DB = 6.0
_WIND_PEAK_HZ = 400
_WIND_MS = 2_000
_WIND_SPANS_HZ = (100, 450), (200, 1_000)


def confidence(strength: float) -> float:
    """1 - the chance that an event made by weather is as strong as this or stronger."""
    return 1 - WEATHER_STRENGTH / max(strength, WEATHER_STRENGTH)


class EventMaker:
    """Turns groups of one recording into events, and leaves out those that are not."""

    def __init__(self, settings: EnergySettings, grid: BandGrid, label: Label) -> None:
        self._settings = settings
        self._cell_ms = grid.cell_ms
        self._label = label
        self._edges_hz = grid.edges_hz()
        self._centres_hz: NDArray[np.float64] = (self._edges_hz[1:] + self._edges_hz[:-1]) / 2

    def event(self, group: Group, duration_ms: float) -> Event | None:
        """The event that a group is in a recording that lasts for `duration_ms` so far; None if it does not count."""
        settings = self._settings
        if group.strength < settings.min_strength or (group.is_stray and not settings.single_clicks):
            return None
        event = self._described(group, duration_ms)
        low_hz, high_hz = event.low_hz or 0.0, event.high_hz or 0.0
        # Wind is never steady at the lowest frequencies: there an event must stand out more.
        least_db = settings.threshold_db + (_WIND_DB if low_hz < _WIND_HZ else 0.0)
        is_wanted = (
            group.loudest.best >= least_db
            and not self._is_wind(group, event)
            and (group.end - group.start) * self._cell_ms >= settings.min_duration_ms
            and high_hz - low_hz >= settings.min_bandwidth_hz
        )
        return event if is_wanted else None

    def _described(self, group: Group, duration_ms: float) -> Event:
        parts, loudest = group.parts, group.loudest
        # A cell looks at two windows and stands for the stretch between their middles.
        start_ms = (group.start + 0.5) * self._cell_ms if group.start else 0.0
        end_ms = min((group.end + 0.5) * self._cell_ms, duration_ms)
        mean_ratio = sum(part.energy for part in parts) / sum(part.cells for part in parts)
        peak_hz = np.interp(loudest.best_band, np.arange(len(self._centres_hz)), self._centres_hz)
        return Event(
            start_ms=math.floor(start_ms),
            end_ms=math.ceil(end_ms),
            label=self._label,
            confidence=round(confidence(group.strength), 4),
            low_hz=round(float(self._edges_hz[min(part.low_band for part in parts)]), 1),
            high_hz=round(float(self._edges_hz[max(part.high_band for part in parts) + 1]), 1),
            peak_hz=round(float(peak_hz), 1),
            snr_db=round(10 * math.log10(max(mean_ratio - 1, 1e-3)), 2),
        )

    def _is_wind(self, group: Group, event: Event) -> bool:
        """Whether it rests on the lowest frequencies, and goes on without a pause or reaches far above them.

        So do gusts, steps and thunder. Lengths and reach are means over the parts, weighted with their strength: a drumming
        grouse is as low, but it is made of thumps.
        """
        low_hz, peak_hz = event.low_hz or 0.0, event.peak_hz or 0.0
        if peak_hz >= _WIND_PEAK_HZ:
            return False
        weights = np.array([part.strength for part in group.parts]) / group.strength
        reach_hz = weights @ self._edges_hz[[part.high_band + 1 for part in group.parts]]
        length_ms = weights @ np.array([part.end - part.start for part in group.parts]) * self._cell_ms
        is_steady = low_hz < _WIND_HZ and length_ms > _WIND_MS
        return bool(is_steady or any(low_hz < low and reach_hz > high for low, high in _WIND_SPANS_HZ))
