"""The parts of the HawkEars detector that run nothing: settings, its CSV file, what is heard, what becomes an event."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from badc_assets.detectors.hawkears.events import Found, to_events
from badc_assets.detectors.hawkears.labels import COLUMNS, read_labels
from badc_assets.detectors.hawkears.settings import HawkEarsSettings
from badc_assets.detectors.hawkears.sound import HeardClip, listen
from badc_assets.detectors.protocol import Clip, Label
from badc_assets.errors import BadcError
from badc_assets_tests.sounds import write_sound

OVEN = Label("OVEN", "Ovenbird")
HEADER = ",".join(COLUMNS)


class TestSettings:
    def test_the_defaults_find_much_and_filter_nothing(self) -> None:
        chosen = HawkEarsSettings()  # pyright: ignore[reportCallIssue]
        assert (chosen.generation, chosen.unit, chosen.min_score, chosen.segment_s) == (2, "recording", 0.1, 3.0)
        assert not chosen.has_place

    @pytest.mark.parametrize("value", ["variable", "0", 0, None])
    def test_variable_labels_can_be_written_in_toml_and_environment(self, value) -> None:
        assert HawkEarsSettings.model_validate({"segment_s": value}).segment_s is None

    def test_values_from_the_environment_are_texts(self) -> None:
        chosen = HawkEarsSettings.model_validate(
            {"generation": "1", "root": "/r", "python": "/p", "extra_args": "--fast --overlap '1 '", "threads": "2",
             "weights_sha256": f"{'0' * 64}, {'a' * 64}"}
        )  # fmt: skip
        assert chosen.extra_args == ("--fast", "--overlap", "1 ")
        assert chosen.weights_sha256 == ("0" * 64, "a" * 64)

    def test_options_may_be_nested_as_toml_has_them(self) -> None:
        options = {"infer": {"block_size": 100}, "include": "species.txt", "audio.power": 1.0}
        chosen = HawkEarsSettings.model_validate({"options": options})
        assert chosen.options == {"infer.block_size": 100, "include": "species.txt", "audio.power": 1.0}

    @pytest.mark.parametrize(
        ("values", "says"),
        [
            ({"generation": 3}, "less than or equal to 2"),
            ({"segment_s": 1.1}, "segment_s must be a multiple of 0.25"),
            ({"segment_s": "nan"}, "segment_s"),
            ({"max_models": 7}, "cannot combine 7 models"),
            ({"latitude": 50}, "latitude and longitude belong together"),
            ({"latitude": 50, "longitude": 1, "region": "CA-AB"}, "one of the two"),
            ({"date": "0601"}, "date is used with a place only"),
            ({"region": "CA-AB", "date": "file"}, "date"),
            ({"region": "ca_ab"}, "region"),
            ({"weights_sha256": ["abc"]}, "'abc' is not the sha256 of a file"),
            ({"weights_sha256": {"a.ckpt": "abc"}}, "'abc' is not the sha256 of a file"),
            ({"options": {"output_path": "/data"}}, "'output_path' cannot be passed on"),
            ({"options": {"raise_errors": False}}, "'raise_errors' cannot be passed on"),
            ({"options": {"infer.min_score": 0.5}}, "is set by detectors.hawkears.min_score"),
            ({"options": {"misc": {"ckpt_folder": "/evil"}}}, "is set by detectors.hawkears.root"),
            ({"options": {"max_label_length": 5}}, 'need segment_s = "variable"'),
            ({"extra_args": ["--fast"]}, "extra_args is for generation 1"),
            ({"generation": 1}, "generation 1 needs root"),
            ({"generation": 1, "root": "/r", "python": "/p", "segment_s": 6}, "segment_s of generation 1 is 3"),
            ({"generation": 1, "root": "/r", "python": "/p", "label_style": "alt_names"}, "has no alt_names"),
            ({"generation": 1, "root": "/r", "python": "/p", "max_models": 2}, "max_models is for generation 2"),
            (
                {"generation": 1, "root": "/r", "python": "/p", "options": {"include": "a"}},
                "options is for generation 2",
            ),
            ({"timeout": 5}, "timeout"),
        ],
    )
    def test_what_cannot_work_is_refused(self, values, says) -> None:
        with pytest.raises(ValidationError, match=says):
            HawkEarsSettings.model_validate(values)


texts = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=30).filter(
    lambda text: text == text.strip() and not set(text) & set("/\\")
)
seconds = st.integers(0, 100_000_000).map(lambda ms: ms / 1000)
rows = st.tuples(seconds, seconds, texts, texts, st.floats(0, 1).map(lambda score: round(score, 3)))


class TestLabels:
    @given(name=texts, wanted=st.lists(rows))
    def test_reads_what_hawkears_writes(self, tmp_path_factory, name, wanted) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        writer.writerows(
            (name, f"{a:.3f}", f"{b:.3f}", kind, code, f"{score:.3f}") for a, b, kind, code, score in wanted
        )
        path = tmp_path_factory.getbasetemp() / "HawkEars_labels.csv"
        path.write_bytes(text.getvalue().encode())
        expected = [Found(Label(code, kind), a, b, score) for a, b, kind, code, score in wanted]
        assert read_labels(path, {name}) == expected

    @given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"{HEADER}\n{text}".encode()))
    def test_anything_else_is_one_line(self, tmp_path_factory, data) -> None:
        path = tmp_path_factory.getbasetemp() / "any.csv"
        path.write_bytes(data)
        try:
            found = read_labels(path, {"A.wav"})
        except BadcError as error:
            assert "any.csv" in str(error)
            assert "\n" not in str(error)
        else:
            assert data.startswith(HEADER.encode())
            assert len(found) <= data.count(b"\n") + data.count(b"\r")

    def test_columns_in_any_order_and_folders_before_the_name(self, tmp_path) -> None:
        path = tmp_path / "labels.csv"
        path.write_text(
            "score,class_code,class_name,end_time,start_time,filename,more\n0.5,OVEN,Ovenbird,3,0,D:\\x\\A.wav,1\n"
        )
        assert read_labels(path, {"A.wav"}) == [Found(OVEN, 0, 3, 0.5)]

    def test_a_row_without_a_file_name_is_about_the_clip(self, tmp_path) -> None:
        path = tmp_path / "labels.csv"
        path.write_text(f"{HEADER}\n,0,3,Ovenbird,,0.5\n\n,3,6,,OVEN,0.5\n")
        assert [one.label for one in read_labels(path, {"A.wav"})] == [
            Label("Ovenbird", "Ovenbird"),
            Label("OVEN", "OVEN"),
        ]

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "line 1: the column 'filename' is missing"),
            (f"{HEADER},score\n", "line 1: the column 'score' occurs twice"),
            ("recording,name,start_time,end_time,score\n", "line 1: the column 'filename' is missing"),
            (f"{HEADER}\nA.wav,0,3,Ovenbird,OVEN\n", "line 2 has 5 fields, the header 6"),
            (f"{HEADER}\nB.wav,0,3,Ovenbird,OVEN,0.5\n", r"line 2 is about another file \('B.wav'\)"),
            (f"{HEADER}\nA.wav,0,3,,,0.5\n", "line 2 names no class"),
            (f"{HEADER}\nA.wav,0,3,Ovenbird,OVEN,nan\n", r"line 2 score is not a number \('nan'\)"),
            (f"{HEADER}\nA.wav,,3,Ovenbird,OVEN,0.5\n", r"line 2 start_time is not a number \(''\)"),
            (f'{HEADER}\n"A.wav,0,3', "is not valid CSV"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path, text, says) -> None:
        path = tmp_path / "labels.csv"
        path.write_text(text)
        with pytest.raises(BadcError, match=says):
            read_labels(path, {"A.wav"})


class TestHeard:
    @pytest.mark.parametrize("rate_hz", [8000, 22_050, 44_100])
    def test_flat_parts(self, tmp_path, rate_hz) -> None:
        sound = np.random.default_rng(0).uniform(-0.1, 0.1, (30 * rate_hz, 2)).astype(np.float32)
        sound[10 * rate_hz : 20 * rate_hz] = 0.25
        heard = listen(write_sound(tmp_path / "A.wav", sound, rate_hz=rate_hz), 30_000)
        assert not heard.is_flat
        assert heard.is_flat_between(10_250, 19_750)
        assert not heard.is_flat_between(9_500, 15_000)
        assert not heard.is_flat_between(15_000, 20_500)
        assert not heard.is_flat_between(29_900, 30_000)

    def test_one_dead_channel_is_no_silence(self, tmp_path) -> None:
        sound = np.zeros((16_000, 2), np.float32)
        sound[::7, 1] = 0.1
        assert not listen(write_sound(tmp_path / "A.wav", sound), 1000).is_flat

    @pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
    def test_samples_that_are_no_numbers(self, tmp_path, odd) -> None:
        sound = np.full((40_000, 2), 0.1, np.float32)
        sound[30_000, 1] = odd
        path = write_sound(tmp_path / "A.wav", sound, subtype="FLOAT")
        with pytest.raises(BadcError, match=r"A\.wav: holds samples that are not numbers"):
            listen(path, 2500)

    def test_a_file_shorter_than_it_should_be(self, tmp_path) -> None:
        path = write_sound(tmp_path / "A.wav", np.ones(16_000, np.float32) / 2)
        assert listen(path, 1040).is_flat
        with pytest.raises(BadcError, match="holds 1000 ms of sound, 1100 ms were expected"):
            listen(path, 1100)


def heard(duration_ms: int, *flat: int) -> HeardClip:
    cells = np.zeros(-(-duration_ms // 250), dtype=bool)
    cells[list(flat)] = True
    return HeardClip(cells, 4000, 16_000)


def clip(duration_ms: int = 10_000) -> Clip:
    return Clip(Path("A.wav"), "A", "", 0, duration_ms, Path("kept"))


class TestEvents:
    def test_the_last_label_is_cut_and_others_stay(self) -> None:
        found = [Found(OVEN, 9, 12, 0.5), Found(OVEN, 0, 3, 0.4)]
        assert [(e.start_ms, e.end_ms) for e in to_events(found, clip(), heard(10_000))] == [(0, 3000), (9000, 10_000)]

    @pytest.mark.parametrize(
        ("one", "says"),
        [
            (Found(OVEN, 10, 11, 0.5), "lies outside the clip, which lasts 10000 ms"),
            (Found(OVEN, 9, 13.5, 0.5), "lies outside the clip"),
            (Found(OVEN, -1, 2, 0.5), "no span of time"),
            (Found(OVEN, 2, 2, 0.5), "no span of time"),
            (Found(OVEN, float("nan"), 2, 0.5), "no span of time"),
            (Found(OVEN, 0, float("inf"), 0.5), "no span of time"),
            (Found(OVEN, 0, 3, 1.001), r"its score is 1\.001, not in 0\.\.1"),
            (Found(OVEN, 0, 3, -1), "not in"),
            (Found(OVEN, 0, 3, float("nan")), "its score is nan"),
        ],
    )
    def test_what_cannot_be_is_refused(self, one, says) -> None:
        with pytest.raises(BadcError, match=says):
            to_events([one], clip(), heard(10_000))

    def test_a_long_label_may_reach_further_past_the_end(self) -> None:
        assert to_events([Found(OVEN, 9, 15, 0.5)], clip(), heard(10_000), overhang_ms=6000)[0].end_ms == 10_000

    def test_silence_has_no_events(self) -> None:
        found = [Found(OVEN, 0, 1, 0.9), Found(OVEN, 1, 2, 0.9)]
        events = to_events(found, clip(), heard(10_000, 0, 1, 2, 3, 4))
        assert [event.start_ms for event in events] == [1000]

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3), st.floats(0, 1))))
    def test_each_label_and_time_once(self, values) -> None:
        found = [Found(OVEN, start, start + length, score) for start, length, score in values]
        events = to_events(found, clip(), heard(10_000))
        best: dict[tuple[int, int], float] = {}
        for start, length, score in values:
            key = (start * 1000, min(start + length, 10) * 1000)
            best[key] = max(score, best.get(key, 0))
        assert [(event.start_ms, event.end_ms, event.confidence) for event in events] == [
            (*key, score) for key, score in sorted(best.items())
        ]
