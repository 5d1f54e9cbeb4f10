"""Fetching before and dropping after processing, with the real git-annex and a budget."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.layout import Layout
from badc_assets.recordings.content import (
    OVER_BUDGET,
    drop_recordings,
    fetch_content,
    fitting,
    not_fetched,
    room_bytes,
    worth_trying,
)
from badc_assets.recordings.content_settings import ContentSettings
from badc_assets.recordings.current import require_catalog, update_catalog
from badc_assets_tests.repositories import Repository

FETCH = ContentSettings(policy="fetch", keep_free_gb=0)


@pytest.fixture
def origin(tmp_path: Path) -> Repository:
    inner = Repository.annexed(tmp_path / "inner")
    inner.add_sounds(x=3000)
    repository = Repository.annexed(tmp_path / "origin")
    repository.add_sounds(a=1000, b=1001)
    repository.add_subdataset(inner, "audio/site")
    return repository


@pytest.fixture
def layout(origin: Repository, tmp_path: Path) -> Layout:
    clone = origin.clone(tmp_path / "clone")
    clone.run("git", "-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init")
    result = Layout(clone.root, clone.root / "audio", tmp_path / "results")
    update_catalog(result)
    return result


def entries(layout: Layout):
    return require_catalog(layout).entries


def states(layout: Layout) -> dict[str, str]:
    return {entry.recording_id: entry.state for entry in entries(layout)}


def test_everything_is_fetched_also_in_subdatasets_and_the_catalogue_knows(layout: Layout):
    assert set(states(layout).values()) == {"content_missing"}
    fetched = fetch_content(layout, entries(layout), FETCH, print)
    assert (fetched.recordings, fetched.problems) == (3, {})
    assert fetched.size_bytes == sum(layout.source(entry.audio_path).stat().st_size for entry in entries(layout))
    assert set(states(layout).values()) == {"present"}
    assert fetch_content(layout, entries(layout), FETCH, print).recordings == 0


def test_no_more_than_the_budget_allows(layout: Layout):
    sizes = {entry.recording_id: entry.size_bytes for entry in entries(layout)}
    budget = FETCH.model_copy(update={"disk_budget_gb": (sizes["a"] + sizes["b"]) / 1e9})
    fetched = fetch_content(layout, entries(layout), budget, print)
    assert fetched.recordings == 2
    assert fetched.problems == {"site__audio__x": OVER_BUDGET}
    assert room_bytes(layout, budget) == 0
    assert worth_trying(entries(layout), not_fetched(layout), 0, 10, 0) == []
    assert [e.recording_id for e in worth_trying(entries(layout), not_fetched(layout), 10**6, 10, 0)] == [
        "site__audio__x"
    ]
    assert set(drop_recordings(layout, entries(layout)[:2], budget).recordings) == {"a", "b"}
    assert (
        fetch_content(layout, entries(layout)[2:], budget, print).recordings == 0
    )  # it alone is larger than the budget
    fetched = fetch_content(layout, entries(layout)[2:], FETCH, print)
    assert (fetched.recordings, not_fetched(layout)) == (1, {})


def test_what_no_place_has_is_remembered_with_its_reason_and_not_tried_all_the_time(origin: Repository, layout: Layout):
    origin.run("git", "annex", "drop", "-q", "--force", "audio/a.wav")
    fetched = fetch_content(layout, entries(layout), FETCH, print)
    assert fetched.recordings == 2
    assert list(fetched.problems) == ["a"]
    ((path, (when, reason)),) = not_fetched(layout).items()
    assert (path, reason) == ("audio/a.wav", fetched.problems["a"])
    assert worth_trying(entries(layout), not_fetched(layout), 10**9, 10, when + 3600) == []
    assert len(worth_trying(entries(layout), not_fetched(layout), 10**9, 10, when + 90_000)) == 1


def test_dropping_is_never_forced_and_leaves_a_state(origin: Repository, layout: Layout):
    fetch_content(layout, entries(layout), FETCH, print)
    origin.run("git", "annex", "drop", "-q", "--force", "audio/a.wav")
    dropped = drop_recordings(layout, entries(layout), FETCH)
    assert set(dropped.recordings) == {"b", "site__audio__x"}
    assert "necessary cop" in dropped.kept["a"]
    assert states(layout) == {"a": "present", "b": "content_missing", "site__audio__x": "content_missing"}


def test_a_plain_folder_has_nothing_to_fetch_or_drop(tmp_path: Path):
    from badc_assets_tests.recordings.builders import add_sound, layout_of

    plain = layout_of(tmp_path / "plain")
    add_sound(plain, "a.wav")
    update_catalog(plain)
    assert fetch_content(plain, entries(plain), FETCH, print).recordings == 0
    assert drop_recordings(plain, entries(plain), FETCH).recordings == ()
    (plain.audio / "b.wav").symlink_to("../.git/annex/objects/aa/bb/MD5E-s3--x.wav/MD5E-s3--x.wav")
    update_catalog(plain)
    assert fetch_content(plain, entries(plain), FETCH, print).problems == {"b": "it is in no git-annex repository"}


@settings(deadline=None)
@given(st.lists(st.integers(0, 100)), st.integers(0, 500))
def test_what_is_chosen_fits(sizes, room):
    chosen = fitting(sizes, room)
    assert sum(sizes[position] for position in chosen) <= room
    left = room - sum(sizes[position] for position in chosen)
    assert all(sizes[position] > left for position in range(len(sizes)) if position not in chosen)
