"""The energy detector: finds sounds that stand out of the background, without knowing what makes them.

It works on a grid of time and frequency (`spectrum`), compares each cell with the noise floor of its band
around that time (`floor`), and joins the active cells that touch into events (`events`). It needs no
training and no weights, runs through a recording of any length in constant memory, and gives the same events however
the samples are cut into blocks.

What it cannot do: name a species; find what is as faint as the background; tell a bird from a car. A sound that goes on
for most of `floor_window_s` becomes background, and so does one that fills most of a recording shorter than that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from badc_assets.detectors.energy.events import Blob, EventBuilder, find_runs
from badc_assets.detectors.energy.floor import Floor, FloorTracker, Piece
from badc_assets.detectors.energy.spectrum import BandGrid, BandSpectrum, CellBuffer, band_grid
from badc_assets.detectors.protocol import DetectorInfo, Event, Float32, Label, StreamInfo
from badc_assets.errors import BadcError
from badc_assets.files import stable_hash

PIECE_MS = 1000
"""The floor is worked out anew once per piece."""


class EnergySettings(BaseModel):
    """What counts as an event. The defaults suit birds and other wildlife in 8 to 96 kHz recordings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low_hz: float = Field(40, ge=0, le=150_000, description="Sound below this frequency is ignored.")
    high_hz: float = Field(
        16_000, gt=0, le=500_000, description="Sound above this, or above half the sample rate, is ignored."
    )
    window_ms: float = Field(23.2, ge=1, le=500, description="Length of the FFT window, and the step in time.")
    min_band_hz: float = Field(100, ge=1, le=20_000, description="Least width of a frequency band.")
    bands_per_octave: float = Field(
        8, ge=1, le=48, description="Number of bands to an octave, where these are wide enough."
    )
    floor_window_s: float = Field(30, ge=4, le=600, description="Length of time from which the noise floor is read.")
    lowest_floor_dbfs: float = Field(
        -100,
        ge=-140,
        le=-20,
        description="The noise floor of a band never goes below this: digital silence has no floor.",
    )
    threshold_db: float = Field(10, ge=1, le=60, description="An event rises at least this far above the noise floor.")
    threshold_spreads: float = Field(
        3,
        ge=0,
        le=20,
        description="The same in standard deviations of the noise, for unsteady noise; the larger one counts.",
    )
    extend_db: float = Field(
        5, ge=0.5, le=60, description="Around its peak an event reaches to this far above the floor."
    )
    extend_spreads: float = Field(
        1.5, ge=0, le=20, description="The same in standard deviations; the larger one counts."
    )
    join_gap_ms: float = Field(
        120, ge=0, le=10_000, description="Sounds in one band with at most this gap are one event."
    )
    min_duration_ms: float = Field(
        80, ge=0, le=60_000, description="Shorter events are dropped. A click fills 2 windows."
    )
    max_duration_ms: float = Field(12_000, ge=1_000, le=600_000, description="Longer events are cut into several.")
    confidence_half_db: float = Field(
        12, ge=0, le=60, description="Signal-to-noise ratio at which the confidence is 0.5."
    )
    confidence_scale_db: float = Field(3, ge=0.1, le=30, description="Each step of this size multiplies the odds by e.")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for smaller, larger in (
            ("low_hz", "high_hz"), ("extend_db", "threshold_db"), ("extend_spreads", "threshold_spreads"),
            ("min_duration_ms", "max_duration_ms"),
        ):  # fmt: skip
            if getattr(self, smaller) > getattr(self, larger):
                raise ValueError(f"{smaller} is larger than {larger}")
        return self


class EnergyDetector:
    """A stream detector with one label: which sound it was is for a person or a recogniser to say."""

    def __init__(self, settings: EnergySettings) -> None:
        self._settings = settings
        self._info = DetectorInfo(
            name="energy",
            version="1",
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
        pieces_each_side = max(1, round(settings.floor_window_s * 500 / PIECE_MS))
        self._settings = settings
        self._grid = grid
        self._label = label
        self._edges_hz = grid.edges_hz()
        self._buffer = CellBuffer(grid.window_samples, max(2, round(PIECE_MS / grid.cell_ms)))
        self._spectrum = BandSpectrum(grid)
        self._floors = FloorTracker(grid.bands, pieces_each_side=pieces_each_side, lowest_db=settings.lowest_floor_dbfs)
        self._events = EventBuilder(
            grid.bands,
            gap_cells=int(settings.join_gap_ms / grid.cell_ms),
            longest_cells=int(settings.max_duration_ms / grid.cell_ms),
        )
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
        events += [event for piece, floor in self._floors.drain() for event in self._assess(piece, floor)]
        return events + self._finished(self._events.close())

    def _advance(self, samples: Float32) -> list[Event]:
        levels_db, mean_hz = self._spectrum.cells(samples)
        piece = Piece(self._cells, levels_db, mean_hz)
        self._cells += len(levels_db)
        return [event for ready, floor in self._floors.push(piece) for event in self._assess(ready, floor)]

    def _assess(self, piece: Piece, floor: Floor) -> list[Event]:
        settings = self._settings
        excess_db = (piece.levels_db - floor.level_db).astype(np.float32)
        weak_db = np.maximum(settings.extend_db, settings.extend_spreads * floor.spread_db).astype(np.float32)
        strong_db = np.maximum(settings.threshold_db, settings.threshold_spreads * floor.spread_db).astype(np.float32)
        runs = find_runs(excess_db, weak_db, strong_db, piece.mean_hz, piece.first_cell)
        return self._finished(self._events.add(runs, piece.first_cell + len(excess_db)))

    def _finished(self, blobs: Sequence[Blob]) -> list[Event]:
        """The blobs that are long enough, as events."""
        shortest = self._settings.min_duration_ms
        return [self._event(blob) for blob in blobs if (blob.end - blob.start) * self._grid.cell_ms >= shortest]

    def _event(self, blob: Blob) -> Event:
        # A cell looks at two windows and stands for the stretch between their middles.
        start_ms = (blob.start + 0.5) * self._grid.cell_ms if blob.start else 0.0
        end_ms = min((blob.end + 0.5) * self._grid.cell_ms, self._samples * 1000 / self._grid.sample_rate_hz)
        snr_db = 10 * math.log10(max(blob.mean_ratio - 1, 1e-3))
        return Event(
            start_ms=math.floor(start_ms),
            end_ms=math.ceil(end_ms),
            label=self._label,
            confidence=confidence(
                snr_db, half_db=self._settings.confidence_half_db, scale_db=self._settings.confidence_scale_db
            ),
            low_hz=round(float(self._edges_hz[blob.low_band]), 1),
            high_hz=round(float(self._edges_hz[blob.high_band + 1]), 1),
            peak_hz=round(blob.peak_hz, 1),
            snr_db=round(snr_db, 2),
        )


def confidence(snr_db: float, *, half_db: float, scale_db: float) -> float:
    """1 / (1 + exp(-(snr_db - half_db) / scale_db)): how clearly an event stands out of the background, in 0..1.

    It ranks events. It is not a probability, and says nothing on which species it may have been.
    """
    exponent = min(max((snr_db - half_db) / scale_db, -50.0), 50.0)
    return round(1 / (1 + math.exp(-exponent)), 4)
