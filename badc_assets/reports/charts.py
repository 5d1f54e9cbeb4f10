"""Shapes of the report's charts, in the units of an SVG; the template draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 520, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 12, 40


@dataclass(frozen=True)
class Bar:
    """One bar; `value` None means that nothing was recorded then, which is drawn as a hatched column."""

    x: float
    y: float
    width: float
    height: float
    value: float | None
    title: str


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class BarChart:
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_title: str
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    base: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def bar_chart(
    values: Sequence[float | None], names: Sequence[str], effort_hours: Sequence[float], x_title: str, most_labels: int
) -> BarChart:
    """Bars for `values` per hour, above `names`, of which at most `most_labels` are written. None is no data."""
    top = nice_ceiling(max((value for value in values if value is not None), default=0.0))
    base, room = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    step = (WIDTH - _LEFT - _RIGHT) / max(len(values), 1)
    gap = min(step * 0.15, 3)
    bars = []
    for index, (value, name, effort) in enumerate(zip(values, names, effort_hours, strict=True)):
        height = room if value is None else room * value / top
        text = "nothing analysed" if value is None else f"{short(value)} per hour, from {short(effort)} h"
        bars.append(Bar(_LEFT + index * step + gap / 2, base - height, step - gap, height, value, f"{name}: {text}"))
    every = max(math.ceil(len(names) / most_labels), 1)
    x_ticks = [Tick(_LEFT + (i + 0.5) * step, names[i]) for i in range(0, len(names), every)]
    y_ticks = [Tick(base - room * part / 4, short(top * part / 4)) for part in range(5)]
    return BarChart(tuple(bars), tuple(x_ticks), tuple(y_ticks), x_title)


def nice_ceiling(value: float) -> float:
    """The smallest of 1, 2, 4, 6, 8 or 10 times a power of ten that is at least `value`; 1 for next to nothing."""
    if value < 1e-9:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10, 20) if step * power >= value)


def short(value: float) -> str:
    """A number with about three figures: 1234 -> 1,234; 12.34 -> 12.3; 0.01234 -> 0.0123."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


@dataclass(frozen=True)
class HeatRow:
    """One label's 24 hours: detections per analysed hour, None without effort. `shades` are 0..1 of the row's highest."""

    name: str
    rates: tuple[float | None, ...]

    @property
    def shades(self) -> tuple[float | None, ...]:
        highest = max((rate for rate in self.rates if rate), default=1.0)
        return tuple(None if rate is None else rate / highest for rate in self.rates)
