"""Site and time from file names: read exactly, or unknown."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.recordings.names import NameFacts, parse_name

EARLIEST = datetime(1900, 1, 1)


@pytest.mark.parametrize(
    ("stem", "site", "start"),
    [
        ("S4A03895_20190522_000000", "S4A03895", datetime(2019, 5, 22)),
        ("GNWT-114_20230509_094500", "GNWT-114", datetime(2023, 5, 9, 9, 45)),
        ("North_Bay-3_20240229_235959", "North_Bay-3", datetime(2024, 2, 29, 23, 59, 59)),
        ("Étang_20240229_120000", "Étang", datetime(2024, 2, 29, 12)),
    ],
)
def test_plain_names(stem: str, site: str, start: datetime):
    assert parse_name(stem) == NameFacts(site, start)


@pytest.mark.parametrize(
    "stem",
    ["A_20190522_240000", "A_20190522_236000", "A_20190522_235960", "A_20190230_000000", "A_20191301_000000",
     "A_20230229_000000", "A_00000101_000000", "20190522_000000", "_20190522_000000", "A_20190522_0000", "A_20190522",
     "A_20190522_000000_1", "A_20190522_000000.0", "A-20190522-000000", "A_20190522T000000", "A_\uff12\uff10190522_000000",
     "A B_20190522_000000", "A_20190522_000000\n", "birds_10s", ""],
)  # fmt: skip
def test_everything_else_is_unknown(stem: str):
    assert parse_name(stem) == NameFacts(None, None)


@given(st.text())
def test_never_fails(stem: str):
    assert parse_name(stem) is not None


@given(st.from_regex(r"[A-Z0-9]([A-Z0-9_-]{0,6}[A-Z0-9])?", fullmatch=True), st.datetimes(min_value=EARLIEST))
def test_written_and_read_back(site: str, start: datetime):
    start = start.replace(microsecond=0)
    assert parse_name(f"{site}_{start:%Y%m%d_%H%M%S}") == NameFacts(site, start)
