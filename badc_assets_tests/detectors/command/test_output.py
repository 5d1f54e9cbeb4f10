"""What programs may write, and that everything else is one line that says where it is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badc_assets.detectors.command import output as command_output
from badc_assets.detectors.command.output import read_detection_csv, read_detection_json, read_detections
from badc_assets.detectors.protocol import Event, Label
from badc_assets.errors import BadcError
from badc_assets.files import csv_text

CLIP_MS = 60_000
BADC_ITEM = {
    "timestamp_ms": 1500, "end_ms": 4500, "label_code": "RUGR", "label_name": "Ruffed Grouse", "label": "RUGR",
    "confidence": 0.91,
}  # fmt: skip
FOUND = Event(1500, 4500, Label("RUGR", "Ruffed Grouse"), 0.91)


def _json(folder: Path, value: object) -> list[Event]:
    path = folder / "result.json"
    path.write_text(json.dumps(value), "utf-8")
    return read_detection_json(path, CLIP_MS)


def _csv(folder: Path, text: str | bytes) -> list[Event]:
    path = folder / "result.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_detection_csv(path, CLIP_MS)


class TestJson:
    def test_as_badc_wrote_it(self, tmp_path: Path) -> None:
        chunk = {"start_ms": 0, "end_ms": 60000, "overlap_ms": 0, "sha256": "...", "notes": None}
        whole = {"chunk_id": "R_chunk_0_60000", "status": "ok", "detections": [BADC_ITEM], "chunk": chunk}
        assert _json(tmp_path, whole) == [FOUND]

    def test_a_bare_list_and_further_fields(self, tmp_path: Path) -> None:
        item = {**BADC_ITEM, "low_hz": 40, "high_hz": 120.5, "loudness": float("nan")}
        assert _json(tmp_path, [item]) == [Event(1500, 4500, FOUND.label, 0.91, low_hz=40, high_hz=120.5)]

    @pytest.mark.parametrize("nothing", [[], {"detections": []}, {"status": "no_detections", "detections": []}])
    def test_nothing_found(self, tmp_path: Path, nothing: object) -> None:
        assert _json(tmp_path, nothing) == []

    @pytest.mark.parametrize(
        ("fields", "label"),
        [
            ({"label_code": None, "label_name": "Ruffed Grouse", "label": "Ruffed Grouse"}, Label("", "Ruffed Grouse")),
            ({"label_code": "RUGR", "label_name": None}, Label("RUGR", "")),
            ({"label_code": None, "label_name": None, "label": "unknown"}, Label("unknown", "")),
            ({"label_code": " RUGR ", "label_name": "Gélinotte huppée"}, Label("RUGR", "Gélinotte huppée")),
        ],
    )
    def test_labels(self, tmp_path: Path, fields: dict[str, object], label: Label) -> None:
        assert [event.label for event in _json(tmp_path, [{**BADC_ITEM, **fields}])] == [label]

    @pytest.mark.parametrize(
        ("start", "end", "span"),
        [
            (0, 60_000, (0, 60_000)),
            (1499.6, 4500.4, (1500, 4500)),
            (59_000, 61_000, (59_000, 60_000)),
            (60_500, 61_000, (60_000, 60_000)),
            (7000, None, (7000, 7000)),
            (None, None, (0, 60_000)),
        ],
    )
    def test_times(self, tmp_path: Path, start: float | None, end: float | None, span: tuple[int, int]) -> None:
        (event,) = _json(tmp_path, [{**BADC_ITEM, "timestamp_ms": start, "end_ms": end}])
        assert (event.start_ms, event.end_ms) == span
        assert isinstance(event.start_ms, int) and isinstance(event.end_ms, int)

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({"timestamp_ms": -1}, "timestamp_ms is negative"),
            ({"timestamp_ms": None}, "timestamp_ms is missing, and there is an end"),
            ({"timestamp_ms": "1500"}, "timestamp_ms is not a number"),
            ({"timestamp_ms": True}, "timestamp_ms is not a number"),
            ({"timestamp_ms": float("nan")}, "timestamp_ms is not a usable number"),
            ({"end_ms": 1000}, "end_ms lies before the start"),
            ({"end_ms": 61_001}, "end_ms lies more than 1000 ms past the end of the clip"),
            ({"end_ms": 10**400}, "end_ms is not a usable number"),
            ({"confidence": None}, "confidence is missing"),
            ({"confidence": 1.01}, "confidence is not in 0..1"),
            ({"confidence": -0.1}, "confidence is not in 0..1"),
            ({"confidence": float("inf")}, "confidence is not a usable number"),
            ({"label_code": "", "label_name": None, "label": " "}, "label is missing"),
            ({"label_code": 7}, "label_code is not a text"),
            ({"label_name": "Ruffed\nGrouse"}, "label holds a line break"),
            ({"label_name": "\ud800"}, "label holds a line break or another control"),
            ({"label_code": "x" * 201}, "label has more than 200 characters"),
            ({"low_hz": -1}, "low_hz is negative"),
            ({"low_hz": 900, "high_hz": 800}, "high_hz is below low_hz"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, fields: dict[str, object], complaint: str) -> None:
        with pytest.raises(BadcError) as caught:
            _json(tmp_path, [BADC_ITEM, {**BADC_ITEM, **fields}])
        assert caught.value.problem.startswith(f"detections[1]: {complaint}")
        assert str(caught.value).startswith(str(tmp_path / "result.json"))
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("field", ["timestamp_ms", "end_ms", "confidence"])
    def test_a_misspelt_field_is_not_an_unknown_value(self, tmp_path: Path, field: str) -> None:
        item = {name: value for name, value in BADC_ITEM.items() if name != field}
        with pytest.raises(BadcError, match=rf"detections\[0\]: {field} is missing"):
            _json(tmp_path, [{**item, field.upper(): 1}])

    @pytest.mark.parametrize(
        ("data", "complaint"),
        [
            (b"", "is empty"),
            (b" \n", "is empty"),
            (b'{"detections": [}', "line 1: not valid JSON"),
            (b'{"detections": {}}', "holds no list `detections`"),
            (b'{"results": []}', "holds no list `detections`"),
            (b"3", "holds no list `detections`"),
            (b'["RUGR"]', "detections[0]: the item is not an object"),
            (b'[{"label": "\xff"}]', "is not UTF-8 (byte 12)"),
            (b"[" * 200_000, "not usable JSON"),
            (b"[" + b"9" * 5000 + b"]", "not usable JSON"),
        ],
    )
    def test_broken_files(self, tmp_path: Path, data: bytes, complaint: str) -> None:
        path = tmp_path / "result.json"
        path.write_bytes(data)
        with pytest.raises(BadcError) as caught:
            read_detection_json(path, CLIP_MS)
        assert caught.value.problem.startswith(complaint)

    def test_no_file_a_folder_and_too_much(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(BadcError, match="there is no such file"):
            read_detection_json(tmp_path / "absent.json", CLIP_MS)
        with pytest.raises(BadcError, match="is not a file"):
            read_detection_json(tmp_path, CLIP_MS)
        monkeypatch.setattr(command_output, "MAX_BYTES", 10)
        with pytest.raises(BadcError, match="is larger than"):
            _json(tmp_path, [BADC_ITEM])


class TestCsv:
    @pytest.mark.parametrize(
        "text",
        [
            "start,end,label,score\n1.5,4.5,RUGR,0.91\n",
            "start,end,label,score\r\n1.5,4.5,RUGR,0.91\r\n",
            "start,end,label,score\n1.5,4.5,RUGR,0.91",
            '\ufeff"start","end","label","score"\n\n"1.5","4.5","RUGR","9.1e-1"\n',
            "file,Score, Label ,End,Start\nx.wav,.91, RUGR ,+4.5,1.50\n",
        ],
    )
    def test_ways_to_write_the_same(self, tmp_path: Path, text: str) -> None:
        assert _csv(tmp_path, text) == [Event(1500, 4500, Label("RUGR", ""), 0.91)]

    def test_optional_columns_and_quoted_commas(self, tmp_path: Path) -> None:
        text = 'start,end,label,score,label_name,low_hz,high_hz\n0,1,RUGR,1,"Grouse, ""Ruffed""",40,\n'
        label = Label("RUGR", 'Grouse, "Ruffed"')
        assert _csv(tmp_path, text) == [Event(0, 1000, label, 1.0, low_hz=40, high_hz=None)]

    def test_header_alone_is_nothing_found(self, tmp_path: Path) -> None:
        assert _csv(tmp_path, "start,end,label,score\n") == []

    @pytest.mark.parametrize(
        ("row", "span"), [(",,RUGR,1", (0, CLIP_MS)), ("7,,RUGR,1", (7000, 7000)), ("59,61,RUGR,1", (59_000, CLIP_MS))]
    )
    def test_unknown_and_late_times(self, tmp_path: Path, row: str, span: tuple[int, int]) -> None:
        (event,) = _csv(tmp_path, f"start,end,label,score\n{row}\n")
        assert (event.start_ms, event.end_ms) == span

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("1.5,4.5,RUGR,0.91\n", "line 1: a header with start,end,label,score was expected"),
            ("start,end,label\n", "line 1: a header with start,end,label,score was expected; 'score' is missing"),
            ("start;end;label;score\n", "line 1: a header"),
            ("start,end,label,score,start\n", "line 1: column 'start' occurs twice"),
            ("start,end,label,score\n1,2,A,0.5\n1,2,A\n", "line 3: the row has 3 fields, the header 4"),
            ("start,end,label,score\n1,2,A,B,0.5\n", "line 2: the row has 5 fields, the header 4"),
            ('start,end,label,score\n1,2,"A,0.5\n3,4,B,0.5\n', "line 3: not valid CSV"),
            ("start,end,label,score\none,2,A,0.5\n", "line 2: start is not a number ('one')"),
            ("start,end,label,score\n1_0,20,A,0.5\n", "line 2: start is not a number"),
            ("start,end,label,score\n1,nan,A,0.5\n", "line 2: end is not a number"),
            ("start,end,label,score\n1,1e999,A,0.5\n", "line 2: end is not a usable number"),
            ("start,end,label,score\n-1,2,A,0.5\n", "line 2: start is negative"),
            ("start,end,label,score\n,2,A,0.5\n", "line 2: start is missing, and there is an end"),
            ("start,end,label,score\n1,62,A,0.5\n", "line 2: end lies more than 1000 ms past"),
            ("start,end,label,score\n1,2,,0.5\n", "line 2: label is missing"),
            ("start,end,label,score\n1,2,A,\n", "line 2: score is missing"),
            ("start,end,label,score\n1,2,A,91\n", "line 2: score is not in 0..1"),
            ("", "is empty"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, text: str, complaint: str) -> None:
        with pytest.raises(BadcError) as caught:
            _csv(tmp_path, text)
        assert caught.value.problem.startswith(complaint)
        assert "\n" not in str(caught.value)

    def test_a_long_number_takes_no_long_time(self, tmp_path: Path) -> None:
        with pytest.raises(BadcError, match="start is not a number"):
            _csv(tmp_path, f"start,end,label,score\n{'1' * 130_000}x,2,A,0.5\n")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("[]", 0),
        ('\ufeff {"detections": []}', 0),
        ("start,end,label,score\n", 0),
        ("start,end,label,score\n1,2,A,1", 1),
    ],
)
def test_auto_looks_at_the_beginning_not_at_the_name(tmp_path: Path, text: str, count: int) -> None:
    path = tmp_path / "result.json"
    path.write_text(text, "utf-8")
    assert len(read_detections(path, CLIP_MS)) == count


texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20).map(str.strip)


@st.composite
def found_events(draw: st.DrawFn) -> Event:
    start_ms, end_ms = sorted(draw(st.tuples(st.integers(0, CLIP_MS), st.integers(0, CLIP_MS))))
    low_hz, high_hz = sorted(draw(st.tuples(st.floats(0, 1e5), st.floats(0, 1e5))))
    return Event(
        start_ms,
        end_ms,
        Label(draw(texts.filter(bool)), draw(texts)),
        draw(st.floats(0, 1)),
        low_hz=draw(st.sampled_from([None, low_hz])),
        high_hz=draw(st.sampled_from([None, high_hz])),
    )


class TestProperties:
    pieces = st.sampled_from(
        ["start,end,label,score\n", "1,2,A,0.5\n", "1,", '"', "\r", "\n", "{", "[", "]", '"detections":', "\0", "1e999",
         '{"timestamp_ms":0,"end_ms":1,"label":"A","confidence":1}', "NaN", "-", ",", "\ufeff", "é"]
    )  # fmt: skip
    relaxed = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

    @relaxed
    @given(st.binary(max_size=200) | st.lists(pieces, max_size=12).map("".join).map(str.encode))
    def test_any_bytes_give_events_or_a_badc_error(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "result"
        path.write_bytes(data)
        for form in ("auto", "json", "csv"):
            try:
                events = read_detections(path, CLIP_MS, form)
            except BadcError as error:
                assert "\n" not in str(error)
                continue
            assert all(0 <= event.start_ms <= event.end_ms <= CLIP_MS for event in events)
            assert all(0 <= event.confidence <= 1 for event in events)

    @relaxed
    @given(st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*BADC_ITEM, "detections", "low_hz"]), inner),
        max_leaves=8,
    ))  # fmt: skip
    def test_any_json_gives_events_or_a_badc_error(self, tmp_path: Path, value: object) -> None:
        for whole in (value, [value], {"detections": [BADC_ITEM, value]}):
            try:
                assert all(isinstance(event, Event) for event in _json(tmp_path, whole))
            except BadcError as error:
                assert "\n" not in str(error)

    @relaxed
    @given(st.lists(found_events(), max_size=5))
    def test_what_was_written_as_json_is_read_back(self, tmp_path: Path, events: list[Event]) -> None:
        items = [
            {
                "timestamp_ms": event.start_ms, "end_ms": event.end_ms, "label_code": event.label.code,
                "label_name": event.label.name, "confidence": event.confidence, "low_hz": event.low_hz,
                "high_hz": event.high_hz,
            }
            for event in events
        ]  # fmt: skip
        assert _json(tmp_path, {"detections": items}) == events

    @relaxed
    @given(st.lists(found_events(), max_size=5))
    def test_what_was_written_as_csv_is_read_back(self, tmp_path: Path, events: list[Event]) -> None:
        header = ["start", "end", "label", "score", "label_name", "low_hz", "high_hz"]
        rows = [
            [
                event.start_ms / 1000, event.end_ms / 1000, event.label.code, event.confidence, event.label.name,
                event.low_hz, event.high_hz,
            ]
            for event in events
        ]  # fmt: skip
        assert _csv(tmp_path, csv_text(header, rows)) == events
