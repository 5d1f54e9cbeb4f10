"""Several datasets in one project file."""

from __future__ import annotations

from pathlib import Path

import pytest

from badc_assets.errors import BadcError
from badc_assets.project import load_project, load_projects

TWO = """
detector = "stub"
output = "/results"

[chunking]
length_s = 30
overlap_s = 1

[datasets.north]
dataset = "/data/north"

[datasets.south-2024]
dataset = "/data/south"
detector = "energy"
output = "/elsewhere"
chunking = { length_s = 60 }
"""


def write(folder: Path, text: str) -> Path:
    (folder / "badc.toml").write_text(text)
    return folder


def test_each_is_a_project_and_what_it_does_not_say_is_as_at_the_top(tmp_path):
    north, south = load_projects({}, write(tmp_path, TWO))
    assert [(p.name, p.identifier, p.dataset) for p in (north, south)] == [
        ("north", "north", Path("/data/north")),
        ("south-2024", "south_2024", Path("/data/south")),
    ]
    assert (north.detector, north.chunking.length_s, north.chunking.overlap_s) == ("stub", 30, 1)
    assert (south.detector, south.chunking.length_s, south.chunking.overlap_s) == ("energy", 60, 1)
    assert (north.output, south.output) == (Path("/results/north"), Path("/elsewhere"))


def test_one_is_chosen_by_its_name(tmp_path):
    folder = write(tmp_path, TWO)
    assert load_project({"BADC_DATASET_NAME": "south-2024"}, folder).name == "south-2024"
    with pytest.raises(BadcError, match=r"several datasets \(north, south-2024\).*--dataset-name"):
        load_project({}, folder)
    with pytest.raises(BadcError, match=r"is no dataset of the project \(there are: north, south-2024\)"):
        load_project({"BADC_DATASET_NAME": "west"}, folder)


def test_a_name_without_several_datasets_is_refused(tmp_path):
    with pytest.raises(BadcError, match=r"no \[datasets.NAME\]"):
        load_project({"BADC_DATASET_NAME": "west"}, tmp_path)


def test_settings_of_the_environment_are_those_of_all(tmp_path):
    projects = load_projects({"BADC_CHUNKING__OVERLAP_S": "2"}, write(tmp_path, TWO))
    assert [project.chunking.overlap_s for project in projects] == [2, 2]


def test_a_connected_dataset_needs_no_path(tmp_path):
    (tmp_path / "data.toml").write_text('[datasets.north]\npath = "/connected/north"\n')
    folder = write(tmp_path, "[datasets.north]\n")
    environment = {"BADC_DATA_CONFIG": str(tmp_path / "data.toml")}
    assert load_project(environment, folder).dataset == Path("/connected/north")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('dataset = "/x"\n[datasets.a]\ndataset = "/a"\n', "`dataset` at the top and tables"),
        ('[datasets."a b"]\ndataset = "/a"\n', "a name is a letter"),
        ('[datasets.a-b]\ndataset = "/a"\n[datasets.a_b]\ndataset = "/b"\n', "too like datasets.a-b"),
        ("[datasets]\n", "must hold tables"),
        ("datasets = 3\n", "must hold tables"),
        ("[datasets.a]\n", "say where it is"),
        ('[datasets.a]\ndataset = "/a"\ndetektor = "stub"\n', "unknown setting 'datasets.a.detektor'.*detector"),
        ('[datasets.a]\ndataset = "/a"\nchunking = { length_s = -1 }\n', "datasets.a.chunking.length_s"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, text, said):
    with pytest.raises(BadcError, match=said) as caught:
        load_projects({"BADC_DATA_CONFIG": str(tmp_path / "none.toml")}, write(tmp_path, text))
    assert "\n" not in str(caught.value)
