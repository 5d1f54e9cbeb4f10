"""CUDA_VISIBLE_DEVICES, read as CUDA reads it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.inference.devices.gpus import FoundGpus, Gpu
from badc_assets.inference.devices.visible import visible_gpus
from badc_assets_tests.inference.fake_gpus import gpu

FOUR = FoundGpus(
    tuple(gpu(index, uuid=f"GPU-{start}-0000") for index, start in enumerate(["aa11", "ab22", "b333", "c444"]))
)


def shown(value: str | None, found: FoundGpus = FOUR, **more: str) -> list[int]:
    environment = more if value is None else {"CUDA_VISIBLE_DEVICES": value, **more}
    return [gpu.index for gpu in visible_gpus(found, environment).gpus]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("2", [2]),
        ("3,1", [3, 1]),
        (" 3 , 1 ", [3, 1]),
        ("0,1,-1,2", [0, 1]),
        ("0,9,1", [0]),
        ("1,x,2", [1]),
        ("0,,1", [0]),
        ("1gpu,2", [1, 2]),
        ("1,1", []),
        ("GPU-b", [2]),
        ("GPU-c,GPU-aa", [3, 0]),
        ("GPU-a,GPU-c", []),
        ("GPU-c,GPU-a", [3]),
        ("GPU-c444-0000,GPU-c", []),
        ("GPU-zz", []),
        ("GPU-c,1", [3]),
        ("1,GPU-c", [1]),
        ("MIG-1", []),
        ("99999999999999999999", []),
    ],
)
def test_the_variable_chooses_cards(value, expected):
    assert shown(value) == expected


@pytest.mark.parametrize("value", [None, "", "-1", "NoDevFiles", "0,1", "GPU-c", "0,-1"])
def test_values_that_make_sense_are_no_problem(value):
    environment = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    assert visible_gpus(FOUR, environment).problem == ""


@pytest.mark.parametrize(
    ("value", "words"), [("0,9", "'9' is no GPU here"), ("1,1", "named twice"), ("GPU-a", "is no GPU")]
)
def test_values_that_make_no_sense_are_explained(value, words):
    assert words in visible_gpus(FOUR, {"CUDA_VISIBLE_DEVICES": value}).problem


def test_what_was_wrong_before_is_kept():
    found = replace(FOUR, problem="GPU 7: lost")
    assert visible_gpus(found, {}).problem == "GPU 7: lost"
    assert visible_gpus(found, {"CUDA_VISIBLE_DEVICES": "9"}).problem.startswith("GPU 7: lost; CUDA_VISIBLE_DEVICES=9")


def test_numbers_count_the_cards_that_can_be_used():
    # In a SLURM job with device constraints NVML skips the cards of others, and CUDA counts from 0 what is left.
    found = FoundGpus((gpu(2), gpu(5)))
    assert shown("1", found) == [5]


def test_different_models_and_numbers_need_an_order():
    mixed = FoundGpus((gpu(0, "Old"), gpu(1, "New")))
    assert "CUDA_DEVICE_ORDER" in visible_gpus(mixed, {"CUDA_VISIBLE_DEVICES": "0"}).problem
    ordered = {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert visible_gpus(mixed, ordered).problem == ""
    by_uuid = {"CUDA_VISIBLE_DEVICES": mixed.gpus[0].uuid}
    assert visible_gpus(mixed, by_uuid).problem == ""


def test_divided_cards_count_as_their_first_slice():
    slices = (gpu(0, uuid="MIG-1111"), gpu(0, uuid="MIG-2222"))
    found = FoundGpus((Gpu(0, "GPU-0", "A100", 1, slices), gpu(1)))
    uuids = {
        value: [gpu.uuid for gpu in visible_gpus(found, {} if value is None else {"CUDA_VISIBLE_DEVICES": value}).gpus]
        for value in (None, "0", "GPU-0", "MIG-2", "MIG-2,MIG-1")
    }
    assert uuids[None] == ["MIG-1111", found.gpus[1].uuid]
    assert uuids["0"] == ["MIG-1111"]
    assert uuids["MIG-2"] == ["MIG-2222"]
    assert uuids["MIG-2,MIG-1"] == ["MIG-2222", "MIG-1111"]


@settings(deadline=None)
@given(st.text())
def test_any_text_chooses_different_cards_or_none(value):
    chosen = shown(value)
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= {0, 1, 2, 3}


UNKNOWN = ("4", "GPU-a", "GPU-zz")
ENTRY = st.sampled_from(
    ["0", "1", "2", "3", "-1", "+2", "1x", "x", "", "GPU-aa", "GPU-b", "GPU-b333", "MIG-1", *UNKNOWN]
)


@settings(deadline=None)
@given(st.lists(ENTRY, min_size=1, max_size=5))
@pytest.mark.filterwarnings("ignore:The pynvml package:FutureWarning")
def test_it_agrees_with_torch(entries):
    """torch has a reader of its own, from the same documentation.

    It empties the list for a card that is named again after an unknown one, where NVIDIA says that what follows an unknown
    one does not count: such lists are cut there.
    """
    import torch.cuda

    end = next((at + 1 for at, entry in enumerate(entries) if entry in UNKNOWN), None)
    value = ",".join(entries[:end])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", value)
        listed = torch.cuda._parse_visible_devices()  # pyright: ignore[reportAttributeAccessIssue]
    uuids = [gpu.uuid for gpu in FOUR.gpus]
    if listed and isinstance(listed[0], str):
        expected = torch.cuda._transform_uuid_to_ordinals(listed, uuids)  # pyright: ignore[reportAttributeAccessIssue]
    else:
        expected = listed[: next((at for at, number in enumerate(listed) if int(number) >= len(uuids)), None)]
    assert shown(value) == expected
