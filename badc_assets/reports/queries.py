"""The numbers of the dataset report, read from the dataset-wide tables. NULL is unknown; hours are the recorder's clock."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from badc_assets.layout import Layout
from badc_assets.reports.aggregates import existing_table
from badc_assets.reports.collecting import TABLES
from badc_assets.reports.settings import ReportSettings
from badc_assets.reports.views import activity_views, parquet_source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = dict[str, Any]

_COUNTED = """
CREATE VIEW counted AS
SELECT d.* EXCLUDE (site), r.site, r.audio_path, r.start_local
FROM detections d JOIN recordings r USING (recording_id)
WHERE {least} = 0 OR d.confidence >= {least}
"""

HEADLINE = """
SELECT
    count(*) AS recordings,
    count(DISTINCT site) AS sites,
    coalesce(sum(duration_ms) FILTER (outcome <> 'quarantined'), 0) / 3600000.0 AS recorded_hours,
    count(*) FILTER (duration_ms IS NULL AND outcome <> 'quarantined') AS unknown_length,
    coalesce(sum(analysed_ms), 0) / 3600000.0 AS analysed_hours,
    coalesce(sum(failed_ms), 0) / 3600000.0 AS failed_hours,
    coalesce(sum(stub_ms), 0) / 3600000.0 AS stub_hours,
    count(*) FILTER (outcome IN ('failed', 'partly analysed')) AS failed,
    count(*) FILTER (outcome = 'quarantined') AS quarantined,
    count(*) FILTER (outcome = 'not analysed') AS not_analysed,
    count(*) FILTER (site IS NULL) AS unknown_site,
    count(*) FILTER (try_cast(start_local AS TIMESTAMP) IS NULL) AS unknown_time,
    coalesce(sum(detections), 0)::BIGINT AS all_detections,
    (SELECT count(*) FROM counted) AS detections,
    (SELECT count(DISTINCT label) FROM counted) AS labels,
    count(*) FILTER (state = 'vanished') AS vanished,
    (SELECT count(*) FROM recordings WHERE outcome = 'moved') AS moved
FROM recordings WHERE outcome <> 'moved'
"""

OUTCOMES = """
SELECT outcome, count(*) AS recordings, sum(duration_ms) FILTER (outcome <> 'moved') / 3600000.0 AS recorded_hours
FROM recordings GROUP BY outcome
ORDER BY list_position(['analysed', 'partly analysed', 'failed', 'quarantined', 'not analysed', 'moved'], outcome)
"""

SITES = """
WITH found AS (
    SELECT site, count(*) AS detections, count(DISTINCT label) AS labels FROM counted GROUP BY site
)
SELECT e.site, recordings, recordings_analysed, recordings_quarantined, recordings_failed, recordings_not_analysed,
    round(recorded_hours, 4) AS recorded_hours, round(analysed_hours, 4) AS analysed_hours,
    CASE WHEN analysed_hours > 0 THEN coalesce(found.detections, 0) END AS detections,
    CASE WHEN analysed_hours > 0 THEN coalesce(found.labels, 0) END AS labels,
    CASE WHEN analysed_hours > 0 THEN round(coalesce(found.detections, 0) / analysed_hours, 4) END
        AS detections_per_hour,
    strftime(first_start, '%Y-%m-%dT%H:%M:%S') AS first_start_local,
    strftime(last_start, '%Y-%m-%dT%H:%M:%S') AS last_start_local
FROM effort_by_site e LEFT JOIN found ON e.site IS NOT DISTINCT FROM found.site
ORDER BY e.site NULLS LAST
"""

LABELS = """
SELECT label, label_name, count(*) AS detections, count(DISTINCT recording_id) AS recordings,
    count(DISTINCT site) AS known_sites, round(avg(confidence), 4) AS avg_confidence, max(confidence) AS max_confidence
FROM counted GROUP BY label, label_name ORDER BY detections DESC, label, label_name
"""

HOURLY = """
SELECT site, hour, round(effort_hours, 6) AS effort_hours,
    CASE WHEN effort_hours > 0 OR detections > 0 THEN detections END AS detections,
    round(detections_per_hour, 6) AS detections_per_hour
FROM (
    SELECT all_hours.site, all_hours.hour, coalesce(a.effort_hours, 0) AS effort_hours, a.detections,
        a.detections_per_hour
    FROM (SELECT DISTINCT site, unnest(range(24)) AS hour FROM site_hour_activity WHERE hour IS NOT NULL) all_hours
    LEFT JOIN site_hour_activity a
        ON a.site IS NOT DISTINCT FROM all_hours.site AND a.hour = all_hours.hour
    UNION ALL SELECT * FROM site_hour_activity WHERE hour IS NULL
) ORDER BY site NULLS LAST, hour NULLS LAST
"""

DAILY = """
WITH time AS (SELECT site, day, sum(effort_ms)::BIGINT AS ms FROM effort_hours GROUP BY ALL),
     found AS (SELECT site, day, sum(detections)::BIGINT AS n FROM detection_hours GROUP BY ALL)
SELECT coalesce(time.site, found.site) AS site, coalesce(time.day, found.day) AS day,
    round(coalesce(ms, 0) / 3600000.0, 6) AS effort_hours, coalesce(n, 0) AS detections,
    CASE WHEN ms > 0 THEN round(coalesce(n, 0) * 3600000.0 / ms, 6) END AS detections_per_hour
FROM time FULL JOIN found ON time.site IS NOT DISTINCT FROM found.site AND time.day IS NOT DISTINCT FROM found.day
ORDER BY site NULLS LAST, day NULLS LAST
"""

LABEL_HOURS = """
SELECT label, label_name, hour, sum(detections)::BIGINT AS detections
FROM detection_hours GROUP BY ALL ORDER BY label, label_name, hour NULLS LAST
"""

EFFORT = """
SELECT r.recording_id, r.audio_path, r.site, r.start_local, r.start_utc,
    CASE WHEN r.outcome <> 'moved' THEN round(r.duration_ms / 3600000.0, 6) END AS recorded_hours,
    round(r.analysed_ms / 3600000.0, 6) AS analysed_hours, round(r.failed_ms / 3600000.0, 6) AS failed_hours,
    r.outcome, r.state, r.moved_to,
    CASE WHEN r.analysed_ms > 0 THEN coalesce(found.n, 0) END AS detections
FROM recordings r LEFT JOIN (SELECT recording_id, count(*) AS n FROM counted GROUP BY recording_id) found
    USING (recording_id)
ORDER BY r.recording_id
"""

SITE_HOURS = """
SELECT site, day, hour, recordings, round(recorded_ms / 60000.0, 4) AS recorded_min,
    round(usable_ms / 60000.0, 4) AS usable_min, round(analysed_ms / 60000.0, 4) AS analysed_min,
    round(failed_ms / 60000.0, 4) AS failed_min, round(waiting_ms / 60000.0, 4) AS waiting_min,
    round(unusable_ms / 60000.0, 4) AS unusable_min
FROM site_hours ORDER BY site NULLS LAST, day NULLS LAST, hour NULLS LAST
"""

EFFORT_TOTALS = """
SELECT site, count(*) FILTER (hour IS NOT NULL) AS hours, sum(recorded_ms) / 3600000.0 AS recorded_hours,
    sum(usable_ms) / 3600000.0 AS usable_hours, sum(analysed_ms) / 3600000.0 AS analysed_hours,
    sum(failed_ms) / 3600000.0 AS failed_hours, sum(waiting_ms) / 3600000.0 AS waiting_hours,
    sum(unusable_ms) / 3600000.0 AS unusable_hours
FROM site_hours GROUP BY site ORDER BY site NULLS LAST
"""

QUALITY = """
SELECT recording_id, audio_path, site, start_local, status, reason, round(duration_ms / 3600000.0, 6) AS recorded_hours,
    COLUMNS('sound_.*')
FROM recordings WHERE outcome <> 'moved' AND (status = 'flagged' OR outcome = 'quarantined')
ORDER BY status = 'flagged', recording_id
"""

FAILURES = """
SELECT recording_id, audio_path, site, outcome, outcome_reason AS reason,
    round(duration_ms / 3600000.0, 6) AS recorded_hours, round(failed_ms / 3600000.0, 6) AS failed_hours, failed_chunks
FROM recordings WHERE outcome NOT IN ('analysed', 'moved')
ORDER BY list_position(['failed', 'partly analysed', 'quarantined', 'not analysed'], outcome), recording_id
"""

BEST = """
SELECT recording_id, audio_path, site, label, label_name, confidence, absolute_time_ms AS start_ms,
    absolute_end_ms AS end_ms, strftime(try_cast(start_local AS TIMESTAMP) + to_milliseconds(absolute_time_ms),
    '%Y-%m-%dT%H:%M:%S.%g') AS start_local, start_utc, low_hz, high_hz, snr_db, model_version
FROM counted WHERE absolute_time_ms IS NOT NULL
QUALIFY row_number() OVER (
    PARTITION BY site, label ORDER BY confidence DESC NULLS LAST, recording_id, absolute_time_ms, absolute_end_ms
) <= 3
ORDER BY confidence DESC NULLS LAST, recording_id, absolute_time_ms, label
"""

DETECTORS = """
SELECT detector, model_version, count(DISTINCT recording_id) AS recordings,
    coalesce(sum(effort_ms) FILTER (status NOT IN ('failed', 'unusable')), 0) / 3600000.0 AS analysed_hours,
    bool_or(status = 'stub' OR detector = 'stub') AS is_stub
FROM effort GROUP BY detector, model_version ORDER BY analysed_hours DESC, detector, model_version
"""


@contextmanager
def report_connection(layout: Layout, settings: ReportSettings) -> Iterator[DuckDBPyConnection]:
    """An in-memory database with views over the dataset-wide tables; `counted` are the detections that count.

    Raises BadcError when a table is missing.
    """
    sources = {name: parquet_source(existing_table(layout, name)) for name in TABLES}
    with duckdb.connect(config={"temp_directory": tempfile.gettempdir()}) as connection:
        for name, source in sources.items():
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {source}")
        connection.execute(_COUNTED.format(least=settings.min_confidence))
        connection.execute(activity_views("counted"))
        yield connection


def query(connection: DuckDBPyConnection, sql: str) -> list[Row]:
    """The rows of `sql` as dictionaries, columns in order."""
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
