"""A project's own templates: what they can say, and mistakes that are named with their place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.errors import BadcError
from badc_assets.recordings.template_file import parse_templates, read_templates
from badc_assets.recordings.templates import Templates

UBC = """
study_areas:
  - name: Norman Wells
    folder: NormanWells
    zone: America/Inuvik
    templates:
      - {name: norman-wells, path: "/{any}/{site}/{serial}_{date}_{time}"}
  - name: Gameti
    folder: Gameti
    templates:
      - {name: gameti, path: "{site}/{serial}_{date}_{time}", set: {recorder: Song Meter}}
  - name: Sambaa K'e
    folder: SambaaKe
    templates:
      - name: sambaa-ke
        path: "{site}_0+1_{date}_{time}"
        set: {side: 0+1}
      - name: day-folders
        path: "{date}/{site}_{time}"
"""


def values_of(templates: Templates, path: str) -> tuple[str, dict[str, str], dict[str, str]]:
    reading = templates.read(path)
    sources = {name: statement.source for statement in reading.statements for name in statement.values}
    values = {name: value for statement in reading.statements for name, value in statement.values.items()}
    return reading.template, values, sources


class TestStudyAreas:
    templates = Templates(parse_templates(UBC, "t.yaml"))

    def test_the_station_is_in_the_folder_and_the_sensor_in_the_name(self):
        name, values, sources = values_of(self.templates, "NormanWells/sub/NW 7/S4A01234_20230501_072500.wav")
        assert name == "norman-wells"
        assert values == {"site": "NW 7", "serial": "S4A01234", "start": "2023-05-01T07:25:00", "study_area": "Norman Wells",
                          "zone": "America/Inuvik"}  # fmt: skip
        assert (sources["site"], sources["serial"], sources["zone"]) == ("folder", "file name", "study area")

    def test_constants_and_channels(self):
        assert values_of(self.templates, "Gameti/G01/X_20230501_072500.WAV")[1]["recorder"] == "Song Meter"
        name, values, _ = values_of(self.templates, "SambaaKe/odd/folders/SK3_0+1_20230501_072500.wav")
        assert (name, values["site"], values["side"]) == ("sambaa-ke", "SK3", "0+1")

    def test_a_date_in_the_folder_and_a_time_in_the_name(self):
        assert values_of(self.templates, "SambaaKe/2023-05-01/SK3_072500.wav")[1]["start"] == "2023-05-01T07:25:00"

    def test_where_no_template_matches_the_area_still_holds(self):
        assert values_of(self.templates, "Gameti/notes.wav") == (
            "",
            {"study_area": "Gameti"},
            {"study_area": "study area"},
        )

    def test_an_area_says_nothing_of_other_folders(self):
        name, values, _ = values_of(self.templates, "Elsewhere/G01/X_20230501_072500.wav")
        assert (name, values["site"], "study_area" in values) == ("site-date-time", "X", False)

    def test_without_the_templates_of_badc(self):
        templates = Templates(parse_templates("defaults: false", "t.yaml"))
        assert templates.read("X_20230501_072500.wav").template == ""

    def test_order_decides(self):
        paths = ("{serial}_{date}_{time}", "{site}_{date}_{time}")
        specs = ", ".join(f"{{name: {name}, path: '{path}'}}" for name, path in zip("bc", paths, strict=True))
        text = f"study_areas: [{{name: A, templates: [{specs}]}}]"
        assert Templates(parse_templates(text, "t")).read("X_20230501_072500.wav").template == "b"


def one(line: str) -> str:
    return f"study_areas:\n  - name: A\n    templates:\n      - name: t\n        {line}\n"


PATH = 'path: "{site}_{date}_{time}"'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            one('path: "{sit}_{date}_{time}"'),
            r"line 4, study_areas\[0\].templates\[0\]: unknown placeholder \{sit\}; did you mean \{site\}",
        ),
        (one('path: "{site}_{date}"'), "both"),
        (one('path: "{site"'), "expected '}'"),
        (one('path: "{site}_{site}"'), "stands twice"),
        (one('path: "{site:x}"'), "name in braces"),
        (one('path: "{latitude}"'), "go together"),
        (one(f"{PATH}\n        patterns: {{site: '['}}"), "no regular expression"),
        (one(f"{PATH}\n        patterns: {{site: '(a)'}}"), "may not have groups"),
        (one(f"{PATH}\n        patterns: {{serial: 'a'}}"), "not in `path`"),
        (one(f"{PATH}\n        patterns: {{site: '(?i)a'}}"), "do not go together"),
        (one(f"{PATH}\n        set: {{site: a}}"), "in `path` and in `set`"),
        (one(f"{PATH}\n        set: {{colour: a}}"), "it can set"),
        (one(f"{PATH}\n        set: {{serial: '{{any}}'}}"), "not a placeholder"),
        (one(f"{PATH}\n        pats: {{}}"), r"line 6, study_areas\[0\].templates\[0\].pats: Extra inputs"),
        ("study_areas:\n  - name: A\n    zone: Mars\n", r"line 3, study_areas\[0\].zone: there is no time zone 'Mars'"),
        ("study_areas:\n  - name: A\n    name: B\n", "line 3: 'name' stands twice"),
        ("study_areas:\n  - {}\n", r"line 2, study_areas\[0\].name: Field required"),
        ("defaults: perhaps", "line 1, defaults: Input should be a valid boolean"),
        ("a: [", "not valid YAML .line 1"),
        ("- 1", "line 1"),
        ("[" * 5000, "nested too deeply|not valid YAML"),
    ],
)  # fmt: skip
def test_mistakes_are_named_in_one_line(text: str, says: str):
    with pytest.raises(BadcError, match=says) as caught:
        parse_templates(text, "t.yaml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("t.yaml")


def test_two_templates_of_one_name():
    area = f"  - name: A\n    templates: [{{name: t, {PATH}}}]\n"
    with pytest.raises(BadcError, match="two templates have the name 't'"):
        parse_templates(f"study_areas:\n{area}{area}", "t.yaml")


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None):
    path = tmp_path / "t.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadcError):
        read_templates(path)


@given(st.one_of(st.text(), st.text().map(one), st.text().map(lambda text: one(f"path: {text!r}"))))
def test_any_text_is_a_file_or_a_mistake(text: str):
    try:
        templates = Templates(parse_templates(text, "t.yaml"))
    except BadcError as error:
        assert "\n" not in str(error)
    else:
        templates.read("A/X_20230501_072500.wav")


def test_the_example_of_the_readme():
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    (example,) = re.findall(r"^```yaml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    path = "FortSmith/ARU_data/SM/FS12/A/Data/S4A01234_20230501_072500.wav"
    name, values, _ = values_of(Templates(parse_templates(example, "README.md")), path)
    assert name == "fort-smith"
    assert values == {
        "study_area": "Fort Smith", "zone": "-07:00", "site": "FS12", "side": "A", "serial": "S4A01234",
        "start": "2023-05-01T07:25:00", "recorder": "Song Meter SM4",
    }  # fmt: skip
