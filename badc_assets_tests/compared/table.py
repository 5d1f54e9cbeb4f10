"""docs/compared-with-badc.md, from the rows of the tests that passed: `python -m badc_assets_tests.compared.table`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from badc_assets.files import write_text
from badc_assets_tests.compared.rows import Row, declared_rows, rows_at

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/compared-with-badc.md"

HEAD = """# When things go wrong: BADC and badc_assets

Each row is a test in `badc_assets_tests/compared`, which does what the second column says and checks the last. What BADC does was
tried with its commit 2f21620 (F), or found in its code or by trying (B); it is described here, not run. The rule for badc_assets:
nothing is lost, nothing happens silently, what is wrong is one line, and the exit status is 1 where something was left out.

`python -m badc_assets_tests.compared.table` runs the tests, and writes this file from the rows of those that passed.

| | what happens | BADC | badc_assets |
|---|---|---|---|
"""


def document(rows: Iterable[Row]) -> str:
    """The text of the file."""
    lines = [f"| {', '.join(row.ids)} | {row.situation} | {row.badc} | {row.ours} |" for row in rows]
    return HEAD + "\n".join([*lines, ""])


class Passed:
    """A plugin that knows afterwards which rows have passed: all tests of them, and none was skipped."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Row, ...]] = {}
        self._good: set[str] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self._rows[item.nodeid] = tuple(rows_at(getattr(item, "function", None)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._good.add(report.nodeid)
        elif not report.passed:
            self._good.discard(report.nodeid)

    @property
    def rows(self) -> list[Row]:
        bad = {row for test, rows in self._rows.items() if test not in self._good for row in rows}
        good = {row for test in self._good for row in self._rows[test]}
        return sorted(good - bad, key=lambda row: row.place)


def main() -> int:
    """Write the file. Status 1 when a row is missing in it."""
    passed = Passed()
    tests = [str(path) for path in sorted(Path(__file__).parent.glob("test_*.py")) if path.name != "test_table.py"]
    pytest.main(["-p", "no:xdist", *tests], plugins=[passed])
    write_text(DOCUMENT, document(passed.rows))
    missing = [row for row in declared_rows() if row not in passed.rows]
    for row in missing:
        print(f"left out, since its test has not passed: {', '.join(row.ids)} ({row.situation})")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
