"""Gather the dataset-wide tables: recordings, effort, detections, quality of chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from badc_assets.detections.schema import effort_schema
from badc_assets.files import atomic_path
from badc_assets.layout import Layout
from badc_assets.recordings.model import CatalogEntry
from badc_assets.reports.counting import Evidence, read_evidence
from badc_assets.reports.earlier import EarlierTables, digests_schema, earlier_tables, new_build
from badc_assets.reports.inputs import digest_of_all, recording_digest, rows_digest
from badc_assets.reports.outcomes import Problem, recording_outcome, recordings_schema
from badc_assets.reports.parts import dataset_detection_schema
from badc_assets.reports.sound import chunk_quality_schema

TABLES = ("recordings", "effort", "detections", "chunk_quality")
_DIGESTS = ".inputs"
"""A table beside the others, of what each recording's rows were made of. It is nothing for people."""
_GROUP_ROWS = 100_000
_GROUP_TABLES = 2_000


@dataclass(frozen=True)
class AggregateResult:
    """How much the tables hold. `problems` names each file that could not be used, and so was not counted. `digest` changes
    when anything does that the tables are made of; `taken_over` recordings had not changed since the tables before."""

    recordings: int
    recordings_counted: int
    effort_rows: int
    analysed_ms: int
    failed_ms: int
    detections: int
    problems: tuple[Problem, ...]
    digest: str
    taken_over: int


def collect_tables(layout: Layout, entries: Iterable[CatalogEntry]) -> AggregateResult:
    """Write the tables for these recordings (all of the catalogue), sorted by recording and time.

    Every recording has a row in `recordings`, whatever became of it. One whose results do not count (see
    `reports.counting`) or cannot be read adds nothing to `effort` and `detections`; its outcome says why. Rows of recordings
    that did not change are taken over from the tables before. Memory stays bounded by the largest recording. The old tables
    stay readable until all new ones are complete.
    """
    schemas = _schemas()
    files = {name: (layout.aggregate_table(name), schema) for name, schema in schemas.items()}
    build = new_build()
    with ExitStack() as stack:
        sinks = {
            name: stack.enter_context(_sink(layout.aggregate_table(name), schema.with_metadata(build)))
            for name, schema in (schemas | {_DIGESTS: digests_schema()}).items()
        }
        collecting = _Collecting(layout, sinks, earlier_tables(files, layout.aggregate_table(_DIGESTS)))
        for evidence in read_evidence(layout, entries):
            collecting.add(evidence)
    return collecting.result()


def _schemas() -> dict[str, pa.Schema]:
    schemas = (recordings_schema(), effort_schema(), dataset_detection_schema(), chunk_quality_schema())
    return dict(zip(TABLES, schemas, strict=True))


class _Sink:
    """Gathers small tables and writes them as large row groups, so that memory holds one group."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        if table.num_rows == 0:
            return
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self.rows += table.num_rows
        if self._waiting_rows >= _GROUP_ROWS or len(self._waiting) >= _GROUP_TABLES:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=_GROUP_ROWS)
            self._waiting, self._waiting_rows = [], 0


@contextmanager
def _sink(target: Path, schema: pa.Schema) -> Iterator[_Sink]:
    with atomic_path(target) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        sink = _Sink(writer)
        yield sink
        sink.flush()


@dataclass
class _Collecting:
    """The tables as far as they are."""

    layout: Layout
    sinks: Mapping[str, _Sink]
    earlier: EarlierTables
    digests: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    counted: int = 0
    analysed_ms: int = 0
    failed_ms: int = 0
    taken_over: int = 0

    def add(self, evidence: Evidence) -> None:
        """The rows of one recording."""
        recording_id, digest = evidence.entry.recording_id, recording_digest(evidence)
        self.digests.append(digest)
        of_rows = rows_digest(self.layout, evidence, digest)
        rows = self.earlier.rows(recording_id, of_rows)
        if rows is None:
            rows, problems = _made(self.layout, evidence)
            self.problems += problems
            of_rows = "" if problems else of_rows  # what is wrong has to be said again
        else:
            self.taken_over += 1
        self._count(rows["recordings"])
        rows[_DIGESTS] = pa.Table.from_pylist([{"recording_id": recording_id, "digest": of_rows}], digests_schema())
        for name, table in rows.items():
            self.sinks[name].add(table)

    def _count(self, recording: pa.Table) -> None:
        row = recording.select(["results", "outcome", "analysed_ms", "failed_ms"]).to_pylist()[0]
        self.counted += row["results"] == "counted"
        self.analysed_ms += row["analysed_ms"] or 0
        self.failed_ms += row["failed_ms"] or 0

    def result(self) -> AggregateResult:
        """Counts of what was written."""
        return AggregateResult(
            recordings=self.sinks["recordings"].rows,
            recordings_counted=self.counted,
            effort_rows=self.sinks["effort"].rows,
            analysed_ms=self.analysed_ms,
            failed_ms=self.failed_ms,
            detections=self.sinks["detections"].rows,
            problems=tuple(self.problems),
            digest=digest_of_all(self.digests),
            taken_over=self.taken_over,
        )


def _made(layout: Layout, evidence: Evidence) -> tuple[dict[str, pa.Table], tuple[Problem, ...]]:
    """The rows of a recording from its own files."""
    found = recording_outcome(layout, evidence)
    rows = {"recordings": pa.Table.from_pylist([found.row], schema=recordings_schema())}
    if found.chunk_quality is not None:
        rows["chunk_quality"] = found.chunk_quality
    if found.effort is not None and found.detections is not None:
        rows |= {"effort": found.effort, "detections": found.detections}
    return rows, found.problems
