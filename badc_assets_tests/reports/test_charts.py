"""Charts keep to their scale, and show at most as many bars as a page can hold."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.reports.activity import MOST_DAY_BARS, day_chart
from badc_assets.reports.charts import bar_chart, nice_ceiling, short
from badc_assets.reports.examples import spread
from badc_assets.reports.views import parquet_source

rates = st.floats(0, 1e9, allow_nan=False) | st.none()


@given(st.floats(1e-9, 1e12))
def test_the_top_of_the_axis_is_above_the_value_and_not_far_above(value: float) -> None:
    assert value <= nice_ceiling(value) <= value * 2.0001


@settings(deadline=None)
@given(st.lists(rates, min_size=1, max_size=60))
def test_bars_stay_inside_the_chart_and_gaps_are_told_from_zeros(values: list[float | None]) -> None:
    chart = bar_chart(values, [str(i) for i in range(len(values))], [1.0] * len(values), "hour", 8)
    assert len(chart.bars) == len(values)
    for bar, value in zip(chart.bars, values, strict=True):
        assert chart.left <= bar.x and bar.x + bar.width <= chart.right + 1e-6
        assert bar.y >= 0 and abs(bar.y + bar.height - chart.base) < 1e-6
        assert ("nothing analysed" in bar.title) == (value is None)
    assert len(chart.x_ticks) <= 8


def test_a_recorder_with_a_wrong_clock_does_not_make_a_bar_for_each_day_of_fifty_years() -> None:
    rows = [{"day": date(1970, 1, 1), "effort_hours": 1.0, "detections": 1},
            {"day": date(2024, 5, 1), "effort_hours": 2.0, "detections": 8}]  # fmt: skip
    chart = day_chart(rows)
    assert chart is not None
    assert len(chart.bars) <= MOST_DAY_BARS
    assert [bar.value for bar in chart.bars if bar.value is not None] == [1.0, 4.0]


def test_numbers_are_short() -> None:
    assert [short(value) for value in (0, 0.01234, 12.34, 99.96, 123_456.7)] == [
        "0",
        "0.0123",
        "12.3",
        "100",
        "123,457",
    ]


def test_examples_are_spread_over_labels_then_sites_best_first() -> None:
    places = [("A", "x"), ("A", "x"), ("A", "y"), ("B", "x"), ("B", "y"), ("C", None)]
    best = [{"label": label, "site": site, "place": place} for place, (label, site) in enumerate(places)]
    assert [row["place"] for row in spread(best)] == [0, 4, 5, 1, 3, 2]


def test_a_path_with_wildcards_means_that_one_file(tmp_path: Path) -> None:
    for name in ("a*.parquet", "ab.parquet", "a'b[c]?.parquet", "a'bc1.parquet"):
        pq.write_table(pa.table({"name": [name]}), tmp_path / name)
    for name in ("a*.parquet", "a'b[c]?.parquet"):
        assert duckdb.execute(f"SELECT name FROM {parquet_source(tmp_path / name)}").fetchall() == [(name,)]
