"""Ids are valid, stable and never shared; content keys notice changes."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.recordings.identity import comparable_part, content_key, recording_id, same_content, with_suffix_id

NASTY = st.text(st.sampled_from(list("ab_-.x$ ,é\n'\udcff0")), min_size=1, max_size=8)
COMPONENT = st.one_of(NASTY, st.text(min_size=1, max_size=60)).map(
    lambda text: text.replace("/", "_").replace("\0", "_")
)
STEM_PATH = st.lists(COMPONENT, min_size=1, max_size=4).filter(lambda parts: not {".", ".."} & set(parts))


def path_of(parts: list[str], extension: str = ".wav") -> PurePosixPath:
    return PurePosixPath(*parts[:-1], parts[-1] + extension)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("S4A03895_20190522_000000.wav", "S4A03895_20190522_000000"),
        ("2023/GNWT-114/GNWT-114_20230509_094500.WAV", "2023__GNWT-114__GNWT-114_20230509_094500"),
        ("a.b+c.flac", "a.b+c"),
    ],
)
def test_plain_names_stay_plain(path: str, expected: str):
    assert recording_id(PurePosixPath(path)) == expected


@pytest.mark.parametrize(
    "path",
    ["a b.wav", "a,b.wav", "a$.wav", "it's.wav", 'a"b.wav', "a\nb.wav", "é.wav", "\udcff.wav", "-a.wav", ".a.wav",
     "a..b.wav", "a...b.wav", "a__b.wav", f"{'a' * 151}.wav", "a_/b.wav", "a-x01234567.wav"],
)  # fmt: skip
def test_altered_names_carry_a_hash(path: str):
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]*-x[0-9a-f]{8}", recording_id(PurePosixPath(path)))


def test_name_that_imitates_a_suffix_gets_its_own():
    assert recording_id(PurePosixPath("a-x01234567.wav")).startswith("a-x01234567-x")


def test_ids_stay_what_they_are():
    """Ids are names of files and partitions: a change of the rule would orphan every result."""
    assert recording_id(PurePosixPath("site 1/a.wav")) == "site_1__a-x50394fa6"
    assert with_suffix_id(PurePosixPath("site/a.wav")) == "site__a-x09dc0a0a"


@given(STEM_PATH)
def test_ids_are_valid(parts: list[str]):
    for identifier in (recording_id(path_of(parts)), with_suffix_id(path_of(parts))):
        assert re.fullmatch(r"[A-Za-z0-9._+-]{1,150}", identifier)
        assert ".." not in identifier
        assert identifier[0] not in "-."
    assert recording_id(path_of(parts)) == recording_id(path_of(parts, ".FLAC"))
    assert with_suffix_id(path_of(parts)) != with_suffix_id(path_of(parts, ".FLAC"))


@given(st.lists(STEM_PATH, unique_by=tuple, max_size=40))
def test_different_names_have_different_ids(paths: list[list[str]]):
    plain = {recording_id(path_of(parts)) for parts in paths}
    suffixed = {with_suffix_id(path_of(parts)) for parts in paths}
    assert len(plain) == len(suffixed) == len(paths)
    assert not plain & suffixed


class TestContentKey:
    def key(self, path: Path) -> str:
        return content_key(path, path.stat())

    @pytest.fixture
    def sound(self, tmp_path: Path) -> Path:
        path = tmp_path / "a.wav"
        path.write_bytes(os.urandom(1_000_000))
        os.utime(path, ns=(1, 1_700_000_000_123_456_789))
        return path

    def test_form(self, sound: Path):
        assert re.fullmatch(r"STAT-s1000000-t1700000000123456789-[0-9a-f]{16}", self.key(sound))

    @pytest.mark.parametrize("position", [0, 500_000, 999_999])
    def test_notices_head_middle_tail(self, sound: Path, position: int):
        before = self.key(sound)
        with sound.open("r+b") as handle:
            handle.seek(position)
            byte = handle.read(1)[0]
            handle.seek(position)
            handle.write(bytes([byte ^ 1]))
        os.utime(sound, ns=(1, 1_700_000_000_123_456_789))
        assert self.key(sound) != before

    def test_time_counts_but_can_be_left_out(self, sound: Path):
        before = self.key(sound)
        os.utime(sound, ns=(1, 2))
        assert self.key(sound) != before
        assert comparable_part(self.key(sound)) == comparable_part(before)

    def test_annexed(self, tmp_path: Path):
        (tmp_path / "a.wav").symlink_to(".git/annex/objects/aa/bb/MD5E-s5--00.wav/MD5E-s5--00.wav")
        assert content_key(tmp_path / "a.wav", tmp_path.stat()) == "MD5E-s5--00.wav"

    def test_nothing_to_compare_in_empty_files(self, tmp_path: Path):
        (tmp_path / "a.wav").touch()
        assert comparable_part(self.key(tmp_path / "a.wav")) is None

    def test_same_content_reads_everything(self, sound: Path):
        other = sound.with_name("b.wav")
        other.write_bytes(sound.read_bytes())
        assert same_content(sound, other)
        changed = bytearray(sound.read_bytes())
        changed[200_000] ^= 1
        other.write_bytes(changed)
        assert comparable_part(self.key(sound)) == comparable_part(self.key(other))
        assert not same_content(sound, other)
