"""Dagster's web page on our code location, as a person with a browser sees it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance

pytestmark = pytest.mark.system

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDING = "site_a__20240501_050000"
# Page name -> address and the texts that must be on it.
PAGES = {
    "lineage": ("/asset-groups", ["recordings", "detections", "reports"]),
    "detections": ("/assets/detections", ["detections", "chunk_status"]),
    "partitions": ("/assets/recordings?view=partitions", ["recordings", RECORDING]),
}
START_LIMIT_S = 120
PAGE_LIMIT_MS = 60_000
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def wait_until_ready(server: subprocess.Popen, base_url: str, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not answers(f"{base_url}/server_info"):
        assert server.poll() is None, f"the webserver stopped:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"no answer in {START_LIMIT_S} s:\n{log.read_text()}"
        time.sleep(0.5)


def stop(server: subprocess.Popen) -> None:
    """End the webserver by SIGINT, on which it also ends its code servers; what is left of its group is killed."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(scope="module")
def base_url(tmp_path_factory) -> Iterator[str]:
    """Address of a webserver on a fresh instance with one registered recording."""
    home = tmp_path_factory.mktemp("dagster_home")
    dataset = tmp_path_factory.mktemp("dataset")
    # `nux` is the welcome dialog, which would cover the first page.
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\nnux: {enabled: false}\n")
    with DagsterInstance.from_config(str(home)) as instance:
        instance.add_dynamic_partitions("recordings", [RECORDING])

    port = free_port()
    log = home / "webserver.log"
    command = [Path(sys.executable).with_name("dagster-webserver"), "-h", "127.0.0.1", "-p", str(port)]
    with log.open("w") as output:
        server = subprocess.Popen(
            [*command, "-w", REPOSITORY / "workspace.yaml"],
            cwd=REPOSITORY,
            env={**os.environ, "DAGSTER_HOME": str(home), "BADC_DATASET": str(dataset)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_ready(server, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGS)
        yield chromium
        chromium.close()


@pytest.fixture
def screenshots(tmp_path) -> Path:
    """Where pictures of the pages go; BADC_SCREENSHOTS names a folder to keep them in."""
    folder = Path(os.environ.get("BADC_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("name", PAGES)
def test_the_page_shows_our_assets(browser, base_url, screenshots, name):
    path, expected = PAGES[name]
    errors = []
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        # The page polls for ever, so "networkidle" never comes: wait for the texts instead.
        page.goto(base_url + path, wait_until="domcontentloaded", timeout=PAGE_LIMIT_MS)
        for text in expected:
            page.get_by_text(text, exact=True).locator("visible=true").first.wait_for(timeout=PAGE_LIMIT_MS)
    finally:
        page.screenshot(path=screenshots / f"{name}.png")
        page.close()
    assert errors == []
