"""What the gateway makes of NVML's answers and refusals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from badc_assets.inference.devices.gpus import Gpu, NvmlGateway
from badc_assets_tests.inference.fake_gpus import FakeNvml


def test_cards_are_listed_with_index_uuid_name_and_memory():
    with NvmlGateway(FakeNvml(["A", "B"])) as gateway:
        found = gateway.find()
    assert found.gpus == (Gpu(0, "GPU-0", "A", 80_000), Gpu(1, "GPU-1", "B", 80_000))
    assert found.problem == ""


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (4, "may not use"),
        (9, "not loaded"),
        (12, "no NVIDIA driver"),
        (13, "too old"),
        (15, "lost"),
        (18, "version mismatch"),
        (999, "NVML says: Unknown Error"),
    ],
)
def test_a_refusal_of_the_whole_library_is_said_in_words(number, words):
    library = FakeNvml()
    library.broken["nvmlInit"] = number
    gateway = NvmlGateway(library)
    assert words in gateway.find().problem
    assert gateway.find().gpus == ()
    assert gateway.sample(["GPU-0"]) == []


def test_a_lost_card_does_not_hide_the_others():
    library = FakeNvml(["A", "B", "C"])
    library.lost[1] = 15
    found = NvmlGateway(library).find()
    assert [card.index for card in found.gpus] == [0, 2]
    assert found.problem.startswith("GPU 1: ")
    assert "lost" in found.problem


def test_a_driver_without_cards_says_so():
    assert NvmlGateway(FakeNvml([])).find().problem == "the NVIDIA driver finds no GPU"


def test_a_sample_has_units_as_documented():
    with NvmlGateway(FakeNvml(["A"]), clock=lambda: 12.5) as gateway:
        (sample,) = gateway.sample(["GPU-0"])
    assert (sample.uuid, sample.at, sample.utilisation) == ("GPU-0", 12.5, 42)
    assert (sample.memory_used_mb, sample.memory_total_mb) == (500, 80_000)
    assert (sample.power_w, sample.energy_j) == (250.5, 1.0)


def test_what_a_card_does_not_tell_is_none():
    library = FakeNvml(["A"])
    library.broken["nvmlDeviceGetTotalEnergyConsumption"] = 3
    library.broken["nvmlDeviceGetPowerUsage"] = 3
    (sample,) = NvmlGateway(library).sample(["GPU-0"])
    assert sample.power_w is None
    assert sample.energy_j is None
    assert sample.utilisation == 42


def test_cards_that_do_not_answer_are_left_out_and_come_back():
    library = FakeNvml(["A", "B"])
    gateway = NvmlGateway(library)
    assert len(gateway.sample(["GPU-0", "GPU-1", "GPU-unknown"])) == 2
    library.lost[0] = 15
    assert [sample.uuid for sample in gateway.sample(["GPU-0", "GPU-1"])] == ["GPU-1"]
    library.lost.clear()
    assert [sample.uuid for sample in gateway.sample(["GPU-0", "GPU-1"])] == ["GPU-0", "GPU-1"]


def test_a_divided_card_lists_its_slices_and_can_be_sampled():
    gateway = NvmlGateway(FakeNvml(["A100"], slices=2))
    (card,) = gateway.find().gpus
    assert (card.uuid, card.name) == ("GPU-0", "A100")
    assert [(part.index, part.uuid, part.name) for part in card.slices] == [
        (0, "MIG-0-0", "A100 MIG 1g.10gb"),
        (0, "MIG-0-1", "A100 MIG 1g.10gb"),
    ]
    for sample in gateway.sample(["GPU-0", "MIG-0-1"]):
        assert sample.utilisation is None
        assert sample.memory_used_mb == 500


def test_nvml_is_set_up_once_and_shut_down():
    library = FakeNvml()
    with NvmlGateway(library) as gateway:
        gateway.find()
        gateway.sample(["GPU-0"])
        gateway.find()
        assert library.opened == 1
    assert library.opened == 0
    gateway.find()
    assert library.opened == 1


# A driver in 30 lines of C: the real pynvml loads it and talks to it as it does to NVIDIA's.
DRIVER = r"""
#include <string.h>
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned gpu, memory; } Rates;
int nvmlInitWithFlags(unsigned f) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { if (i == 1) return 15; *h = (void *)(long)(i + 1); return 0; }
int nvmlDeviceGetHandleByUUID(const char *u, void **h) { *h = (void *)1L; return strcmp(u, "GPU-fake") ? 6 : 0; }
int nvmlDeviceGetName(void *h, char *s, unsigned n) { strncpy(s, "Fake card", n); return 0; }
int nvmlDeviceGetUUID(void *h, char *s, unsigned n) { strncpy(s, "GPU-fake", n); return 0; }
int nvmlDeviceGetMemoryInfo(void *h, Memory *m) { m->total = 1ULL << 34; m->used = 1ULL << 30; m->free = 0; return 0; }
int nvmlDeviceGetUtilizationRates(void *h, Rates *r) { r->gpu = 77; r->memory = 1; return 0; }
int nvmlDeviceGetPowerUsage(void *h, unsigned *w) { *w = 99000; return 0; }
int nvmlDeviceGetTotalEnergyConsumption(void *h, unsigned long long *e) { return 3; }
"""
ASK = """
from badc_assets.inference.devices.gpus import NvmlGateway
with NvmlGateway(clock=lambda: 1.0) as gateway:
    print(gateway.find())
    print(gateway.sample(["GPU-fake", "GPU-none"]))
"""


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs a C compiler")
def test_the_real_pynvml_speaks_with_a_driver(tmp_path):
    (tmp_path / "driver.c").write_text(DRIVER)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-w", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "driver.c")], check=True)
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "FoundGpus(gpus=(Gpu(index=0, uuid='GPU-fake', name='Fake card', memory_mb=16384, slices=()),), "
        "problem='GPU 1: the GPU is lost: it fell off the bus or overheated; restart the machine')",
        "[GpuSample(uuid='GPU-fake', at=1.0, utilisation=77, memory_used_mb=1024, memory_total_mb=16384, "
        "power_w=99.0, energy_j=None)]",
    ]
