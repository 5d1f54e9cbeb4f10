"""What the samples of a run add up to, and that sampling never disturbs it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.inference.devices.gpus import GpuSample
from badc_assets.inference.devices.usage import MAX_POINTS, GpuUsage, UsageSampler
from badc_assets_tests.inference.fake_gpus import FakeGateway


def samples(
    *rows: tuple[float, int | None, int | None, float | None, float | None], uuid: str = "GPU-0"
) -> list[GpuSample]:
    return [
        GpuSample(uuid, at, utilisation, used, 8000, power, energy) for at, utilisation, used, power, energy in rows
    ]


def tallied(rows: list[GpuSample]) -> GpuUsage:
    """The usage after exactly these samples, taken one by one."""
    sampler = UsageSampler(FakeGateway(samples={"GPU-0": rows}), ["GPU-0"], 3600)
    for _ in rows:
        sampler.sample_now()
    return sampler.usage()["GPU-0"]


def wait_for(condition, limit_s: float = 10) -> None:
    deadline = time.monotonic() + limit_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


def test_means_peak_and_metered_energy():
    usage = tallied(samples((100, 10, 500, 50, 1000), (101, 90, 900, 150, 1100), (104, 50, 700, 100, 1720)))
    assert (usage.seconds, usage.samples) == (4, 3)
    assert usage.mean_utilisation == pytest.approx(50)
    assert usage.peak_memory_mb == 900
    assert usage.mean_power_w == pytest.approx(100)
    assert usage.energy_wh == pytest.approx(0.2)
    assert [point.at_s for point in usage.series] == [0, 1, 4]
    assert [point.utilisation for point in usage.series] == [10, 90, 50]


def test_without_a_meter_energy_is_power_times_time():
    usage = tallied(samples((0, 1, 1, 100, None), (36, 1, 1, 300, None)))
    assert usage.energy_wh == pytest.approx(2.0)


def test_a_meter_that_was_reset_is_not_counted_backwards():
    usage = tallied(samples((0, 1, 1, 1, 7200), (1, 1, 1, 1, 10_800), (2, 1, 1, 1, 0), (3, 1, 1, 1, 3600)))
    assert usage.energy_wh == pytest.approx(2.0)


def test_what_a_card_never_tells_is_none():
    usage = tallied(samples((0, None, None, None, None), (1, None, None, None, None)))
    assert (usage.mean_utilisation, usage.peak_memory_mb, usage.mean_power_w, usage.energy_wh) == (None,) * 4
    assert usage.samples == 2


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=2000))
def test_a_long_run_keeps_few_points_that_still_tell_the_truth(utilisation):
    rows = samples(*[(float(at), value, value, value, None) for at, value in enumerate(utilisation)])
    usage = tallied(rows)
    assert 0 < len(usage.series) <= MAX_POINTS
    assert usage.samples == len(utilisation)
    assert usage.mean_utilisation == pytest.approx(sum(utilisation) / len(utilisation))
    assert usage.peak_memory_mb == max(utilisation) == max(point.memory_mb or 0 for point in usage.series)
    times = [point.at_s for point in usage.series]
    assert times == sorted(set(times))
    assert times[-1] == len(utilisation) - 1
    assert all(min(utilisation) <= (point.utilisation or 0) <= max(utilisation) for point in usage.series)


def test_it_samples_in_the_background_until_the_block_ends():
    gateway = FakeGateway(samples={"GPU-0": samples((0, 5, 5, 5, 5), (1, 6, 6, 6, 6))})
    with UsageSampler(gateway, ["GPU-0"], 0.005) as sampler:
        wait_for(lambda: gateway.asked >= 5)
        latest = sampler.latest("GPU-0")
        assert latest is not None
        assert latest.utilisation == 6
    asked = gateway.asked
    time.sleep(0.05)
    assert gateway.asked == asked
    assert sampler.usage()["GPU-0"].samples == asked
    assert 0 < sampler.overhead_s < 1


def test_a_block_shorter_than_the_interval_has_its_two_ends():
    gateway = FakeGateway(samples={"GPU-0": samples((0, 5, 5, 5, 5), (2, 7, 7, 7, 7))})
    with UsageSampler(gateway, ["GPU-0"], 3600) as sampler:
        pass
    assert sampler.usage()["GPU-0"].samples == 2
    assert sampler.usage()["GPU-0"].mean_utilisation == 6


def test_a_card_that_does_not_answer_costs_only_its_samples():
    gateway = FakeGateway(samples={"GPU-0": samples((0, 5, 5, 5, 5))})
    with UsageSampler(gateway, ["GPU-0", "GPU-1"], 3600) as sampler:
        assert sampler.latest("GPU-1") is None
    assert sampler.usage()["GPU-1"] == GpuUsage()
    assert sampler.usage()["GPU-0"].samples == 2


def test_without_cards_there_is_no_thread():
    gateway = FakeGateway()
    with UsageSampler(gateway, [], 0.001) as sampler:
        time.sleep(0.02)
    assert gateway.asked == 0
    assert sampler.usage() == {}
    assert sampler.latest("GPU-0") is None
