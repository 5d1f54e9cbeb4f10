"""The command detector: which program it runs with which words, and what it makes of what the program leaves."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from badc_assets.detectors.command import detector as command
from badc_assets.detectors.command.detector import CommandDetector, CommandSettings
from badc_assets.detectors.command.run import ProgramFailed
from badc_assets.detectors.protocol import Device, FileDetector
from badc_assets.errors import BadcError
from badc_assets_tests.detectors.command.programs import clip, program

ECHO = """
write(json.dumps([{"timestamp_ms": 0, "end_ms": 1, "label": json.dumps(sys.argv[1:])[:200], "confidence": 1}]))
with open(os.path.join(os.path.dirname(__file__), "words.json"), "w") as handle:
    json.dump({"words": sys.argv[1:], "environment": dict(os.environ), "stdin": sys.stdin.read()}, handle)
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def detector(*words: str, **values) -> CommandDetector:
    return CommandDetector(CommandSettings(command=words, **values))


def labels(events) -> list[str]:
    return [event.label.code for event in events]


def told(folder: Path) -> dict:
    """What the program ECHO in `folder` was given."""
    return json.loads((folder / "words.json").read_text())


class TestSettings:
    def test_the_default_is_valid_and_has_no_program(self) -> None:
        with pytest.raises(BadcError, match=r"detectors\.command: has no `command`"):
            CommandDetector(CommandSettings())  # pyright: ignore[reportCallIssue]

    def test_one_text_is_split_like_in_a_shell(self) -> None:
        settings = CommandSettings.model_validate({"command": "/bin/cat 'a b' --x=\"c d\" $HOME;ls"})
        assert settings.command == ("/bin/cat", "a b", "--x=c d", "$HOME;ls")
        listed = CommandSettings.model_validate({"command": list(settings.command)})
        assert CommandDetector(listed).info == CommandDetector(settings).info

    @pytest.mark.parametrize(
        "values",
        [
            {"command": "cat 'a"},
            {"command": ["", "x"]},
            {"command": ["cat", "a\0b"]},
            {"command": "cat --output {output}"},
            {"environment": {"A=B": "c"}},
            {"environment": {"A": "c\0"}},
            {"timeout_s": 0},
            {"timeout_s": "nan"},
            {"unit": "minute"},
            {"format": "xml"},
            {"version": "1 2"},
            {"programme": "x"},
        ],
    )
    def test_senseless_ones_are_refused(self, values) -> None:
        with pytest.raises(ValidationError):
            CommandSettings.model_validate(values)

    def test_numbers_are_taken_for_texts(self) -> None:
        settings = CommandSettings.model_validate({"version": 1.2, "environment": {"LEVEL": 3}})
        assert (settings.version, settings.environment) == ("1.2", {"LEVEL": "3"})


class TestDescription:
    def test_of_a_chunk_detector(self, tmp_path) -> None:
        made = detector(*program(tmp_path, "write('[]')"), version="2.1", uses_gpu=True)
        assert isinstance(made, FileDetector)
        assert (made.info.kind, made.info.unit, made.info.version, made.info.labels) == ("file", "chunk", "2.1", ())
        assert made.info.uses_gpu
        assert detector("cat", unit="recording").info.unit == "recording"

    def test_follows_the_script_and_not_the_interpreter(self, tmp_path) -> None:
        words = program(tmp_path, "write('[]')")
        other_interpreter = tmp_path / "python3.99"
        shutil.copy("/bin/cat", other_interpreter)
        sha256 = detector(*words).info.weights_sha256
        assert sha256 == detector(str(other_interpreter), *words[1:]).info.weights_sha256
        assert detector(*words).info.version == (sha256 or "")[:8]
        program(tmp_path, "write('[ ]')")
        assert detector(*words).info.weights_sha256 != sha256

    def test_follows_the_program_and_each_file_it_is_given(self, tmp_path) -> None:
        shutil.copy("/bin/cat", tmp_path / "detect")
        models = [tmp_path / folder / "model.bin" for folder in ("a", "b")]
        for model in models:
            model.parent.mkdir()
            model.write_bytes(b"weights")
        words = (str(tmp_path / "detect"), str(models[0]), f"--second={models[1]}", "{input}")
        seen = {detector(*words).info.weights_sha256}
        for file in (*models, tmp_path / "detect"):
            with file.open("ab") as handle:
                handle.write(b"more")
            seen.add(detector(*words).info.weights_sha256)
        assert len(seen) == 4

    def test_time_limit_and_gpu_make_no_old_result_outdated(self) -> None:
        base = detector("cat").info.settings_hash
        assert detector("cat", timeout_s=5, uses_gpu=True).info.settings_hash == base
        assert detector("cat", environment={"A": "1"}).info.settings_hash != base

    @pytest.mark.parametrize("name", ["no-such-program", "/no/such/program"])
    def test_a_program_that_is_not_there(self, name) -> None:
        with pytest.raises(BadcError, match=f"{name}: there is no such program"):
            detector(name)

    def test_a_program_that_is_not_executable(self, tmp_path) -> None:
        (tmp_path / "detect").write_text("#!/bin/cat\n")
        with pytest.raises(BadcError, match="detect: is not executable"):
            detector(str(tmp_path / "detect"))

    def test_a_program_on_the_path_that_is_set_for_it(self, tmp_path) -> None:
        shutil.copy("/bin/cat", tmp_path / "only-here")
        assert detector("only-here", environment={"PATH": str(tmp_path)}).load(Device())["program"] == str(
            tmp_path / "only-here"
        )

    def test_a_program_that_was_replaced_or_removed_is_noticed_before_the_first_sound(self, tmp_path) -> None:
        words = program(tmp_path, "write('[]')")
        sent = pickle.dumps(detector(*words))
        assert pickle.loads(sent).load(Device())["device"] == "cpu"
        program(tmp_path, "write('[  ]')")
        with pytest.raises(BadcError, match="was replaced since the run began"):
            pickle.loads(sent).load(Device())
        shutil.copy("/bin/cat", tmp_path / "gone")
        gone = detector(str(tmp_path / "gone"))
        (tmp_path / "gone").unlink()
        with pytest.raises(BadcError, match="gone: there is no such program"):
            gone.load(Device())


class TestWords:
    def test_without_placeholders_badcs_convention_is_added(self, tmp_path) -> None:
        given = clip(tmp_path)
        (event,) = detector(*program(tmp_path, ECHO), "--flag", "x").detect(given)
        assert (event.start_ms, event.end_ms) == (0, 1)
        *words, output = told(tmp_path)["words"]
        assert words == ["--flag", "x", "--input", str(given.path), "--output"]
        assert Path(output).name == "R_chunk_0_2000.json"
        assert not Path(output).parent.exists()

    def test_placeholders(self, tmp_path) -> None:
        given = replace(clip(tmp_path), recording_id="{output}")
        places = "--id={recording_id}/{chunk_id} {start_ms}+{duration_ms} {input} {other}{} --output {output}"
        detector(*program(tmp_path, ECHO), "x", *places.split()).detect(given)
        words = told(tmp_path)["words"]
        expected = ["x", "--id={output}/R_chunk_0_2000", "4000+2000", str(given.path), "{other}{}", "--output"]
        assert words[:-1] == expected

    def test_nothing_is_left_to_a_shell(self, tmp_path) -> None:
        given = clip(tmp_path / "a $(touch x) 'b'; c\n")
        detector(*program(tmp_path, ECHO), "$HOME", "*", "--output", "{output}", "{input}").detect(given)
        words = told(tmp_path)["words"]
        assert (words[0], words[1], words[4]) == ("$HOME", "*", str(given.path))

    def test_environment_and_input(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setenv("FROM_OUTSIDE", "yes")
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        words = program(tmp_path, ECHO)
        made = detector(*words, environment={"LD_LIBRARY_PATH": "/nowhere", "LEVEL": "a=b\nc"})
        made.load(Device(threads=3))
        made.detect(clip(tmp_path))
        seen = told(tmp_path)
        assert seen["stdin"] == ""
        environment = seen["environment"]
        assert (environment["FROM_OUTSIDE"], environment["LEVEL"]) == ("yes", "a=b\nc")
        assert (environment["LD_LIBRARY_PATH"], environment["OMP_NUM_THREADS"]) == ("/nowhere", "3")
        assert not [name for name in environment if "GUARD" in name]

    @pytest.mark.parametrize(("kind", "seen"), [("cpu", ""), ("cuda", "2")])
    def test_a_program_on_the_cpu_sees_no_gpu(self, tmp_path, monkeypatch, kind, seen) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
        made = detector(*program(tmp_path, ECHO))
        made.load(Device(kind=kind))
        made.detect(clip(tmp_path))
        assert told(tmp_path)["environment"]["CUDA_VISIBLE_DEVICES"] == seen


class TestResults:
    def test_detections_are_not_lost(self, tmp_path) -> None:
        """The predecessor overwrote what a program had found with an empty list."""
        given = clip(tmp_path)
        assert labels(detector(*program(tmp_path, "write(found('RUGR', 'STGR'))")).detect(given)) == ["RUGR", "STGR"]
        kept = json.loads((given.keep_in / "R_chunk_0_2000.json").read_text())
        assert len(kept["detections"]) == 2

    @pytest.mark.parametrize("text", ["[]", '{"detections": []}', "start,end,label,score\\n"])
    def test_an_empty_result_is_no_detections(self, tmp_path, text) -> None:
        assert list(detector(*program(tmp_path, f"write('{text}')")).detect(clip(tmp_path))) == []

    def test_csv(self, tmp_path) -> None:
        words = program(tmp_path, "write('start,end,label,score\\r\\n0.5,1,\"Grouse, Ruffed\",0.5\\r\\n')")
        given = clip(tmp_path, chunk_id="")
        assert labels(detector(*words, format="csv", unit="recording").detect(given)) == ["Grouse, Ruffed"]
        assert [file.name for file in given.keep_in.iterdir()] == ["R.csv"]

    def test_a_result_on_standard_output(self, tmp_path) -> None:
        given = clip(tmp_path)
        assert labels(detector(*program(tmp_path, "print(found('RUGR'))")).detect(given)) == ["RUGR"]
        assert json.loads((given.keep_in / "R_chunk_0_2000.json").read_text())["detections"]

    def test_a_file_goes_before_standard_output(self, tmp_path) -> None:
        words = program(tmp_path, "print(found('NOT')); write(found('RUGR'))")
        assert labels(detector(*words).detect(clip(tmp_path))) == ["RUGR"]

    def test_what_is_kept_is_never_overwritten(self, tmp_path) -> None:
        """As root the predecessor wrote through the links of git-annex into its objects."""
        given = clip(tmp_path)
        given.keep_in.mkdir()
        annexed = tmp_path / "object"
        annexed.write_text("annexed")
        (given.keep_in / "R_chunk_0_2000.json").symlink_to(annexed)
        (given.keep_in / "R_chunk_0_2000.2.json").symlink_to(tmp_path / "dropped")
        made = detector(*program(tmp_path, "write(found('RUGR'))"))
        for _ in range(2):
            made.detect(given)
        assert annexed.read_text() == "annexed"
        assert not (tmp_path / "dropped").exists()
        assert sorted(file.name for file in given.keep_in.iterdir()) == [
            f"R_chunk_0_2000{number}.json" for number in (".2", ".3", ".4", "")
        ]
        assert "RUGR" in (given.keep_in / "R_chunk_0_2000.4.json").read_text()


class TestTrouble:
    @pytest.mark.parametrize(
        ("body", "complaint"),
        [
            ("pass", "ended well, but wrote no output file"),
            ("print('no output', file=sys.stderr)", "ended well, but wrote no output file; it said: no output"),
            ("print('100 % done')", r"what it printed is no result \(line 1: a header with .*; it said: 100 % done"),
            ("print('[]' + ' ' * (9 << 20))", r"what it printed is no result \(it is too long\)"),
            ("write('')", "is empty"),
            ("write('[{}]')", r"detections\[0\]: timestamp_ms is missing"),
            ("os.mkdir(output)", "made something else than a file"),
        ],
    )
    def test_no_valid_result_is_never_no_detections(self, tmp_path, body, complaint) -> None:
        with pytest.raises(BadcError, match=complaint) as caught:
            detector(*program(tmp_path, body)).detect(clip(tmp_path))
        assert "\n" not in str(caught.value)

    def test_an_invalid_result_is_kept_and_named(self, tmp_path) -> None:
        given = clip(tmp_path)
        with pytest.raises(BadcError) as caught:
            detector(*program(tmp_path, "write('[{}]')")).detect(given)
        assert caught.value.subject == str(given.keep_in / "R_chunk_0_2000.json")
        assert Path(caught.value.subject).read_text() == "[{}]"

    def test_a_result_that_is_too_large_is_not_kept(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(command, "MAX_BYTES", 10)
        given = clip(tmp_path)
        with pytest.raises(BadcError, match="is larger than"):
            detector(*program(tmp_path, "write(found('RUGR'))")).detect(given)
        assert not given.keep_in.exists()

    @pytest.mark.parametrize(
        ("body", "complaint"),
        [
            ("sys.exit('line one\\nno licence')", r"ended with status 1; it said: line one \| no licence"),
            ("print('only here'); sys.exit(7)", "ended with status 7; it said: only here"),
            ("os.kill(os.getpid(), 9)", r"was killed by signal 9 \(out of memory\?\)"),
            ("sys.exit('x' * 3000 + 'END')", "it said: x{497}END$"),
        ],
    )
    def test_a_bad_end_may_be_tried_again(self, tmp_path, body, complaint) -> None:
        given = clip(tmp_path)
        with pytest.raises(ProgramFailed, match=complaint) as caught:
            detector(*program(tmp_path, "write(found('HALF'))\n" + body)).detect(given)
        assert not isinstance(caught.value, BadcError)
        assert "\n" not in str(caught.value)
        assert not given.keep_in.exists()

    def test_a_time_limit(self, tmp_path) -> None:
        words = program(tmp_path, "print('busy', flush=True); time.sleep(60)")
        with pytest.raises(ProgramFailed, match=r"ran longer than timeout_s = 0\.5 s; it said: busy"):
            detector(*words, timeout_s=0.5).detect(clip(tmp_path))

    def test_a_missing_sound_file(self, tmp_path) -> None:
        given = clip(tmp_path)
        given.path.unlink()
        with pytest.raises(BadcError, match="there is no such sound file"):
            detector(*program(tmp_path, "write('[]')")).detect(given)

    def test_a_script_without_its_first_line(self, tmp_path) -> None:
        script = tmp_path / "detect"
        script.write_text("echo []\n")
        script.chmod(0o755)
        with pytest.raises(BadcError, match=r"cannot be started \(Exec format error\)"):
            detector(str(script)).detect(clip(tmp_path))

    def test_a_script_whose_interpreter_is_missing(self, tmp_path) -> None:
        script = tmp_path / "detect"
        script.write_text("#!/no/such/interpreter\n")
        script.chmod(0o755)
        with pytest.raises(BadcError, match=r"cannot be started \(No such file or directory\)"):
            detector(str(script)).detect(clip(tmp_path))

    def test_a_place_for_results_that_cannot_be_written(self, tmp_path) -> None:
        given = replace(clip(tmp_path), keep_in=tmp_path / "file" / "kept")
        (tmp_path / "file").write_text("")
        with pytest.raises(BadcError, match="cannot be written"):
            detector(*program(tmp_path, "write('[]')")).detect(given)


def test_the_python_of_the_tests_is_given_by_its_own_name(tmp_path) -> None:
    """A virtual environment is found by the name of its link: the link must not be followed."""
    words = program(tmp_path, "write(json.dumps([])); print(sys.prefix, file=sys.stderr); sys.exit(1)")
    link = Path(sys.executable)
    with pytest.raises(ProgramFailed, match=str(Path(sys.prefix))):
        detector(str(link), "-I", *words[2:]).detect(clip(tmp_path))
