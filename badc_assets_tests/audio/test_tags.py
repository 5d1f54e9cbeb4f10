"""Tags of WAV and FLAC files: found wherever they stand, and no bytes make reading fail."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badc_assets.audio.tags import SoundTags, read_tags
from badc_assets_tests.audio.builders import chunk, write_sound

FMT = chunk(b"fmt ", b"\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00")
DATA = chunk(b"data", bytes(3201))
GUANO = b"GUANO|Version: 1.0\nTimestamp: 2023-05-01T07:25:00-07:00\n"


def riff(*chunks: bytes) -> bytes:
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks))


def info(**texts: bytes) -> bytes:
    return chunk(b"LIST", b"INFO" + b"".join(chunk(name.encode(), text) for name, text in texts.items()))


def bext() -> bytes:
    return b"made by hand".ljust(256, b"\0") + b"ARU".ljust(64, b"\0") + b"2023-05-01" + b"07:25:00" + bytes(20)


def tags_of(path: Path, content: bytes) -> SoundTags:
    path.write_bytes(content)
    return read_tags(path)


def with_comments(flac: bytes, *comments: str) -> bytes:
    """A FLAC file with a block of comments behind its first block."""
    body = (0).to_bytes(4, "little") + len(comments).to_bytes(4, "little")
    body += b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in comments)
    end = 8 + int.from_bytes(flac[5:8], "big")
    return flac[:4] + bytes([flac[4] & 0x7F]) + flac[5:end] + b"\x04" + len(body).to_bytes(3, "big") + body + flac[end:]


class TestWav:
    def test_before_and_behind_the_sound(self, tmp_path: Path):
        text = info(ICMT=b"Recorded\0", IART=b"AudioMoth 1")
        before = tags_of(tmp_path / "a.wav", riff(FMT, text, chunk(b"guan", GUANO), chunk(b"bext", bext()), DATA))
        behind = tags_of(tmp_path / "b.wav", riff(FMT, DATA, text, chunk(b"guan", GUANO), chunk(b"bext", bext())))
        assert before == behind
        assert before.info == {"ICMT": "Recorded", "IART": "AudioMoth 1"}
        assert before.guano == GUANO
        assert before.bext["OriginationDate"] == "2023-05-01"
        assert (before.bext["OriginationTime"], before.bext["Originator"]) == ("07:25:00", "ARU")

    def test_text_that_is_not_utf8(self, tmp_path: Path):
        assert tags_of(tmp_path / "a.wav", riff(FMT, info(ICMT=b"\xe9tang"), DATA)).info == {"ICMT": "étang"}

    def test_none(self, tmp_path: Path):
        assert tags_of(tmp_path / "a.wav", riff(FMT, DATA)) == SoundTags()

    def test_a_wide_file(self, tmp_path: Path):
        wide = chunk(b"ds64", bytes(8) + (3201).to_bytes(8, "little") + bytes(12))
        data = b"data\xff\xff\xff\xff" + bytes(3202)
        content = b"RF64\xff\xff\xff\xffWAVE" + wide + FMT + data + info(ICMT=b"far")
        assert tags_of(tmp_path / "a.wav", content).info == {"ICMT": "far"}


class TestFlac:
    def test_comments(self, tmp_path: Path):
        flac = write_sound(tmp_path / "a.flac").read_bytes()
        tags = tags_of(
            tmp_path / "b.flac", with_comments(flac, "SensorUid=0123", "RecordingStart=2021-01-01T00:00:00+10:00")
        )
        assert tags.comments == {"sensoruid": "0123", "recordingstart": "2021-01-01T00:00:00+10:00"}

    def test_none(self, tmp_path: Path):
        assert read_tags(write_sound(tmp_path / "a.flac")).comments == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.one_of(
        st.binary(),
        st.binary().map(lambda body: b"RIFF\0\0\0\0WAVE" + body),
        st.binary().map(lambda body: b"fLaC" + body),
        st.binary().map(lambda body: riff(FMT, chunk(b"LIST", b"INFO" + body), chunk(b"bext", body), DATA)),
        st.binary().map(lambda body: b"fLaC\x04" + len(body).to_bytes(3, "big") + body),
    )
)
def test_any_bytes(tmp_path: Path, content: bytes):
    assert isinstance(tags_of(tmp_path / "any", content), SoundTags)
