"""Which workers a run gets, and what they are told."""

from __future__ import annotations

import pytest

from badc_assets.detectors.protocol import Device
from badc_assets.inference.devices.allotment import DeviceRequest, Workers, acquire, worker_name
from badc_assets.inference.devices.gpus import FoundGpus
from badc_assets.inference.devices.leases import Holder, free_gpus, lease_gpus
from badc_assets_tests.inference.fake_gpus import gpu

ME = Holder(pid=1, user="ann", run_id="r1")
OTHER = Holder(pid=99, user="bob", run_id="r2", since="2026-01-01T00:00:00+00:00")
TWO = FoundGpus((gpu(0, memory_mb=81_000), gpu(1)))


class Waiting:
    """A clock that never really waits. `then` happens at the second sleep."""

    def __init__(self, then=lambda: None) -> None:
        self.said: list[str] = []
        self.slept: list[float] = []
        self.then = then

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == 2:
            self.then()
        assert len(self.slept) < 10, "waits for ever"


@pytest.fixture
def leases(tmp_path):
    return tmp_path / "leases"


def get(leases, request: DeviceRequest, visible: FoundGpus = TWO, waiting: Waiting | None = None) -> Workers:
    waiting = waiting or Waiting()
    return acquire(request, visible, leases, ME, say=waiting.said.append, sleep=waiting.sleep)


def names(workers: Workers) -> list[str]:
    return [leased.worker for leased in workers.devices]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (DeviceRequest(uses_gpu=True, cores=8), ["gpu-0", "gpu-1"]),
        (DeviceRequest(uses_gpu=True, max_gpus=1, cores=8), ["gpu-0"]),
        (DeviceRequest(uses_gpu=True, max_gpus=9, cores=8), ["gpu-0", "gpu-1"]),
        (DeviceRequest(uses_gpu=True, max_gpus=1, cpu_workers=2, cores=8), ["gpu-0", "cpu-0", "cpu-1"]),
        (DeviceRequest(uses_gpu=True, max_gpus=0, cores=8), ["cpu-0"]),
        (DeviceRequest(uses_gpu=True, max_gpus=-1, cores=8), ["cpu-0"]),
        (DeviceRequest(uses_gpu=False, cores=8), ["cpu-0"]),
        (DeviceRequest(uses_gpu=False, cpu_workers=3, cores=8), ["cpu-0", "cpu-1", "cpu-2"]),
    ],
)
def test_the_workers_of_a_run(leases, request_, expected):
    with get(leases, request_) as workers:
        assert names(workers) == expected
        assert workers.note == ""
        held = sum(name.startswith("gpu") for name in expected)
        assert len(free_gpus(TWO.gpus, leases)) == 2 - held
    assert len(free_gpus(TWO.gpus, leases)) == 2


def test_a_gpu_worker_sees_its_card_alone(leases):
    with get(leases, DeviceRequest(uses_gpu=True, cores=8)) as workers:
        first = workers.devices[0]
    card = TWO.gpus[0]
    assert first.device == Device("cuda", 4, 0, card.uuid, "Card", 81_000)
    assert first.environment == {
        "CUDA_VISIBLE_DEVICES": card.uuid,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",
        "OMP_NUM_THREADS": "4",
    }


def test_a_cpu_worker_sees_no_card(leases):
    with get(leases, DeviceRequest(uses_gpu=True, cpu_workers=1, cores=7)) as workers:
        last = workers.devices[-1]
    assert last.device == Device("cpu", 2)
    assert last.lease is None
    assert last.environment == {
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",
        "OMP_NUM_THREADS": "2",
    }


def test_there_is_a_thread_for_every_worker_at_least(leases):
    workers = get(leases, DeviceRequest(uses_gpu=False, cpu_workers=5, cores=2))
    assert [leased.device.threads for leased in workers.devices] == [1] * 5


def test_leased_cards_are_left_alone(leases):
    with lease_gpus(TWO.gpus[:1], 1, leases, OTHER)[0], get(leases, DeviceRequest(uses_gpu=True, cores=8)) as workers:
        assert names(workers) == ["gpu-1"]


def test_without_cpu_workers_it_waits_and_says_for_whom(leases):
    others = lease_gpus(TWO.gpus, None, leases, OTHER)
    waiting = Waiting(others[1].release)
    with get(leases, DeviceRequest(uses_gpu=True, cores=8), waiting=waiting) as workers:
        assert names(workers) == ["gpu-1"]
    assert len(waiting.slept) == 2
    bob = "bob, process 99 (run r2), since 2026-01-01T00:00:00+00:00"
    assert waiting.said == [f"Waiting for a GPU: gpu-0 is held by {bob}; gpu-1 is held by {bob}"]
    others[0].release()


def test_with_cpu_workers_it_goes_on_without_a_gpu(leases):
    others = lease_gpus(TWO.gpus, None, leases, OTHER)
    waiting = Waiting()
    workers = get(leases, DeviceRequest(uses_gpu=True, cpu_workers=2, cores=8), waiting=waiting)
    assert names(workers) == ["cpu-0", "cpu-1"]
    assert "all GPUs are in use" in workers.note
    assert "bob" in workers.note
    assert waiting.slept == []
    for lease in others:
        lease.release()


def test_why_nvml_refuses_is_passed_on(leases):
    found = FoundGpus((), "there is no NVIDIA driver")
    workers = get(leases, DeviceRequest(uses_gpu=True, cores=8), found)
    assert names(workers) == ["cpu-0"]
    assert workers.note == "no GPU is used: there is no NVIDIA driver"
    assert get(leases, DeviceRequest(uses_gpu=False, cores=8), found).note == ""
    assert get(leases, DeviceRequest(uses_gpu=True, cores=8), FoundGpus()).note == ""
    assert not leases.exists()


def test_a_lost_card_beside_a_good_one_is_mentioned(leases):
    with get(leases, DeviceRequest(uses_gpu=True, cores=8), FoundGpus((gpu(0),), "GPU 1: lost")) as workers:
        assert names(workers) == ["gpu-0"]
        assert workers.note == "GPU 1: lost"


def test_slices_of_one_card_have_names_of_their_own():
    assert worker_name(gpu(3)) == "gpu-3"
    assert worker_name(gpu(0, uuid="MIG-11112222-3333")) == "gpu-0-222-3333"
    assert worker_name(gpu(0, uuid="MIG-GPU-11112222/5/0")) == "gpu-0-2222-5-0"


def test_a_request_counts_the_cores_it_may_use():
    assert DeviceRequest(uses_gpu=False).cores >= 1
