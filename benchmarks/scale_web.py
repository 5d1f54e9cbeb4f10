"""How long the web page takes on a large dataset: `python -m benchmarks.scale_web RECORDING`, in the folder of the instance.

Asks the web server what the page asks, and opens the page of partitions in Chromium where there is one. RECORDING is a key that
must appear on the page.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

PORT = 3077
ADDRESS = f"http://127.0.0.1:{PORT}"
ASKED = """{ assetNodeOrError(assetKey: {path: ["detections"]}) { ... on AssetNode {
  partitionStats { numMaterialized numPartitions numFailed }
  assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } } } } }"""


def main(recording: str) -> None:
    command = [Path(sys.executable).with_name("dagster-webserver"), "-h", "127.0.0.1", "-p", str(PORT)]
    started = time.monotonic()
    with Path("webserver.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "-m", "badc_assets.definitions"], stdout=log, stderr=log, start_new_session=True
        )
    try:
        said: dict[str, object] = {"server answers after s": round(_answering(started), 1)}
        asked_s = [_asked() for _ in range(5)]
        said["status of all partitions s"] = [round(seconds, 2) for seconds in asked_s]
        said["median s"] = round(statistics.median(asked_s), 2)
        if shutil.which("chromium"):
            said["page of partitions in the browser s"] = [round(_shown(recording), 1) for _ in range(3)]
        said["memory of the server mb"] = _memory_mb(server.pid)
        print(json.dumps(said))
    finally:
        # It waits for browsers to let go, and there is nothing to lose.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _answering(started: float) -> float:
    while time.monotonic() - started < 120:
        try:
            with urllib.request.urlopen(f"{ADDRESS}/server_info", timeout=5):
                return time.monotonic() - started
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the web server does not answer")


def _asked() -> float:
    request = urllib.request.Request(
        f"{ADDRESS}/graphql", json.dumps({"query": ASKED}).encode(), {"Content-Type": "application/json"}
    )
    started = time.monotonic()
    with urllib.request.urlopen(request, timeout=300) as reply:
        answer = json.load(reply)
    assert answer["data"]["assetNodeOrError"]["partitionStats"]["numMaterialized"] > 0, answer
    return time.monotonic() - started


def _shown(recording: str) -> float:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        started = time.monotonic()
        page.goto(f"{ADDRESS}/assets/detections?view=partitions", wait_until="domcontentloaded", timeout=300_000)
        page.get_by_text(recording, exact=True).locator("visible=true").first.wait_for(timeout=300_000)
        seconds = time.monotonic() - started
        page.screenshot(path="partitions.png")
        browser.close()
    return seconds


def _memory_mb(pid: int) -> int:
    """Of the server and of what it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_resident_mb(process) for process in [str(pid), *children])


def _resident_mb(pid: str) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


if __name__ == "__main__":
    main(sys.argv[1])
