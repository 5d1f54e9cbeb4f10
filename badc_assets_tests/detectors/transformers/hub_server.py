"""A server on this machine that answers like the Hugging Face Hub, for the few things asked of it here."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMITS = {"main": "a" * 40, "v2": "b" * 40}


@dataclass
class Hub:
    """The repository owner/model: `files`, and per commit what is `changed`. `refused`, (status, code), is answered instead."""

    files: dict[str, bytes]
    changed: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refused: tuple[int, str] | None = None
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def content(self, commit: str) -> dict[str, bytes]:
        return {**self.files, **self.changed.get(commit, {})}


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append(path)
            parts = path.strip("/").split("/")
            if hub.refused is not None:
                self._send(hub.refused[0], b"{}", {"X-Error-Code": hub.refused[1], "X-Error-Message": hub.refused[1]})
            elif parts[:3] == ["api", "models", "owner"] and parts[3] == "model":
                self._describe(parts[4:])
            elif parts[:3] == ["owner", "model", "resolve"]:
                self._file(parts[3], "/".join(parts[4:]))
            else:
                self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

        def _describe(self, parts: list[str]) -> None:
            revision = parts[1] if len(parts) > 1 else "main"
            commit = COMMITS.get(revision, revision)
            if commit not in COMMITS.values():
                self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            elif parts[:1] == ["tree"]:
                entries = [
                    {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for path, data in hub.content(commit).items()
                ]
                self._send(200, json.dumps(entries).encode())
            else:
                siblings = [{"rfilename": path} for path in hub.content(commit)]
                self._send(200, json.dumps({"id": "owner/model", "sha": commit, "siblings": siblings}).encode())

        def _file(self, revision: str, path: str) -> None:
            commit = COMMITS.get(revision, revision)
            data = hub.content(commit).get(path)
            if data is None:
                self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
            else:
                self._send(200, data, {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": commit})

        def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
