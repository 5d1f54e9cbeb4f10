"""Effort: what became of every minute that was recorded, by site and hour, and the check that none is lost or counted twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from badc_assets.detections.tables import encodable
from badc_assets.layout import Layout
from badc_assets.recordings.model import CatalogEntry
from badc_assets.reports.aggregates import existing_table
from badc_assets.reports.counting import read_evidence
from badc_assets.reports.views import effort_views, parquet_source

_BY_SITE = """
SELECT site, sum(recorded_ms)::BIGINT, sum(analysed_ms + failed_ms + waiting_ms + unusable_ms)::BIGINT
FROM site_hours GROUP BY site
"""


@dataclass(frozen=True)
class EffortCheck:
    """`differences`: one sentence for each site whose minutes do not add up. `recorded_ms`: that of all sites.

    `unknown_length`: recordings whose length nobody knows (never read, or unreadable); no sum can hold them.
    """

    differences: tuple[str, ...]
    recorded_ms: int
    unknown_length: int


def check_effort(layout: Layout, entries: Iterable[CatalogEntry]) -> EffortCheck:
    """Compare effort by site and hour, made from the dataset-wide tables, with the recordings of the catalogue.

    Raises BadcError when a table is missing.
    """
    recorded: defaultdict[str | None, int] = defaultdict(int)
    unknown_length = 0
    for evidence in read_evidence(layout, entries):
        if evidence.moved_to:
            continue
        facts, result = evidence.facts, evidence.result
        length_ms = facts.duration_ms if facts else None
        if length_ms is None and evidence.has_effort and result is not None:
            length_ms = result.audio_ms
        if length_ms is None:
            unknown_length += 1
            continue
        recorded[encodable(facts.site) if facts and facts.site is not None else None] += length_ms
    with duckdb.connect() as connection:
        for name in ("recordings", "effort"):
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {parquet_source(existing_table(layout, name))}")
        connection.execute(effort_views())
        tables = {site: (ms, parts_ms) for site, ms, parts_ms in connection.execute(_BY_SITE).fetchall()}
    differences = []
    for site in sorted({*recorded, *tables}, key=lambda site: (site is None, site or "")):
        found_ms, parts_ms = tables.get(site, (0, 0))
        name = "unknown site" if site is None else f"site {site}"
        if found_ms != recorded[site]:
            differences.append(f"{name}: {found_ms} ms of effort, the catalogue has {recorded[site]} ms")
        if parts_ms != found_ms:
            differences.append(f"{name}: {found_ms} ms recorded, but its parts come to {parts_ms} ms")
    return EffortCheck(tuple(differences), sum(recorded.values()), unknown_length)
