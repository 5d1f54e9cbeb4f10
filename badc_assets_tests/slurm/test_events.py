"""What tasks report survives whatever happens to the task, and is read once."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.slurm.events import Ended, EventFile, Started, Stopped, append_event
from badc_assets_tests.slurm.fake_slurm import made_up_result

events = st.one_of(
    st.builds(Started, st.text(), st.text(), st.integers(0, 9)),
    st.builds(Stopped, st.text(), st.text(), st.text()),
    st.just(Ended()),
    st.builds(DetectionOutcome, st.text(), st.none(), refused=st.text(), is_orphan=st.booleans()),
    st.just(DetectionOutcome("r", made_up_result("r", "run", "too loud"), was_reused=True)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(events, max_size=6))
def test_events_come_back_as_they_were(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("events") / "0.jsonl"
    reader, read = EventFile(path), []
    for event in written:
        append_event(path, event)
        read += reader.news()
    assert read == written
    assert list(reader.news()) == []
    assert list(EventFile(path).news()) == written


def test_a_line_is_read_when_it_is_whole(tmp_path):
    path = tmp_path / "0.jsonl"
    append_event(path, Started("a"))
    whole = path.read_bytes()
    reader = EventFile(path)
    path.write_bytes(whole[:-5])
    assert list(reader.news()) == []
    path.write_bytes(whole)
    assert list(reader.news()) == [Started("a")]


def test_a_torn_line_costs_nothing_but_itself(tmp_path):
    path = tmp_path / "0.jsonl"
    append_event(path, Started("a"))
    with path.open("ab") as file:
        file.write(b'{"event": "Ended')
    append_event(path, Ended())
    assert list(EventFile(path).news()) == [Started("a"), Ended()]


def test_a_later_version_may_say_more(tmp_path):
    path = tmp_path / "0.jsonl"
    path.write_text('{"event": "Weather", "rain": 1}\n[]\n{"event": "Ended"}\n')
    assert list(EventFile(path).news()) == [Ended()]


def test_there_is_no_file_yet(tmp_path):
    assert list(EventFile(tmp_path / "none").news()) == []
