"""Manifests of any origin: which recordings they name, and where the sound is on this computer."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badc_assets.chunks.located import manifest_recordings
from badc_assets.chunks.manifest import BADC_COLUMNS
from badc_assets.errors import BadcError

NAMES = st.from_regex(r"[A-Za-z0-9_+-][A-Za-z0-9 _.,'\"+-]{0,20}", fullmatch=True)


def written(path: Path, rows: list[dict], *, newline="\n", quoting: Any = csv.QUOTE_MINIMAL, bom=b"") -> Path:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, BADC_COLUMNS, restval="", lineterminator=newline, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bom + text.getvalue().encode())
    return path


def row(start_s: int = 0, *, source: str = "R_chunk.wav", recording: str = "R", **more) -> dict:
    name = f"{recording}_chunk_{start_s * 1000}_{start_s * 1000 + 1000}"
    times = {"start_ms": start_s * 1000, "end_ms": start_s * 1000 + 1000, "overlap_ms": 0}
    return {"recording_id": recording, "chunk_id": name, "source_path": source, "sha256": "TODO_HASH", **times, **more}


@given(
    st.dictionaries(NAMES, st.sets(st.integers(0, 99), min_size=1, max_size=4), min_size=1, max_size=3),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.randoms(),
)
def test_every_row_is_found_once_in_order_whoever_wrote_it(tmp_path_factory, starts, newline, quoting, bom, random):
    folder = tmp_path_factory.mktemp("m")
    rows = [row(start, recording=name) for name, of in starts.items() for start in of]
    random.shuffle(rows)
    manifest = written(folder / "m.csv", [*rows, rows[0]], newline=newline, quoting=quoting, bom=bom)
    found = {each.recording_id: each for each in manifest_recordings([manifest], folder)}
    assert {name: [chunk.start_ms // 1000 for chunk in each.chunks] for name, each in found.items()} == {
        name: sorted(of) for name, of in starts.items()
    }


@given(st.binary(max_size=200), st.text(max_size=60), st.text(max_size=60))
def test_what_is_no_manifest_is_an_error_in_one_line_and_never_leads_outside(tmp_path_factory, noise, chunk, recording):
    folder = tmp_path_factory.mktemp("m")
    header = ",".join(BADC_COLUMNS).encode() + b"\n"
    for content in (noise, header + noise):
        (folder / "m.csv").write_bytes(content)
        try:
            manifest_recordings([folder / "m.csv"], folder)
        except BadcError as error:
            assert "\n" not in str(error)
    manifest = written(
        folder / "n.csv", [{**row(), "chunk_id": chunk, "recording_id": recording}], quoting=csv.QUOTE_ALL
    )
    try:
        (found,) = manifest_recordings([manifest], folder)
    except BadcError:
        return
    for name in (found.recording_id, found.chunks[0].chunk_id):
        assert (folder / f"{name}.json").parent == folder


def test_the_file_is_the_longest_end_of_the_path_that_is_here(tmp_path):
    dataset = tmp_path / "moved"
    (dataset / ".datalad").mkdir(parents=True)
    here = dataset / "artifacts/chunks/R/a.wav"
    here.parent.mkdir(parents=True)
    here.touch()
    for stated in ("/other/host/ds/artifacts/chunks/R/a.wav", "artifacts/chunks/R/a.wav", "chunks/R/a.wav", str(here)):
        manifest = written(dataset / "manifests/R.csv", [row(source=stated)])
        (found,) = manifest_recordings([manifest], tmp_path)
        if stated == "chunks/R/a.wav":
            assert not next(iter(found.files.values())).exists()
            continue
        assert list(found.files.values()) == [here]
        assert found.root == dataset
        assert found.chunks[0].source_path == "artifacts/chunks/R/a.wav"


def test_a_bare_name_is_looked_for_beside_the_manifest_and_annexed_content_may_be_away(tmp_path):
    link = tmp_path / "copied/a.wav"
    link.parent.mkdir()
    link.symlink_to("../.git/annex/objects/MD5E-s1--ab.wav")
    manifest = written(tmp_path / "copied/R.csv", [row(source="/elsewhere/chunks/a.wav")])
    (found,) = manifest_recordings([manifest], tmp_path)
    assert list(found.files.values()) == [link]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "holds no chunks"),
        ([row(), {**row(), "sha256": "x"}], "two rows of the chunk"),
        ([{**row(), "chunk_id": "../x"}], "cannot be a file name"),
        ([{**row(), "recording_id": ".hidden"}], "cannot be a file name"),
        ([{**row(), "chunk_id": "x" * 300}], "cannot be a file name"),
        ([{**row(), "end_ms": 0}], "ends at 0 ms"),
        ([{**row(), "start_ms": -5}], "begins at -5 ms"),
        ([row(source=" ")], "names no sound file"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(tmp_path, rows, says):
    manifest = written(tmp_path / "m.csv", rows)
    with pytest.raises(BadcError, match=says) as raised:
        manifest_recordings([manifest], tmp_path)
    assert str(raised.value).startswith(str(manifest))


def test_two_manifests_may_share_a_recording(tmp_path):
    manifests = [written(tmp_path / f"{number}.csv", [row(number)]) for number in range(2)]
    (found,) = manifest_recordings(manifests, tmp_path)
    assert [chunk.start_ms for chunk in found.chunks] == [0, 1000]
