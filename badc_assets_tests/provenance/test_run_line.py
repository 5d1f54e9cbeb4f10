"""The line for `datalad run` survives the shell and DataLad's own patterns."""

from __future__ import annotations

import shlex
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from badc_assets.provenance.run_line import datalad_run_line

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


@given(TEXT, st.lists(TEXT, min_size=1, max_size=4))
def test_every_word_arrives_as_it_was_meant(message, command):
    words = shlex.split(datalad_run_line(Path("/data/my set"), message, ["a [1].wav"], ["{x}"], command))
    assert words[:10] == [
        "datalad", "run", "-d", "/data/my set", "-m", message, "--input", "a [[]1].wav", "--output", "{{x}}",
    ]  # fmt: skip
    assert words[10] == "--"
    assert [word.format() for word in words[11:]] == command
