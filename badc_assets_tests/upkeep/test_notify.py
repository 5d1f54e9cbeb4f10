"""People are told of a failed run, and when telling fails that is told too."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from badc_assets.errors import BadcError
from badc_assets.upkeep.notify import FailedRun, FailedStep, tell

FAILURE = FailedRun(
    "1234", "process_recordings", "2026-05-01T03:00:00+00:00", "recordings a to z",
    (FailedStep("detections", "1 of 2 recordings\nwere left out", "look at it"),),
)  # fmt: skip


@pytest.fixture
def receiver():
    """A web server that keeps what is posted to it."""
    received: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, *_) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()


def test_the_log_says_what_failed_why_and_what_to_do(tmp_path):
    log = tmp_path / "deep" / "failures.log"
    assert tell(FAILURE, log) == []
    tell(FAILURE, log)
    text = log.read_text()
    assert text.count("process_recordings failed (run 1234, recordings a to z)") == 2
    assert "    detections: 1 of 2 recordings\\nwere left out\n        what to do: look at it\n" in text


def test_a_web_address_and_a_command_get_it(tmp_path, receiver):
    address, received = receiver
    got = tmp_path / "got"
    assert tell(FAILURE, tmp_path / "log", address, f"tee '{got}'") == []
    assert received[0]["run_id"] == "1234"
    assert received[0]["text"] == got.read_text() == FAILURE.as_text()


@pytest.mark.parametrize("command", ["false", "no-such-program", "'"])
def test_what_cannot_be_told_is_in_the_log(tmp_path, receiver, command):
    address, _ = receiver
    log = tmp_path / "log"
    problems = tell(FAILURE, log, f"{address}/broken", command)
    assert len(problems) == 2
    assert "500" in log.read_text()
    assert "the command did not take it" in log.read_text()


def test_a_log_that_cannot_be_written_is_an_error_in_words(tmp_path):
    (tmp_path / "log").mkdir()
    with pytest.raises(BadcError, match="cannot be written"):
        tell(FAILURE, tmp_path / "log")
