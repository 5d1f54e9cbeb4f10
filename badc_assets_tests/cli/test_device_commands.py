"""`badc gpus`, with cards and without."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from badc_assets.cli.main import app
from badc_assets.inference.devices.gpus import NvmlGateway
from badc_assets.inference.devices.leases import Holder, lease_gpus
from badc_assets_tests.inference.fake_gpus import FakeNvml


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with two cards, the second one leased."""
    library = FakeNvml(["Card [A]", "Card B"])
    monkeypatch.setattr("badc_assets.inference.devices.gpus.NvmlGateway", lambda: NvmlGateway(library))
    monkeypatch.setattr("badc_assets.inference.devices.leases.lease_folder", lambda: tmp_path / "leases")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    holder = Holder(pid=7, user="bob", run_id="r1", since="2026-01-01T00:00:00+00:00")
    with lease_gpus(NvmlGateway(library).find().gpus[1:], 1, tmp_path / "leases", holder)[0]:
        yield library


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["gpus", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_cards_are_listed_with_their_load_and_holder(machine):
    first, second = [line for line in run().splitlines() if "GPU-" in line]
    assert [cell.strip() for cell in first.split("│")[1:9]] == [
        "0",
        "Card [A]",
        "500",
        "80000",
        "42",
        "250",
        "free",
        "GPU-0",
    ]
    assert "leased to bob, process 7 (run r1), since 2026-01-01T00:00:00+00:00" in second


def test_json_has_the_same(machine):
    values = json.loads(run("--json"))
    assert values["problem"] == ""
    first, second = values["gpus"]
    assert first == {
        "index": 0,
        "uuid": "GPU-0",
        "name": "Card [A]",
        "memory_mb": 80000,
        "memory_used_mb": 500,
        "utilisation": 42,
        "power_w": 250.5,
        "is_visible": True,
        "holder": None,
    }
    assert (second["holder"]["user"], second["holder"]["pid"]) == ("bob", 7)


def test_cards_that_the_environment_hides(machine, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert "hidden from this process" in run()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES hides them all" in run()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    assert "No GPU can be used: CUDA_VISIBLE_DEVICES=5: '5' is no GPU here" in run()


def test_why_nvml_refuses_is_said_and_is_no_failure(machine):
    machine.broken["nvmlInit"] = 18
    assert run().startswith("No GPU can be used: the NVIDIA driver was updated")
    assert "version mismatch" in json.loads(run("--json"))["problem"]
    machine.broken.clear()
    machine.lost[0] = 15
    output = run()
    assert "GPU 0: the GPU is lost" in output
    assert "Card B" in output
