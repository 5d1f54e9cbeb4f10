"""What is broken right now: each way of being stuck is listed with its reason, and a state is not a failure."""

from __future__ import annotations

import json
from dataclasses import replace

from badc_assets.chunks.status import Writer, read_status, write_status
from badc_assets.recordings.current import require_catalog
from badc_assets.upkeep.failures import broken_recordings
from badc_assets_tests.datasets import make_dataset


def broken(dataset) -> dict[str, str]:
    found = broken_recordings(dataset.layout, require_catalog(dataset.layout).entries)
    return {each.recording_id: str(each) for each in found}


def test_every_stage_in_which_a_recording_is_stuck(tmp_path):
    dataset = make_dataset(tmp_path, 6, bad=(0,))
    dataset.chunk()
    dataset.analyse()
    unreadable, failed, interrupted, cut, stale, good = dataset.recording_ids
    status = read_status(dataset.layout, failed)
    assert status is not None
    write_status(dataset.layout, replace(status, status="failed", error="disk went away"))
    write_status(
        dataset.layout, replace(status, recording_id=interrupted, status="in_progress", writer=Writer(pid=2**22 + 1))
    )
    dataset.layout.detections(cut).write_bytes(b"short")
    result = dataset.layout.infer_dir(stale) / ".infer_status.json"
    result.write_text(json.dumps(json.loads(result.read_text()) | {"manifest_digest": "other"}))
    found = broken(dataset)
    assert good not in found
    assert found[unreadable].startswith("quarantined: unreadable")
    assert found[failed] == "chunking failed: disk went away"
    assert found[interrupted].startswith("interrupted: ")
    assert found[cut] == "analysis failed: its results are not whole; run it again"
    assert found[stale].startswith("stale: ")
    assert list(found) == sorted(found)


def test_sound_that_is_not_fetched_is_no_failure(tmp_path):
    dataset = make_dataset(tmp_path, 1)
    name = dataset.recording_ids[0]
    path = dataset.layout.source(f"audio/{name}.wav")
    path.unlink()
    path.symlink_to("../.git/annex/objects/aa/bb/SHA256E-s100--" + "0" * 64 + ".wav/SHA256E-s100--" + "0" * 64 + ".wav")
    dataset.examine()
    assert require_catalog(dataset.layout).entries[0].state == "content_missing"
    assert broken(dataset) == {}
