"""The energy detector: what sounds in a recording, when and in which band, without knowing what makes it.

The method, one module each:

1. `spectrum`: a grid of time and frequency, levels in dB from averaged FFT windows (Welch 1967).
2. `floor`: the noise floor of each band, read from the lower part of the levels in a minute around (Martin 2001; Towsey 2013).
   It follows wind, rain, hum and insects, and is not lifted by a song that lasts for half of that minute.
3. `contrast`: which cells stand out of the floor, of swells over many bands (Lasseck 2013) and of clutter (Rohling 1983).
4. `parts`: cells that touch, measured by how much they exceed the threshold in all (Bullmore et al. 1999).
5. `groups`: parts that hearing would take for one sound: notes, pulses, overtones (Bregman 1990). Pauses longer than
   `join_gap_ms` split.
6. `events`: what counts, and how sure it is: **confidence is the chance that weather would not have made it**. The model
   stands there.

It needs no training and no weights, runs through a recording of any length in constant memory, and gives the same
events however the samples are cut into blocks: everything happens in pieces that are counted from the start of the recording.

What it cannot do: name a species; find what is as faint as the background; tell a bird from a car. A sound that goes on
for most of `floor_window_s` becomes background, and so does one that fills most of a recording shorter than that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from badc_assets.detectors.energy.contrast import Contrast, ContrastFinder
from badc_assets.detectors.energy.events import EventMaker
from badc_assets.detectors.energy.floor import Floor, FloorTracker, Piece
from badc_assets.detectors.energy.groups import Group, Grouper
from badc_assets.detectors.energy.parts import PartFinder
from badc_assets.detectors.energy.settings import EnergySettings
from badc_assets.detectors.energy.spectrum import BandGrid, BandSpectrum, CellBuffer, band_grid
from badc_assets.detectors.protocol import DetectorInfo, Event, Float32, Label, StreamInfo
from badc_assets.errors import BadcError
from badc_assets.files import stable_hash

__all__ = ["EnergyDetector", "EnergySettings"]

_PIECE_CELLS = 172
"""The floor is worked out anew once per piece: every 4 s for birds."""

_WEAK_SPREADS = 1.5
"""Cells stand out from so many standard deviations of the noise, or from `extend_db`, whichever is more."""

_LONGEST_PART_PIECES = 4
_LEAST_SHARE = 0.125
"""Parts of an event may be so much weaker than the weakest event."""

_BUSY_BLOCK_MS = 500
_CHORUS_S = 20
"""A band is a chorus when hardly any block of half a second is without a loud moment, for at least so long."""


class EnergyDetector:
    """A stream detector with one label: which sound it was is for a person or a recogniser to say."""

    def __init__(self, settings: EnergySettings) -> None:
        self._settings = settings
        self._info = DetectorInfo(
            name="energy",
            version="2",
            kind="stream",
            labels=(Label("SOUND", "Sound event"),),
            settings_hash=stable_hash(settings.model_dump()),
        )

    @property
    def info(self) -> DetectorInfo:
        return self._info

    def open(self, stream: StreamInfo) -> EnergySession:
        """Start on a recording. Raises BadcError when its sample rate is too low to hold anything above `low_hz`."""
        settings = self._settings
        grid = band_grid(
            stream.sample_rate_hz,
            window_ms=settings.window_ms,
            low_hz=settings.low_hz,
            high_hz=settings.high_hz,
            min_band_hz=settings.min_band_hz,
            bands_per_octave=settings.bands_per_octave,
        )
        if not grid.bands:
            raise BadcError(
                stream.recording_id,
                f"no sound above {settings.low_hz:g} Hz fits into a sample rate of {stream.sample_rate_hz} Hz",
                "lower low_hz of the energy detector or leave the recording out",
            )
        return EnergySession(settings, grid, self._info.labels[0])


class EnergySession:
    """One recording on its way through the detector."""

    def __init__(self, settings: EnergySettings, grid: BandGrid, label: Label) -> None:
        longest = int(settings.max_duration_ms / grid.cell_ms)
        block_cells = max(1, round(_BUSY_BLOCK_MS / grid.cell_ms))
        window_cells = settings.floor_window_s * 1000 / grid.cell_ms
        self._sample_rate_hz = grid.sample_rate_hz
        self._buffer = CellBuffer(grid.window_samples, _PIECE_CELLS)
        self._spectrum = BandSpectrum(grid)
        self._floors = FloorTracker(
            grid.bands,
            pieces_each_side=max(1, round(window_cells / 2 / _PIECE_CELLS)),
            lowest_db=settings.lowest_floor_dbfs,
            block_cells=block_cells,
            least_blocks=_CHORUS_S * 1000 / grid.cell_ms / block_cells if settings.chorus_is_noise else math.inf,
        )
        self._contrasts = ContrastFinder(
            grid.bands, weak_db=settings.extend_db, weak_spreads=_WEAK_SPREADS, range_db=settings.range_db
        )
        self._parts = PartFinder(
            longest_cells=min(longest, _LONGEST_PART_PIECES * _PIECE_CELLS),
            least_strength=_LEAST_SHARE * settings.min_strength,
        )
        self._groups = Grouper(
            grid.edges_hz(), gap_cells=round(settings.join_gap_ms / grid.cell_ms), longest_cells=longest
        )
        self._events = EventMaker(settings, grid, label)
        self._cells = 0
        self._samples = 0

    def feed(self, block: Float32) -> Sequence[Event]:
        """Take the next samples, shape (samples,); returns the events that are complete by now.

        Events come about half of `floor_window_s` after they were heard, because the floor looks ahead.
        """
        self._samples += len(block)
        return [event for samples in self._buffer.feed(block) for event in self._advance(samples)]

    def close(self) -> Sequence[Event]:
        """The recording has ended: returns the remaining events. A last stretch shorter than a cell is left out."""
        rest = self._buffer.rest()
        events = self._advance(rest) if len(rest) else []
        for piece, floor in self._floors.drain():
            events += self._assess(piece, floor)
        for contrast in self._contrasts.drain():
            events += self._collect(contrast)
        groups = [*self._groups.add(self._parts.close(), self._cells), *self._groups.close()]
        return [*events, *self._finished(groups)]

    def _advance(self, samples: Float32) -> list[Event]:
        piece = Piece(self._cells, self._spectrum.cells(samples))
        self._cells += len(piece.levels_db)
        return [event for ready, floor in self._floors.push(piece) for event in self._assess(ready, floor)]

    def _assess(self, piece: Piece, floor: Floor) -> list[Event]:
        return [event for contrast in self._contrasts.push(piece, floor) for event in self._collect(contrast)]

    def _collect(self, contrast: Contrast) -> list[Event]:
        parts = self._parts.add(contrast)
        return self._finished(self._groups.add(parts, self._parts.horizon))

    def _finished(self, groups: Sequence[Group]) -> list[Event]:
        duration_ms = self._samples * 1000 / self._sample_rate_hz
        found = (self._events.event(group, duration_ms) for group in groups)
        return [event for event in found if event is not None]
