"""Results in Python: the examples of docs/api.md, and the same from BADC's files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from badc_assets.api import aggregate, load_bundle, load_dataset, load_detections
from badc_assets.detections.schema import BADC_COLUMNS
from badc_assets.errors import BadcError
from badc_assets.reports.aggregates import fill_database
from badc_assets.reports.database import new_database
from badc_assets.stages import stages
from badc_assets_tests.datasets import Dataset, make_dataset

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Dataset:
    """Two recordings with everything that `badc run --bundles` makes, at data/sample of a folder."""
    dataset = make_dataset(tmp_path_factory.mktemp("api") / "data/sample", 2)
    dataset.chunk()
    dataset.analyse()
    dataset.publish()
    with new_database(dataset.layout.database) as file, duckdb.connect(str(file)) as connection:
        fill_database(connection, dataset.layout, dataset.project.report)
    assert stages.bundled(dataset.project, dataset.recording_ids) == {}
    return dataset


def test_the_examples_of_the_page_run(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.layout.dataset.parents[1])
    examples = re.findall(r"^```python\n(.*?)^```", (DOCS / "api.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    names: dict[str, object] = {}
    for example in examples:
        exec(example, names)
    assert "hours that were listened to" in capsys.readouterr().out


def test_the_tables_of_a_dataset(finished):
    results = load_dataset(finished.layout.dataset)
    assert len(results.recordings) == 2
    assert results.detections.columns[:18] == list(BADC_COLUMNS)
    assert isinstance(results.effort.to_arrow_table(), pa.Table)
    assert set(results.effort.df()["recording_id"]) == set(finished.recording_ids)
    assert results.bundle(finished.recording_ids[0]).recordings.fetchall()[0][0] == finished.recording_ids[0]


def test_a_folder_of_results_and_its_totals(finished):
    parts = load_detections(finished.layout.output / "artifacts/infer")
    whole = load_dataset(finished.layout.dataset).detections
    assert len(parts) == len(whole) > 0
    totals = aggregate([finished.layout.detections(each) for each in finished.recording_ids])
    assert sum(row[2] for row in totals.labels.fetchall()) == len(whole)
    assert {row[0] for row in totals.recordings.fetchall()} == set(finished.recording_ids)


def test_rows_of_badc_for_silence_are_no_detections_unless_wanted(tmp_path):
    columns = {"recording_id": ["a", "b"], "chunk_id": ["a1", "b1"], "chunk_start_ms": [0, 0], "timestamp_ms": [5, None],
               "label": ["owl", "none"], "label_name": ["Owl", None], "confidence": [0.5, None]}  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "badc.parquet")
    assert load_detections(tmp_path).project("label").fetchall() == [("owl",)]
    assert len(load_detections(tmp_path / "badc.parquet", as_badc=True)) == 2
    totals = aggregate(tmp_path)
    assert totals.labels.fetchall() == [("Owl", "owl", 1, 0.5)]
    assert totals.recordings.fetchall() == [("a", 1, 0.5), ("b", 0, None)]
    assert [row[1] for row in aggregate(tmp_path, as_badc=True).recordings.fetchall()] == [1, 1]


def test_detection_json_is_read_too(tmp_path):
    chunk = {"chunk_id": "a_chunk_0_1000", "recording_id": "a", "chunk_start_ms": 0, "chunk_end_ms": 1000, "status": "ok",
             "detections": [{"timestamp_ms": 5, "label": "owl", "confidence": 0.5}]}  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(chunk))
    assert load_detections(tmp_path).project("recording_id, label").fetchall() == [("a", "owl")]
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(BadcError, match=r"b\.json"):
        load_detections(tmp_path)


def test_what_is_missing_is_said_in_one_line(tmp_path):
    with pytest.raises(BadcError, match="there is no such dataset"):
        load_dataset(tmp_path / "nowhere")
    with pytest.raises(BadcError, match="badc run"):
        _ = load_dataset(tmp_path).detections
    with pytest.raises(BadcError, match="there is no such file"):
        load_detections(tmp_path / "a.parquet")
    with pytest.raises(BadcError, match="neither Parquet"):
        load_detections(tmp_path)
    (tmp_path / "a.parquet").write_text("no parquet")
    with pytest.raises(BadcError, match="cannot be read"):
        load_detections(tmp_path)
    with pytest.raises(BadcError, match="no such database"):
        load_bundle(tmp_path / "a.duckdb")
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    with pytest.raises(BadcError, match="is no report bundle"):
        load_bundle(tmp_path / "other.duckdb")
