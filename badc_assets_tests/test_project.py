from __future__ import annotations

from pathlib import Path

import pytest

from badc_assets.errors import BadcError
from badc_assets.project import load_project


def project_file(folder: Path, text: str) -> Path:
    path = folder / "badc.toml"
    path.write_text(text)
    return path


def test_without_file_and_environment_the_defaults_hold(tmp_path):
    project = load_project({}, tmp_path)
    assert project.detector == "energy"
    assert project.chunking.length_s == 60


def test_the_environment_wins_over_the_file(tmp_path):
    project_file(tmp_path, 'dataset = "from-file"\n[chunking]\nlength_s = 30\noverlap_s = 5\n')
    project = load_project({"BADC_DATASET": "from-env", "BADC_CHUNKING__LENGTH_S": "10"}, tmp_path)
    assert project.dataset == Path("from-env")
    assert (project.chunking.length_s, project.chunking.overlap_s) == (10, 5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("chunkin = 3", "did you mean 'chunking'"),
        ("[chunking]\nlenght_s = 3", "unknown setting 'chunking.lenght_s' .did you mean 'length_s'"),
        ("[chunking]\nlength_s = -3", "chunking.length_s"),
        ("[chunking]\nlength_s = 3\noverlap_s = 3", "must be shorter"),
        ('detector = "enregy"', "there is no detector 'enregy' .did you mean 'energy'"),
        ("[detectors.energi]\n", "did you mean 'energy'"),
        ("[detectors.energy]\nthreshhold_db = 3", "unknown setting 'detectors.energy.threshhold_db' .did you mean"),
        ("dataset = [", "not valid TOML"),
        ('audio = "../elsewhere"', "must be a folder of the dataset"),
        ('audio = "/somewhere/else"', "must be a folder of the dataset"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(tmp_path, text, says):
    project_file(tmp_path, text)
    with pytest.raises(BadcError, match=says) as caught:
        load_project({}, tmp_path)
    assert "\n" not in str(caught.value)
    assert "badc.toml" in str(caught.value)


def test_an_unknown_variable_is_refused_with_a_suggestion(tmp_path):
    with pytest.raises(BadcError, match=r"BADC_DATASSET.*did you mean 'dataset'"):
        load_project({"BADC_DATASSET": "x"}, tmp_path)


def test_a_project_file_that_was_named_must_exist(tmp_path):
    with pytest.raises(BadcError, match="there is no such project file"):
        load_project({"BADC_PROJECT": str(tmp_path / "none.toml")})


def test_the_audio_folder_is_found_or_is_the_dataset(tmp_path):
    assert load_project({"BADC_DATASET": str(tmp_path)}).layout.audio == tmp_path
    (tmp_path / "audio").mkdir()
    assert load_project({"BADC_DATASET": str(tmp_path)}).layout.audio == tmp_path / "audio"


def test_results_can_go_elsewhere(tmp_path):
    layout = load_project({"BADC_DATASET": str(tmp_path / "in"), "BADC_OUTPUT": str(tmp_path / "out")}).layout
    assert layout.catalog.is_relative_to(tmp_path / "out")
    assert layout.source("a.wav") == tmp_path / "in" / "a.wav"


def test_a_table_that_is_a_plain_value_in_the_file_is_named(tmp_path):
    project_file(tmp_path, "chunking = 5")
    with pytest.raises(BadcError, match="'chunking' is a plain value"):
        load_project({"BADC_CHUNKING__LENGTH_S": "5"}, tmp_path)


def test_an_empty_variable_counts_as_not_set(tmp_path):
    project_file(tmp_path, 'dataset = "from-file"')
    assert load_project({"BADC_DATASET": "", "BADC_OUTPUT": ""}, tmp_path).dataset == Path("from-file")
