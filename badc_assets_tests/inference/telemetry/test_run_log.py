"""A run on GPUs, as far as that can be told without one: which worker ran where, what it used, and what stands in the results."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest

from badc_assets.detectors.protocol import Device
from badc_assets.inference.devices.allotment import LeasedDevice
from badc_assets.inference.devices.gpus import GpuSample
from badc_assets.inference.scoring import LONGEST_DELAY_S, retry_delay_s
from badc_assets.inference.settings import InferenceSettings
from badc_assets.inference.telemetry.run_log import TelemetryRunLog
from badc_assets.inference.telemetry.run_plot import run_picture
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.inference.detectors import Pipelined
from badc_assets_tests.inference.fake_gpus import FakeGateway
from badc_assets_tests.inference.runs import effort, engine


class TwoCards:
    """Places on two cards that are not there."""

    @contextmanager
    def taken(self, info, settings, run_id, say):
        yield [
            LeasedDevice(Device("cuda", 1, number, f"GPU-{number}", "Card X", 8000), f"gpu-{number}", {})
            for number in range(2)
        ]


@pytest.fixture
def finished(tmp_path):
    dataset = make_dataset(tmp_path / "data", 6, seconds=5)
    dataset.chunk()
    samples = {
        f"GPU-{number}": [GpuSample(f"GPU-{number}", at, 50 + number, 1000 + at, 8000, 200.0) for at in range(100)]
        for number in range(2)
    }
    log = TelemetryRunLog(tmp_path / "log.jsonl", "levels", dataset.layout, FakeGateway(samples=samples))
    made = replace(engine(dataset, Pipelined(), log=log), places=TwoCards())
    return dataset, list(made.run(dataset.recording_ids)), log


def test_results_say_what_they_ran_on_and_what_it_used(finished):
    dataset, outcomes, _ = finished
    assert all(outcome.is_complete for outcome in outcomes)
    for outcome in outcomes:
        result = outcome.result
        assert (result.device, result.precision) == ("Card X", "fp32")
        assert result.gpu_seconds == pytest.approx(result.seconds, abs=0.01)
        assert result.gpu_energy_wh == pytest.approx(result.gpu_seconds * 200 / 3600, abs=6e-5)
        assert result.gpu_peak_memory_mb >= 1000
        assert {row["device"] for row in effort(dataset, outcome.recording_id)} == {"Card X"}


def test_both_cards_work_and_their_use_can_be_drawn(finished):
    import base64

    _, _, log = finished
    usage = log.usage()
    assert set(usage) == {"gpu-0", "gpu-1"}
    assert usage["gpu-1"].mean_utilisation == pytest.approx(51)
    for shown in (usage, {}):
        picture = base64.b64decode(run_picture([(1.0, 0.2), (3.0, 0.5)], shown))
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 30_000


def test_waits_double_up_to_a_limit_and_are_not_all_the_same():
    settings = InferenceSettings(retry_delay_s=2)
    for attempt, full in ((1, 2), (2, 4), (3, 8), (10, LONGEST_DELAY_S)):
        waits = [retry_delay_s(settings, attempt) for _ in range(50)]
        assert full / 2 <= min(waits) < max(waits) <= full
