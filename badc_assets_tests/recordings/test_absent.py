"""Sound that is not here now keeps what was known and found, as long as its content is the same."""

from __future__ import annotations

import pytest

from badc_assets.chunks.status import read_status
from badc_assets.chunks.verify import changed_chunks
from badc_assets.detections.store import read_result_status
from badc_assets.detectors.energy.detector import EnergyDetector, EnergySettings
from badc_assets.inference.engine import Engine
from badc_assets.inference.outstanding import outstanding
from badc_assets.inference.settings import InferenceSettings
from badc_assets.recordings.current import catalog_update, require_catalog, update_catalog
from badc_assets.recordings.facts import read_facts
from badc_assets.recordings.settings import RecordingSettings
from badc_assets_tests.datasets import fixed_clock, make_dataset
from badc_assets_tests.sounds import noise, write_sound

DETECTOR = EnergyDetector(EnergySettings())


def analyse(dataset):
    dataset.chunk()
    engine = Engine(dataset.layout, DETECTOR, dataset.project.chunking, InferenceSettings(), fixed_clock, "run")
    return {outcome.recording_id: outcome for outcome in engine.run(dataset.recording_ids)}


def to_do(dataset, recordings=None):
    project = dataset.project
    entries = require_catalog(dataset.layout).entries
    return outstanding(dataset.layout, entries, recordings or project.recordings, project.wanted_results)


@pytest.fixture
def dataset(tmp_path):
    """Two recordings behind annex-like links, analysed."""
    made = make_dataset(tmp_path, 2)
    for recording in made.recording_ids:
        link = made.layout.source(f"audio/{recording}.wav")
        content = tmp_path / f".git/annex/objects/aa/bb/MD5E-{recording}/MD5E-{recording}"
        content.parent.mkdir(parents=True)
        link.rename(content)
        link.symlink_to(content)
    assert all(outcome.is_complete for outcome in analyse(made).values())
    return made


def test_dropped_content_keeps_format_chunks_and_results(dataset):
    dropped = dataset.recording_ids[0]
    before = read_facts(dataset.layout, dropped)
    dataset.layout.source(f"audio/{dropped}.wav").resolve().unlink()
    outcomes = analyse(dataset)
    after = read_facts(dataset.layout, dropped)
    assert before is not None
    assert after is not None
    assert after.is_absent
    assert (after.duration_ms, after.sample_rate_hz) == (before.duration_ms, before.sample_rate_hz)
    assert outcomes[dropped].is_complete
    assert outcomes[dropped].was_reused
    assert to_do(dataset).open == set()
    assert changed_chunks(dataset.layout, dataset.recording_ids, chunks_each=1) == {}


def test_dropped_content_with_other_settings_is_left_alone(dataset):
    dropped = dataset.recording_ids[0]
    dataset.layout.source(f"audio/{dropped}.wav").resolve().unlink()
    status = read_status(dataset.layout, dropped)
    result = read_result_status(dataset.layout, dropped)
    other = type(dataset)(
        dataset.project.model_copy(update={"chunking": type(dataset.project.chunking)(length_s=1)}),
        dataset.recording_ids,
    )
    outcomes = analyse(other)
    assert not outcomes[dropped].is_complete
    assert read_status(dataset.layout, dropped) == status
    assert read_result_status(dataset.layout, dropped) == result


def test_content_that_came_back_is_work_again(tmp_path):
    dataset = make_dataset(tmp_path, 1)
    source = dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav")
    target = tmp_path / ".git/annex/objects/aa/bb/MD5E-x/MD5E-x"
    target.parent.mkdir(parents=True)
    content = source.read_bytes()
    source.unlink()
    source.symlink_to(target)
    assert not analyse(dataset)[dataset.recording_ids[0]].is_complete
    assert to_do(dataset).unusable == set(dataset.recording_ids)
    target.write_bytes(content)
    dataset.project.layout.catalog.unlink()
    update_catalog(dataset.layout)
    assert to_do(dataset).open == set(dataset.recording_ids)


def test_what_is_quarantined_and_unchanged_is_no_work(tmp_path):
    dataset = make_dataset(tmp_path, 2, bad=(0,))
    analyse(dataset)
    found = to_do(dataset)
    assert found.open == set()
    assert found.unusable == {dataset.recording_ids[0]}
    write_sound(dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav"), noise(3))
    update_catalog(dataset.layout)
    assert to_do(dataset).open == {dataset.recording_ids[0]}


def test_other_settings_of_recordings_are_work_for_all(tmp_path):
    dataset = make_dataset(tmp_path, 2)
    analyse(dataset)
    assert to_do(dataset, recordings=RecordingSettings(truncated="flag")).open == set(dataset.recording_ids)


def test_a_change_that_could_not_be_told_is_found_again(tmp_path):
    dataset = make_dataset(tmp_path, 1)
    dataset.examine()
    write_sound(dataset.layout.source(f"audio/{dataset.recording_ids[0]}.wav"), noise(3))
    with pytest.raises(KeyboardInterrupt), catalog_update(dataset.layout) as (_, change):
        assert change.changed == dataset.recording_ids
        raise KeyboardInterrupt
    assert update_catalog(dataset.layout)[1].changed == dataset.recording_ids
    assert update_catalog(dataset.layout)[1].changed == ()
