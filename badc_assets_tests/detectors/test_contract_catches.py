"""The contract notices detectors that break it, and lets pass those that keep it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel, ConfigDict, Field

from badc_assets.detectors.protocol import Device
from badc_assets_tests.detector_contract import (
    FileDetectorContract,
    StreamDetectorContract,
    WindowDetectorContract,
)
from badc_assets_tests.detector_contract_base import DetectorContract
from badc_assets_tests.detector_examples import example_clips, example_sounds, example_windows
from badc_assets_tests.detectors.broken_detectors import (
    BatchNorm,
    Blockwise,
    Chatty,
    Counts,
    Deaf,
    Described,
    File,
    FollowsLinks,
    ForgetsOrder,
    HashLess,
    HashOfProcess,
    Keeps,
    Late,
    LoadsEarly,
    LoadsOther,
    NotANumber,
    OneBuffer,
    OneSession,
    OtherLabel,
    Overwrites,
    Pipelined,
    RandomHash,
    Remembers,
    Returns,
    Settings,
    SilentWhenMissing,
    Spoils,
    Stream,
    Window,
    WritesBeside,
    WrongKind,
    WrongShape,
    WrongType,
)

CONTRACTS: dict[type, type[DetectorContract]] = {
    Window: WindowDetectorContract,
    Stream: StreamDetectorContract,
    File: FileDetectorContract,
}


def check(detector_class: type[Described], name: str, folder: Path, **given: object) -> None:
    """Run one test of the contract for `detector_class`, with what it asks for."""
    contract = next(contract for base, contract in CONTRACTS.items() if issubclass(detector_class, base))
    case = type("Case", (contract,), {"make": detector_class})()
    settings = given.get("settings", Settings())  # pyright: ignore[reportCallIssue]
    detector = cast(Any, detector_class(cast(Settings, settings)))
    if hasattr(detector, "load"):
        detector.load(Device())
    sounds = example_sounds(8000)
    ready = {
        "settings": settings,
        "changes": {"gain": 0.5},
        "neutral": {},
        "device": Device(),
        "detector": detector,
        "windows": example_windows(detector.info),
        "sounds": sounds,
        "clips": example_clips(folder, sounds, "chunk"),
        "size": 999,
        "tmp_path": folder,
        **given,
    }
    test = getattr(case, name)
    test(**{argument: ready[argument] for argument in inspect.signature(test).parameters})


@pytest.mark.parametrize("detector_class", [Window, Pipelined, Stream, File])
def test_good_detectors_pass(detector_class: type[Described], tmp_path: Path) -> None:
    contract = next(contract for base, contract in CONTRACTS.items() if issubclass(detector_class, base))
    names = [name for name in dir(contract) if name.startswith("test_")]
    assert len(names) >= 10
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            check(detector_class, name, folder)
        except pytest.skip.Exception:
            continue


@pytest.mark.parametrize(
    ("detector_class", "name", "complaint"),
    [
        (WrongKind, "test_info_is_complete_and_frozen", "info.kind is 'stream'"),
        (RandomHash, "test_two_of_the_same_settings_are_the_same", "differs from one to the next"),
        (HashOfProcess, "test_it_is_made_quickly_and_alike_in_another_process", "depends on the process"),
        (LoadsEarly, "test_it_is_made_quickly_and_alike_in_another_process", "making it loads pandas"),
        (HashLess, "test_settings_that_change_results_are_in_the_hash", "does not tell gain = 0.5"),
        (Chatty, "test_load_says_what_was_chosen", "not all texts"),
        (LoadsOther, "test_info_stays_as_it_was", "another after pickle and load"),
        (WrongShape, "test_scores_are_one_per_window_and_label", "shape"),
        (WrongType, "test_scores_are_one_per_window_and_label", "float64"),
        (NotANumber, "test_scores_are_one_per_window_and_label", "outside 0..1"),
        (Deaf, "test_scores_depend_on_the_sound", "finds_something is True"),
        (BatchNorm, "test_scores_do_not_depend_on_the_batch", "one by one"),
        (Remembers, "test_scores_do_not_depend_on_the_batch", "other scores"),
        (Returns, "test_scores_stay_when_memory_is_used_again", "scores changed"),
        (Spoils, "test_scores_stay_when_memory_is_used_again", "changed the windows"),
        (OneBuffer, "test_scores_stay_when_memory_is_used_again", "scores changed"),
        (ForgetsOrder, "test_submitted_batches_score_alike", "when submitted"),
        (Blockwise, "test_events_do_not_depend_on_the_blocks", "other events in blocks of up to 999 samples"),
        (Keeps, "test_events_do_not_depend_on_the_blocks", "other events"),
        (Late, "test_events_are_possible", "outside of"),
        (OtherLabel, "test_events_are_possible", "not one of info.labels"),
        (OneSession, "test_recordings_do_not_disturb_each_other", "beside other recordings"),
        (SilentWhenMissing, "test_a_missing_file_is_not_silence", "DID NOT RAISE"),
        (WritesBeside, "test_the_sound_and_its_folder_are_left_alone", "has changed"),
        (Overwrites, "test_what_is_kept_is_not_overwritten", "overwrote"),
        (FollowsLinks, "test_a_link_counts_by_its_own_name", "through a link"),
        (Counts, "test_events_do_not_depend_on_what_came_before", "the second time"),
    ],
)
def test_a_broken_detector_is_noticed(
    detector_class: type[Described], name: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception), match=complaint):
        check(detector_class, name, tmp_path)


class Loose(BaseModel):
    model_config = ConfigDict(frozen=True)
    gain: float = Field(1.0, description="Factor.")


class Bare(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    gain: float = 1.0


class Mutable(BaseModel):
    model_config = ConfigDict(extra="forbid")
    gain: float = Field(1.0, description="Factor.")


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [(Loose, "DID NOT RAISE"), (Mutable, "DID NOT RAISE"), (Bare, "without a description")],
)
def test_loose_settings_are_noticed(settings: type[BaseModel], complaint: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception), match=complaint):
        check(Window, "test_settings_are_described_and_strict", tmp_path, settings=settings())


def test_a_setting_of_which_nobody_says_what_it_does_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="in neither `changes` nor `neutral`"):
        check(Window, "test_settings_that_change_results_are_in_the_hash", tmp_path, changes={})
