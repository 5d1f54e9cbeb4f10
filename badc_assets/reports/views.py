"""The views of a report database, over its tables `detections` and `effort`. Columns and order are BADC's.

BADC counted a chunk without detections as one detection of label `none`. Here such a chunk counts 0, and what was not
analysed (every chunk failed) counts NULL, so that silence and a gap never look the same.
"""

from __future__ import annotations

from pathlib import Path

LABEL_COLUMNS = ("label", "label_name", "detections", "avg_confidence")
RECORDING_COLUMNS = ("recording_id", "detections", "avg_confidence")
CHUNK_COLUMNS = ("chunk_id", "chunk_start_ms", "detections", "avg_confidence")
TIMELINE_COLUMNS = ("bucket_index", "bucket_start_ms", "detections", "avg_confidence")

_LABEL_SUMMARY = """
CREATE OR REPLACE VIEW label_summary AS
SELECT label, label_name, count(*) AS detections, avg(confidence) AS avg_confidence
FROM detections GROUP BY label, label_name
ORDER BY detections DESC, label, label_name
"""

_CHUNK_SUMMARY = """
CREATE OR REPLACE VIEW chunk_summary AS
WITH found AS (
    SELECT recording_id, chunk_id, min(chunk_start_ms) AS found_start_ms, count(*) AS detections,
        avg(confidence) AS avg_confidence
    FROM detections GROUP BY recording_id, chunk_id
), chunk AS (
    SELECT recording_id, chunk_id, min(chunk_start_ms) AS start_ms, bool_or(status NOT IN ('failed', 'unusable')) AS is_analysed
    FROM effort GROUP BY recording_id, chunk_id
)
SELECT
    recording_id, chunk_id, coalesce(start_ms, found_start_ms) AS chunk_start_ms,
    CASE WHEN found.detections IS NOT NULL THEN found.detections WHEN chunk.is_analysed THEN 0 END AS detections,
    found.avg_confidence
FROM chunk FULL JOIN found USING (recording_id, chunk_id)
ORDER BY recording_id, chunk_start_ms NULLS FIRST, chunk_id
"""

_RECORDING_SUMMARY = """
CREATE OR REPLACE VIEW recording_summary AS
WITH mean AS (SELECT recording_id, avg(confidence) AS avg_confidence FROM detections GROUP BY recording_id),
     total AS (SELECT recording_id, sum(detections)::BIGINT AS detections FROM chunk_summary GROUP BY recording_id)
SELECT recording_id, total.detections, mean.avg_confidence
FROM total LEFT JOIN mean USING (recording_id)
ORDER BY detections DESC NULLS LAST, recording_id
"""

_TIMELINE_SUMMARY = """
CREATE OR REPLACE VIEW timeline_summary AS
SELECT
    chunk_start_ms // {bucket_ms} AS bucket_index, min(chunk_start_ms) AS bucket_start_ms,
    sum(detections)::BIGINT AS detections, avg(avg_confidence) AS avg_confidence
FROM chunk_summary GROUP BY bucket_index ORDER BY bucket_index NULLS FIRST
"""


def summary_views(bucket_minutes: int) -> str:
    """SQL that makes `label_summary`, `recording_summary`, `timeline_summary` and, beneath them, `chunk_summary`.

    As in BADC, a bucket starts where its first chunk starts, and its confidence is the plain mean of its chunks' means.
    """
    timeline = _TIMELINE_SUMMARY.format(bucket_ms=max(bucket_minutes, 1) * 60_000)
    return ";".join((_LABEL_SUMMARY, _CHUNK_SUMMARY, _RECORDING_SUMMARY, timeline))


_EFFORT_HOURS = """
CREATE OR REPLACE VIEW effort_hours AS
WITH analysed AS (
    SELECT e.recording_id, r.site, e.effort_ms, try_cast(r.start_local AS TIMESTAMP) AS starts_at,
        starts_at + to_milliseconds(e.chunk_end_ms - e.effort_ms) AS begins,
        starts_at + to_milliseconds(e.chunk_end_ms) AS ends
    FROM effort e JOIN recordings r USING (recording_id)
    WHERE e.status NOT IN ('failed', 'unusable') AND e.effort_ms > 0
), piece AS (
    SELECT *, unnest(generate_series(date_trunc('hour', begins), ends, INTERVAL 1 HOUR)) AS hour_starts
    FROM analysed WHERE starts_at IS NOT NULL
)
SELECT site, hour_starts::DATE AS day, hour(hour_starts) AS hour,
    sum(date_diff('millisecond', greatest(begins, hour_starts), least(ends, hour_starts + INTERVAL 1 HOUR)))::BIGINT
        AS effort_ms
FROM piece WHERE hour_starts < ends GROUP BY ALL
UNION ALL
SELECT site, NULL, NULL, sum(effort_ms)::BIGINT FROM analysed WHERE starts_at IS NULL GROUP BY site
"""

_DETECTION_HOURS = """
CREATE OR REPLACE VIEW detection_hours AS
SELECT site, label, label_name, local_time::DATE AS day, hour(local_time) AS hour, count(*) AS detections
FROM (
    SELECT r.site, d.label, d.label_name,
        try_cast(r.start_local AS TIMESTAMP) + to_milliseconds(d.absolute_time_ms) AS local_time
    FROM {detections} d JOIN recordings r USING (recording_id)
) GROUP BY ALL
"""

_SITE_HOUR_ACTIVITY = """
CREATE OR REPLACE VIEW site_hour_activity AS
WITH time AS (SELECT site, hour, sum(effort_ms)::BIGINT AS effort_ms FROM effort_hours GROUP BY ALL),
     found AS (SELECT site, hour, sum(detections)::BIGINT AS detections FROM detection_hours GROUP BY ALL)
SELECT
    coalesce(time.site, found.site) AS site, coalesce(time.hour, found.hour) AS hour,
    coalesce(effort_ms, 0) / 3600000.0 AS effort_hours, coalesce(detections, 0) AS detections,
    CASE WHEN effort_ms > 0 THEN coalesce(detections, 0) * 3600000.0 / effort_ms END AS detections_per_hour
FROM time FULL JOIN found ON time.site IS NOT DISTINCT FROM found.site AND time.hour IS NOT DISTINCT FROM found.hour
ORDER BY site NULLS LAST, hour NULLS LAST
"""

_EFFORT_BY_SITE = """
CREATE OR REPLACE VIEW effort_by_site AS
SELECT
    site, count(*) AS recordings,
    count(*) FILTER (outcome IN ('analysed', 'partly analysed')) AS recordings_analysed,
    count(*) FILTER (outcome = 'quarantined') AS recordings_quarantined,
    count(*) FILTER (outcome = 'failed') AS recordings_failed,
    count(*) FILTER (outcome = 'not analysed') AS recordings_not_analysed,
    coalesce(sum(duration_ms) FILTER (outcome <> 'quarantined'), 0) / 3600000.0 AS recorded_hours,
    coalesce(sum(analysed_ms), 0) / 3600000.0 AS analysed_hours,
    coalesce(sum(failed_ms), 0) / 3600000.0 AS failed_hours,
    min(try_cast(start_local AS TIMESTAMP)) AS first_start, max(try_cast(start_local AS TIMESTAMP)) AS last_start
FROM recordings WHERE outcome <> 'moved' GROUP BY site ORDER BY site NULLS LAST
"""


_SITE_HOURS = """
CREATE OR REPLACE VIEW site_hours AS
WITH known AS (
    SELECT recording_id, site, outcome, duration_ms, try_cast(start_local AS TIMESTAMP) AS starts_at
    FROM recordings WHERE outcome <> 'moved' AND duration_ms > 0
), covered AS (
    SELECT recording_id, chunk_end_ms - effort_ms AS from_ms, chunk_end_ms AS to_ms,
        CASE status WHEN 'failed' THEN 'failed' WHEN 'unusable' THEN 'unusable' ELSE 'analysed' END AS what
    FROM effort WHERE effort_ms > 0
), rest AS (
    SELECT recording_id, coalesce(sum(to_ms - from_ms), 0)::BIGINT AS from_ms, any_value(duration_ms) AS to_ms,
        CASE any_value(outcome) WHEN 'quarantined' THEN 'unusable' WHEN 'failed' THEN 'failed' ELSE 'waiting' END AS what
    FROM known LEFT JOIN covered USING (recording_id) GROUP BY recording_id
), part AS (
    SELECT site, starts_at, what, from_ms, to_ms, recording_id,
        starts_at + to_milliseconds(from_ms) AS begins, starts_at + to_milliseconds(to_ms) AS ends
    FROM (FROM covered UNION ALL BY NAME FROM rest WHERE from_ms < to_ms) JOIN known USING (recording_id)
), piece AS (
    SELECT *, unnest(generate_series(date_trunc('hour', begins), ends, INTERVAL 1 HOUR)) AS hour_starts
    FROM part WHERE starts_at IS NOT NULL
), share AS (
    SELECT site, hour_starts, what, recording_id,
        date_diff('millisecond', greatest(begins, hour_starts), least(ends, hour_starts + INTERVAL 1 HOUR)) AS ms
    FROM piece WHERE hour_starts < ends
    UNION ALL SELECT site, NULL, what, recording_id, to_ms - from_ms FROM part WHERE starts_at IS NULL
)
SELECT site, hour_starts::DATE AS day, hour(hour_starts) AS hour, count(DISTINCT recording_id) AS recordings,
    sum(ms)::BIGINT AS recorded_ms,
    coalesce(sum(ms) FILTER (what <> 'unusable'), 0)::BIGINT AS usable_ms,
    coalesce(sum(ms) FILTER (what = 'analysed'), 0)::BIGINT AS analysed_ms,
    coalesce(sum(ms) FILTER (what = 'failed'), 0)::BIGINT AS failed_ms,
    coalesce(sum(ms) FILTER (what = 'waiting'), 0)::BIGINT AS waiting_ms,
    coalesce(sum(ms) FILTER (what = 'unusable'), 0)::BIGINT AS unusable_ms
FROM share GROUP BY site, hour_starts ORDER BY site NULLS LAST, hour_starts NULLS LAST
"""


def effort_views() -> str:
    """SQL that makes `site_hours`, over `recordings` and `effort`: for each site and hour of the recorder's clock, what became
    of the time that was recorded then.

    `recorded_ms` = `usable_ms` + `unusable_ms` (quarantined sound), `usable_ms` = `analysed_ms` + `failed_ms` + `waiting_ms` (not
    analysed yet). Day and hour are NULL where the time is unknown. Recordings of unknown length are in none.
    """
    return _SITE_HOURS


def activity_views(detections: str = "detections") -> str:
    """SQL that makes the views of activity and effort by site, over `recordings`, `effort` and the table `detections`.

    Hours and days are the recorder's clock (`start_local`); NULL means that the time or the site is unknown. A chunk
    that crosses the hour gives each hour its part. The effort of a chunk is its last `effort_ms`: what comes before
    belongs to an earlier chunk.
    """
    found = _DETECTION_HOURS.format(detections=detections)
    return ";".join((_EFFORT_HOURS, found, _SITE_HOUR_ACTIVITY, _EFFORT_BY_SITE, _SITE_HOURS))


def parquet_source(path: Path) -> str:
    """The SQL table expression for one Parquet file, whatever characters its path holds."""
    return "read_parquet('" + one_file(path).replace("'", "''") + "')"


def one_file(path: Path) -> str:
    """A path where DuckDB takes a pattern: it matches this file and no other."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
