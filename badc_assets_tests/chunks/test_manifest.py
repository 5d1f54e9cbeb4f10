from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.chunks.manifest import BADC_COLUMNS, Chunk, manifest_digest, read_manifest, write_manifest
from badc_assets.errors import BadcError

HOSTILE = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)


def chunk(**changes) -> Chunk:
    values = {
        "recording_id": "R",
        "chunk_id": "R_chunk_0_60000",
        "source_path": "audio/R.wav",
        "start_ms": 0,
        "end_ms": 60_000,
    }
    return Chunk(**{**values, "overlap_ms": 0, "sha256": "ab", **changes})


@given(st.lists(st.tuples(HOSTILE, HOSTILE, st.integers(0, 2**62)), max_size=5))
def test_what_was_written_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("m") / "R.csv"
    chunks = tuple(chunk(source_path=source, notes=notes, end_ms=end, stop_frame=end) for source, notes, end in rows)
    write_manifest(path, chunks)
    assert read_manifest(path) == chunks


def test_badc_reads_its_columns_first_and_lines_end_with_lf(tmp_path):
    write_manifest(tmp_path / "m.csv", [chunk()])
    header, row, end = (tmp_path / "m.csv").read_bytes().split(b"\n")
    assert header.decode().split(",")[:8] == list(BADC_COLUMNS)
    assert row.startswith(b"R,R_chunk_0_60000,audio/R.wav,0,60000,0,ab,,")
    assert end == b""


def test_a_manifest_of_badc_with_crlf_and_quotes_is_read(tmp_path):
    path = tmp_path / "m.csv"
    path.write_bytes(
        b"recording_id,chunk_id,source_path,start_ms,end_ms,overlap_ms,sha256,notes\r\n"
        b'R,MD5E-s1--ab_chunk_0_60000,/ds/x.wav,0,60000.0,0,TODO_HASH,"a, b"\r\n'
    )
    (found,) = read_manifest(path)
    assert (found.chunk_id, found.end_ms, found.notes) == ("MD5E-s1--ab_chunk_0_60000", 60_000, "a, b")
    assert found.start_frame is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no column"),
        (b"a,b\n1,2\n", "no column"),
        (b"\xff\xfe\x00random", "no column"),
        (",".join(BADC_COLUMNS).encode() + b"\nR,c,p,zero,1,0,x,\n", "line 2"),
        (",".join(BADC_COLUMNS).encode() + b"\nR,,p,0,1,0,x,\n", "line 2"),
        (",".join(BADC_COLUMNS).encode() + b"\nR,c\n", "line 2"),
    ],
)
def test_a_file_that_is_no_manifest_is_one_clear_line(tmp_path, content, says):
    path = tmp_path / "m.csv"
    path.write_bytes(content)
    with pytest.raises(BadcError, match=says) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_manifest_says_what_to_do(tmp_path):
    with pytest.raises(BadcError, match="materialize chunk_manifest"):
        read_manifest(tmp_path / "none.csv")


def test_the_digest_changes_with_every_column():
    assert manifest_digest([chunk()]) == manifest_digest([chunk()])
    others = [chunk(sha256="cd"), chunk(end_ms=1), chunk(stop_frame=1), chunk(source_path="x")]
    assert len({manifest_digest([other]) for other in [chunk(), *others]}) == 5
