"""The published table is what the tests say, and has a row for everything that was found out about BADC."""

from __future__ import annotations

from collections import Counter

from badc_assets_tests.compared.rows import declared_rows
from badc_assets_tests.compared.table import DOCUMENT, document

IN_PARTS = {2: ("", "b"), 7: ("", "b"), 11: ("a", "b"), 12: ("a", "b", "c", "d", "e"), 13: ("a", "b")}
TRIED = [f"F{number}{part}" for number in range(1, 22) for part in IN_PARTS.get(number, ("",))]
BUGS = [f"B{number}" for number in range(1, 26)]


def test_the_published_table_is_what_the_tests_say():
    assert DOCUMENT.read_text() == document(declared_rows()), "run `python -m badc_assets_tests.compared.table`"


def test_everything_has_a_row():
    shown = Counter(identifier for row in declared_rows() for identifier in row.ids)
    assert set(shown) == {*TRIED, *BUGS}
    assert {identifier for identifier, count in shown.items() if count > 1} == {"B5", "B9", "B11", "B15", "B16"}


def test_a_row_is_one_line_of_the_table():
    for row in declared_rows():
        for text in (row.situation, row.badc, row.ours):
            assert text.strip() == text != ""
            assert "|" not in text and "\n" not in text
