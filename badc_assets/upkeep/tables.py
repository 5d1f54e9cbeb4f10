"""The dataset-wide tables against what the recordings' own files say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from badc_assets.detections.store import read_table, status_path
from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.reports.counting import Evidence
from badc_assets.upkeep.findings import Finding

RULE = "tables_match_results"
REBUILD = "materialize detection_aggregates"
_NAMES = ("recordings", "effort", "detections")


@dataclass
class TableRows:
    """The rows of `recordings` by id, and what comparing them with the recordings showed so far.

    A recording that was written after the tables is outdated there, which is no contradiction.
    """

    layout: Layout
    made_ns: int = 0
    rows: dict[str, tuple[str, int]] = field(default_factory=dict)
    problems: tuple[Finding, ...] = ()
    outdated: set[str] = field(default_factory=set)
    contradicting: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, layout: Layout) -> TableRows:
        """What the tables say; nothing where they were never made."""
        files = [layout.aggregate_table(name) for name in _NAMES]
        if not any(file.exists() for file in files):
            return cls(layout)
        try:
            table = read_table(files[0], ["recording_id", "results", "detections"])
            counted = read_table(files[2], ["recording_id"]).num_rows
            read_table(files[1], ["recording_id"])
        except BadcError as error:
            return cls(layout, problems=(Finding(RULE, "damage", error.subject, error.problem, REBUILD),))
        columns = (table[name].to_pylist() for name in ("recording_id", "results", "detections"))
        rows = {key: (results, detections or 0) for key, results, detections in zip(*columns, strict=True)}
        stated = sum(detections for _, detections in rows.values())
        problems: tuple[Finding, ...] = ()
        if stated != counted:
            problem = f"has {counted} rows, and the recordings of the table beside it {stated} detections"
            problems = (Finding(RULE, "damage", str(files[2]), problem, REBUILD),)
        return cls(layout, files[0].stat().st_mtime_ns, rows, problems)

    def compare(self, evidence: Evidence) -> None:
        """Note whether a recording's row is what its own files say. Call it once for each recording of the catalogue."""
        if not self.made_ns:
            return
        recording_id, result = evidence.entry.recording_id, evidence.result
        counts = result is not None and evidence.has_effort
        own = (evidence.results, result.detections if result is not None and counts else 0)
        row = self.rows.pop(recording_id, None)
        if row == own:
            return
        if self._is_newer(recording_id):
            self.outdated.add(recording_id)
        elif row is None:
            self.contradicting[recording_id] = "is missing in the tables"
        else:
            self.contradicting[recording_id] = (
                f"the tables say {row[0]} with {row[1]} detections, its own files {own[0]} with {own[1]}"
            )

    def findings(self, *, is_full: bool) -> Iterator[Finding]:
        """What the comparison came to. Full mode also counts all rows of the tables and of the recordings' own files."""
        if self.outdated:
            problem = f"{len(self.outdated)} recordings changed since the tables were made"
            yield Finding(RULE, "notice", str(self.layout.aggregate_table("recordings")), problem, REBUILD)
        for recording_id in self.rows:
            self.contradicting.setdefault(recording_id, "is in the tables and not in the catalogue")
        for recording_id, problem in self.contradicting.items():
            yield Finding(RULE, "damage", recording_id, problem, REBUILD)
        if is_full and self.made_ns:
            yield from self._counted()

    def _counted(self) -> Iterator[Finding]:
        from badc_assets.reports.aggregates import check_aggregates

        for difference in check_aggregates(self.layout):
            recording_id, _, problem = difference.partition(": ")
            if recording_id not in self.outdated and recording_id not in self.contradicting:
                yield Finding(RULE, "damage", recording_id, problem, REBUILD)

    def _is_newer(self, recording_id: str) -> bool:
        """Whether something that a row is made of was written after the tables."""
        layout = self.layout
        files = (
            status_path(layout, recording_id),
            layout.chunk_status(recording_id),
            layout.facts(recording_id),
            layout.catalog,
        )
        return any(file.is_file() and file.stat().st_mtime_ns >= self.made_ns for file in files)
