"""The page says what is known, no more, whatever the names are and however little there is."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from badc_assets.errors import BadcError
from badc_assets.layout import Layout
from badc_assets.recordings.model import Flag
from badc_assets.reports.collecting import collect_tables
from badc_assets.reports.dataset_report import ReportResult, write_dataset_report
from badc_assets.reports.settings import ReportSettings
from badc_assets_tests.reports.builders import add_recording, add_results, dataset, entries

HOUR_MS = 3_600_000
NO_CLIPS = ReportSettings(example_clips=0)


class Page(HTMLParser):
    """Tags, attributes and text of a page, and the tags left open."""

    VOID = ("meta", "br", "img")

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return dataset(tmp_path)


def report(layout: Layout, ids: list[str], settings: ReportSettings = NO_CLIPS) -> tuple[ReportResult, Page]:
    collect_tables(layout, entries(ids))
    result = write_dataset_report(layout, settings)
    page = Page((layout.output / result.page).read_text("utf-8"))
    assert page.open == [], "every tag is closed"
    return result, page


def table(layout: Layout, name: str) -> list[dict[str, str]]:
    text = (layout.report_dir / f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def write_sound(layout: Layout, audio_path: str, seconds: float = 8.0, rate: int = 22_050) -> None:
    time = np.arange(round(seconds * rate)) / rate
    sound = 0.2 * np.sin(2 * np.pi * 3000 * time) * (np.abs(time - 4) < 0.5)
    noise = np.random.default_rng(1).normal(0, 0.01, len(time))
    layout.source(audio_path).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(layout.source(audio_path), sound + noise, rate)


def test_hours_are_normalised_by_effort_and_hours_without_effort_are_no_data(layout: Layout) -> None:
    """04:00 two hours of effort and one detection, 05:00 half an hour and one, 06:00 failed, the rest not recorded."""
    add_recording(layout, "a", start_local="2024-05-01T04:00:00")
    add_results(
        layout, "a", [(0, HOUR_MS, "ok"), (HOUR_MS, 3 * HOUR_MS // 2, "ok")], [(9, "X", 0.5), (HOUR_MS, "X", 0.5)]
    )
    add_recording(layout, "b", start_local="2024-05-03T04:00:00")
    add_results(layout, "b", [(0, HOUR_MS, "empty"), (2 * HOUR_MS, 3 * HOUR_MS, "failed")], [])
    _, page = report(layout, ["a", "b"])
    hours = {row["hour"]: (row["effort_hours"], row["detections"], row["detections_per_hour"])
             for row in table(layout, "hourly_activity")}  # fmt: skip
    assert hours["4"] == ("2.0", "1", "0.5")
    assert hours["5"] == ("0.5", "1", "2.0")
    assert hours["6"] == hours["12"] == ("0.0", "", "")
    assert len(hours) == 24
    days = [(row["day"], row["effort_hours"], row["detections"]) for row in table(layout, "daily_activity")]
    assert days == [("2024-05-01", "1.5", "2"), ("2024-05-03", "1.0", "0")]
    for text in ("04: 0.5 per hour, from 2 h", "06: nothing analysed", "2024-05-02: nothing analysed"):
        assert text in page.text
    assert "2024-05-03: 0 per hour" in page.text, "an analysed day without detections is zero, not a gap"


def test_unknown_sites_and_times_are_rows_of_their_own(layout: Layout) -> None:
    add_recording(layout, "a")
    add_results(layout, "a", [(0, HOUR_MS, "ok")], [(9, "X", 0.5)])
    add_recording(layout, "b", site=None, start_local=None)
    add_results(layout, "b", [(0, HOUR_MS, "ok")], [(9, "X", 0.5), (10, "X", 0.6)])
    _, page = report(layout, ["a", "b"])
    assert [(row["site"], row["detections"]) for row in table(layout, "sites")] == [("Pond", "1"), ("unknown", "2")]
    assert [row["detections"] for row in table(layout, "hourly_activity") if row["hour"] == "unknown"] == ["2"]
    assert "1.0 h of analysed sound with 2 detections, whose time is unknown" in page.text
    assert "1 of 2 recordings have no known start time" in page.text


def test_what_was_not_heard_is_not_silence(layout: Layout) -> None:
    add_recording(layout, "cut", site="Bog", flags=(Flag("truncated", "fatal", "ends <early>"),))
    add_recording(layout, "wait", site="Fen")
    result, page = report(layout, ["cut", "wait"])
    assert (result.analysed_hours, result.quarantined) == (0, 1)
    assert [(row["site"], row["detections"], row["detections_per_hour"]) for row in table(layout, "sites")] == [
        ("Bog", "", ""), ("Fen", "", "")
    ]  # fmt: skip
    assert [(row["outcome"], row["reason"]) for row in table(layout, "failures")] == [
        ("quarantined", "truncated: ends <early>"), ("not analysed", "no detector has been run on it")
    ]  # fmt: skip
    assert "truncated: ends <early>" in page.text
    assert "Nothing has been analysed yet" in page.text
    assert "Nothing was found" not in page.text


def test_an_analysed_dataset_without_detections_says_so(layout: Layout) -> None:
    add_recording(layout, "a")
    add_results(layout, "a", [(0, HOUR_MS, "empty")], [])
    result, page = report(layout, ["a"])
    assert result.detections == 0
    assert "Nothing was found in 1.0 h of analysed sound" in page.text
    assert table(layout, "labels") == []


def test_a_dataset_without_recordings_makes_a_page(layout: Layout) -> None:
    _, page = report(layout, [])
    assert "The dataset has no recordings" in page.text
    assert (layout.report_dir / "sites.csv").read_text().startswith("site,recordings,recordings_analysed,")


def test_without_tables_the_user_is_told_what_to_do(layout: Layout) -> None:
    with pytest.raises(BadcError, match="make the detection aggregates first"):
        write_dataset_report(layout, NO_CLIPS)


@pytest.mark.parametrize("is_stub", [True, False])
def test_stub_results_carry_a_banner_and_real_ones_do_not(layout: Layout, is_stub: bool) -> None:
    add_recording(layout, "a")
    add_results(layout, "a", [(0, HOUR_MS, "stub" if is_stub else "ok")], [])
    result, page = report(layout, ["a"])
    assert result.is_stub == is_stub
    assert ("Not real results." in page.text) == is_stub


def test_the_least_confidence_is_applied_everywhere_and_stated(layout: Layout) -> None:
    add_recording(layout, "a")
    add_results(layout, "a", [(0, HOUR_MS, "ok")], [(1, "X", 0.2), (2, "X", 0.9), (3, "Y", None)])
    result, page = report(layout, ["a"], ReportSettings(example_clips=0, min_confidence=0.5))
    assert result.detections == 1
    assert [row["label"] for row in table(layout, "labels")] == ["X"]
    for name in ("sites", "effort", "hourly_activity"):
        assert sum(int(row["detections"] or 0) for row in table(layout, name)) == 1, name
    assert "1 of 3" in page.text


def test_hostile_names_stay_text_and_the_page_asks_for_nothing_outside(layout: Layout) -> None:
    nasty = """x" onload='alert(1)'<script>alert(2)</script>\n{{ 7*7 }}&amp;"""
    audio_path = f"audio/{nasty.replace('/', '_')}.wav"
    add_recording(layout, "a", site=nasty, audio_path=audio_path)
    add_results(layout, "a", [(0, 8_000, "ok")], [(3_500, nasty, 0.9)], low_hz=2500.0, high_hz=3500.0)
    write_sound(layout, audio_path)
    add_recording(layout, "b", site=nasty, chunking=None, flags=(Flag("odd", "fatal", nasty),))
    result, page = report(layout, ["a", "b"], ReportSettings())
    assert result.clips == 1
    assert page.named("script") == []
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert "<script>alert(2)</script>" in page.text
    assert "49" not in re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "", page.text)
    assert {row["site"] for row in table(layout, "sites")} == {nasty}
    links = {value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")}
    assert all(link and (link.startswith("data:") or re.fullmatch(r"[a-z_]+\.csv", link)) for link in links)
    assert all((layout.report_dir / link).is_file() for link in links if link and link.endswith(".csv"))


def test_pictures_and_tables_have_words_for_those_who_cannot_see_them(layout: Layout) -> None:
    add_recording(layout, "a", audio_path="audio/a.wav")
    add_results(layout, "a", [(0, 8_000, "ok")], [(3_500, "X", 0.9)])
    write_sound(layout, "audio/a.wav")
    _, page = report(layout, ["a"], ReportSettings())
    assert page.named("img")
    assert all(image["alt"] for image in page.named("img"))
    assert len(page.named("table")) == len(page.named("caption")) > 3
    assert len(page.named("h1")) == 1
    assert page.named("html")[0]["lang"] == "en"


def test_a_detection_without_its_sound_is_named_and_the_next_is_shown(layout: Layout) -> None:
    add_recording(layout, "gone", audio_path="audio/gone.wav")
    add_results(layout, "gone", [(0, 8_000, "ok")], [(3_500, "X", 0.9)])
    add_recording(layout, "here", audio_path="audio/here.wav")
    add_results(layout, "here", [(0, 8_000, "ok")], [(3_500, "X", 0.4)])
    write_sound(layout, "audio/here.wav")
    result, page = report(layout, ["gone", "here"], ReportSettings())
    assert (result.clips, result.skipped_clips) == (1, ("audio/gone.wav: is not here",))
    assert "1 detection could not be shown" in page.text


def test_the_page_keeps_within_its_room_for_pictures_and_sounds(layout: Layout) -> None:
    add_recording(layout, "a", audio_path="audio/a.wav")
    add_results(layout, "a", [(0, 8_000, "ok")], [(at, f"L{at}", 0.9) for at in range(0, 7_000, 1_000)])
    write_sound(layout, "audio/a.wav")
    result, _ = report(layout, ["a"], ReportSettings(media_megabytes=0.8))
    assert 0 < result.clips < 7
    assert result.page_bytes < 900_000


def test_settings_refuse_what_makes_no_sense() -> None:
    for wrong in ({"min_confidence": 1.5}, {"bucket_minutes": 0}, {"colour": "red"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ReportSettings.model_validate(wrong)
