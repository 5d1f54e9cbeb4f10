"""Cluster profiles: what is shipped can be read, and what is wrong is named in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.errors import BadcError
from badc_assets.slurm.options import (
    SbatchOptions,
    memory_mib,
    memory_text,
    minutes,
    options_in_tag,
    time_text,
)
from badc_assets.slurm.profiles import read_profile

CLUSTERS = Path(__file__).parents[2] / "clusters"


@pytest.mark.parametrize("name", ["generic", "sockeye"])
def test_shipped_profiles_can_be_read(name: str):
    profile = read_profile(CLUSTERS / f"{name}.toml")
    on_gpu = profile.options(uses_gpu=True)
    assert on_gpu.memory is not None
    assert on_gpu.minutes is not None
    assert on_gpu != profile.options(uses_gpu=False)


WRONG = {
    'gpu = 3': "gpu: ",
    '[gpu]\nparitition = "x"': "gpu.paritition: no option of sbatch that can be set here (did you mean 'partition'?)",
    '[gpu]\narray = "0-9"': "gpu.array: no option of sbatch",
    '[gpu]\nmem = "lots"': "'lots' is no amount of memory",
    '[cpu]\ntime = "soon"': "'soon' is no time limit",
    '[cpu]\npartition = "a b"': "holds a blank",
    '[cpu]\nnice = true': "cpu.nice: ",
    '[retry]\nattempts = 0': "retry.attempts: ",
    '[retry]\nmax_memory = "x"': "retry.max_memory: 'x' is no amount of memory",
    '[node.variables]\n"A B" = "1"': "node.variables: 'A B' is no name",
    'acount = "x"': "unknown setting 'acount'",
    '[gpu': "not valid TOML",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_profile_is_one_clear_line(tmp_path, text: str):
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(BadcError) as raised:
        read_profile(tmp_path / "p.toml")
    assert WRONG[text] in str(raised.value)
    assert str(tmp_path / "p.toml") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_profile_is_one_clear_line(tmp_path):
    with pytest.raises(BadcError, match="cannot be read"):
        read_profile(tmp_path / "none.toml")


def test_the_account_of_a_table_wins(tmp_path):
    (tmp_path / "p.toml").write_text('account = "a"\n[gpu]\naccount = "a-gpu"\n')
    profile = read_profile(tmp_path / "p.toml")
    assert profile.options(uses_gpu=True).values == {"account": "a-gpu"}
    assert profile.options(uses_gpu=False).values == {"account": "a"}


def test_tags_go_over_the_profile_and_can_take_an_option_back():
    options = SbatchOptions({"mem": "4G", "partition": "gpu", "time": "60"})
    changed = options.merged(options_in_tag('{"mem_per_cpu": "2G", "partition": ""}', "badc/slurm"))
    assert changed.values == {"mem-per-cpu": "2G", "time": "60"}
    assert changed.directives() == ["#SBATCH --mem-per-cpu=2G", "#SBATCH --time=60"]


@pytest.mark.parametrize("text", ["[]", "{", '{"output": "x"}', '{"mem": "x"}', '{"mem": 1.5}'])
def test_a_wrong_tag_is_one_clear_line(text: str):
    with pytest.raises(BadcError, match="tag badc/slurm: "):
        options_in_tag(text, "badc/slurm")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("90:30", 91), ("1:30:00", 90), ("2-12", 3600), ("2-12:30", 3630), ("1-00:00:01", 1441)],
)
def test_time_limits_mean_what_they_mean_to_slurm(text: str, expected: int):
    assert minutes(text) == expected


@given(st.integers(1, 10**6))
def test_amounts_survive_being_written(amount: int):
    assert minutes(time_text(amount)) == amount
    assert memory_mib(memory_text(amount)) == amount


def test_memory():
    assert [memory_mib(text) for text in ("500", "16G", "1T", "2048K", "1gb", "0")] == [500, 16384, 1 << 20, 2, 1024, 0]
