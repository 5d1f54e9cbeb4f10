"""Pages of changes: whatever dies, and whenever, nothing is left out and nothing gets two keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from badc_assets.recordings.changes import LIST_FILE, Change, Cursor, next_step, read_changes, write_changes
from badc_assets.recordings.noticing import ranges_of

PATHS = st.text(min_size=1, max_size=5)
CHANGES = st.builds(Change, st.sampled_from(["removed", "renamed", "changed", "added"]), PATHS, PATHS)


@dataclass
class Commits:
    """A dataset whose commit N added the N-th batch of changes."""

    batches: list[list[Change]]
    present: int = 0
    asked: list[str] = field(default_factory=list)

    def head(self, done: str) -> str:
        return f"c{self.present}" if self.present else ""

    def changes(self, done: str, target: str) -> list[Change]:
        self.asked.append(done)
        first = int(done[1:]) if done else 0
        return [change for batch in self.batches[first : int(target[1:])] for change in batch]


@settings(deadline=None)
@given(
    st.lists(st.lists(CHANGES, max_size=7), min_size=1, max_size=4),
    st.lists(st.sampled_from(["commit", "tick", "die after the step", "lose the list"]), max_size=40),
    st.integers(1, 4),
)
def test_every_change_is_taken_once_whatever_happens(batches, happenings, page):
    """A tick that dies does its work and forgets the cursor, as a daemon that is killed."""
    with TemporaryDirectory() as name:
        folder, source, text, by_key = Path(name), Commits(batches), "", {}
        lost = False

        def tick(text: str) -> str:
            step = next_step(Cursor.parse(text), source, folder, now_s=1000, page=page)
            if step.changes:
                assert by_key.setdefault(step.key, step.changes) == step.changes
            return step.cursor.dump()

        for happening in [*happenings, *["commit"] * len(batches)]:
            if happening == "commit":
                source.present = min(source.present + 1, len(batches))
            elif happening == "lose the list":
                (folder / LIST_FILE).unlink(missing_ok=True)
                lost = True
            else:
                after = tick(text)
                text = text if happening == "die after the step" else after
        for _ in range(100):
            text = tick(text)
        taken = [change for changes in by_key.values() for change in changes]
        expected = [change for batch in batches for change in batch]
        if lost:
            assert set(taken) == set(expected)
        else:
            assert sorted(taken, key=str) == sorted(expected, key=str)
        assert Cursor.parse(text).commit == f"c{len(batches)}"


def test_a_commit_made_meanwhile_waits(tmp_path: Path):
    source = Commits([[Change("added", str(n)) for n in range(5)], [Change("added", "late")]], present=1)
    cursor, keys = Cursor(), []
    source.present = 1
    for _ in range(8):
        step = next_step(cursor, source, tmp_path, 1000, page=2)
        cursor, source.present = step.cursor, 2
        keys += [(step.key, [change.path for change in step.changes])] if step.changes else []
    assert keys == [
        ("c1:1000:0", ["0", "1"]),
        ("c1:1000:2", ["2", "3"]),
        ("c1:1000:4", ["4"]),
        ("c2:1001:0", ["late"]),
    ]


def test_going_back_to_a_former_state_has_keys_of_its_own(tmp_path: Path):
    source = Commits([[Change("added", "a")], [Change("changed", "a")]], present=2)
    keys = []
    cursor = Cursor("c1", round=7)
    for _ in range(2):
        step = next_step(cursor, source, tmp_path, 1000, page=10)
        step = next_step(step.cursor, source, tmp_path, 1000, page=10)
        keys.append(step.key)
        cursor = Cursor("c1", round=step.cursor.round)
    assert keys == ["c2:8:0", "c2:9:0"]


@settings(deadline=None)
@given(st.lists(CHANGES, max_size=5), st.integers(0, 5), st.text(max_size=5))
def test_lists_are_read_as_written_and_only_by_their_comparison(changes, number, target):
    cursor = Cursor("", target, 0, number)
    with TemporaryDirectory() as name:
        file = Path(name) / "list"
        assert read_changes(file, cursor) is None
        write_changes(file, cursor, changes)
        assert read_changes(file, cursor) == changes
        assert read_changes(file, Cursor("", target, 0, number + 1)) is None
        file.write_text(file.read_text()[:-3] + "\n")
        assert not changes or read_changes(file, cursor) is None


@settings(deadline=None)
@given(st.builds(Cursor, st.text(), st.text(), st.integers(0), st.integers()))
def test_cursors_survive_being_stored(cursor: Cursor):
    assert Cursor.parse(cursor.dump()) == cursor


@settings(deadline=None)
@given(
    st.none()
    | st.text()
    | st.sampled_from(["[]", "{}", '{"commit": "a"}', '{"commit":1,"target":2,"offset":"x","round":0}'])
)
def test_what_is_no_cursor_is_a_fresh_one(text):
    assert Cursor.parse(text) == Cursor()


@settings(deadline=None)
@given(st.sets(st.integers(0, 60)), st.integers(1, 8))
def test_ranges_hold_what_is_wanted_and_as_little_else_as_their_number_allows(wanted, most):
    order = [f"k{n}" for n in range(61)]
    ranges = ranges_of(order, [f"k{n}" for n in wanted] + ["unknown"], most)
    covered = [n for first, last in ranges for n in range(int(first[1:]), int(last[1:]) + 1)]
    assert len(ranges) <= most
    assert wanted <= set(covered)
    assert len(covered) == len(set(covered)) and covered == sorted(covered)
    stretches = sum(n - 1 not in wanted for n in wanted)
    assert len(ranges) == min(stretches, most)
    if stretches <= most:
        assert set(covered) == wanted


def test_the_nearest_stretches_are_joined():
    order = [str(n) for n in range(100)]
    assert ranges_of(order, ["0", "2", "50", "53", "99"], most=3) == [("0", "2"), ("50", "53"), ("99", "99")]
