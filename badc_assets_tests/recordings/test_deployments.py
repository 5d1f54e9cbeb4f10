"""The deployments table: read exactly, or refused with line and column."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.errors import BadcError
from badc_assets.recordings.deployments import COLUMNS, Deployment, parse_deployments

HEADER = "site,lat,lon,zone,start,end,clock_offset_s\n"


def test_a_table():
    text = "\ufeffsite,lat,lon,zone,start,end,clock_offset_s,notes\n"
    text += "A,61.5,-114.25,America/Edmonton,2023-05-01,2023-06-30,-12.5,\n\n"
    (row,) = parse_deployments(text.removeprefix("\ufeff"), "d.csv").rows
    assert row == Deployment(
        2, "A", "", 61.5, -114.25, "America/Edmonton", datetime(2023, 5, 1),
        datetime(2023, 6, 30, 23, 59, 59, 999_999), -12.5,
    )  # fmt: skip


def test_only_the_site_must_be_there():
    assert parse_deployments("site\nA\n", "d.csv").rows == (Deployment(2, "A"),)


def test_rows_for_one_recorder_or_side():
    table = parse_deployments("site,serial,side\nA,1,\nA,2,\nA,,B\n", "d.csv")
    assert [row.line for row in table.of("A", "1", "A")] == [2]
    assert [row.line for row in table.of("A", "2", "B")] == [3, 4]
    assert table.of("B", "1", "A") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEADER}A,x,1,,,,\n", "d.csv, line 2, column lat: 'x' is no number"),
        (f"{HEADER}A,1,,,,,\n", "lat and lon go together"),
        (f"{HEADER}A,91,1,,,,\n", "no place 91"),
        (f"{HEADER}A,,,Mars,,,\n", "column zone: there is no time zone 'Mars'"),
        (f"{HEADER}A,,,,1 May,,\n", "column start: '1 May' is no date"),
        (f"{HEADER}A,,,,2023-05-01T00:00:00Z,,\n", "is no date"),
        (f"{HEADER}A,,,,2023-05-02,2023-05-01,\n", "is before start"),
        (f"{HEADER}A,,,,,,nan\n", "'nan' is no number"),
        (f"{HEADER}A,,,,,,1e12\n", "ten years"),
        ("site,sample_rate_hz\nA,44.1\n", "column sample_rate_hz: '44.1' is no whole number"),
        ("site,sample_rate_hz\nA,-1\n", "column sample_rate_hz: '-1' is no whole number"),
        (f"{HEADER},1,2,,,,\n", "column site: is empty"),
        ("lat,lon\n1,2\n", "no column 'site'"),
        ("site,zone,strat\nA,,\n", "unknown column 'strat', did you mean 'start'"),
        ("site,site\nA,B\n", "two columns are called 'site'"),
        ("", "no column 'site'"),
    ],
)
def test_mistakes_are_named_in_one_line(text: str, says: str):
    with pytest.raises(BadcError, match=says) as caught:
        parse_deployments(text, "d.csv")
    assert "\n" not in str(caught.value)


@given(st.one_of(st.text(), st.lists(st.lists(st.text(max_size=12), max_size=8)).map(
    lambda rows: "\n".join([",".join(COLUMNS), *(",".join(["A", *row]) for row in rows)]))))  # fmt: skip
def test_any_text_is_a_table_or_a_mistake(text: str):
    try:
        parse_deployments(text, "d.csv")
    except BadcError as error:
        assert "\n" not in str(error)
