"""The pieces of the benchmark of scale, each run by name in a process of its own; what they print is JSON or short."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from pathlib import Path

CURSOR = Path("cursor")


def ticks(page: str) -> None:
    """Ticks of `new_recordings` until nothing changes; with a page of 0 only one. The ranges are not run here."""
    import dagster as dg

    from badc_assets.definitions import build_definitions
    from badc_assets.project import load_project

    project = load_project()
    content = project.content.model_copy(update={"quiet_s": 0, **({"page": int(page)} if int(page) else {})})
    project = project.model_copy(update={"content": content})
    definitions = build_definitions(project)
    sensor = definitions.resolve_sensor_def("new_recordings")
    ranges, costs = [], []
    with dg.DagsterInstance.get() as instance:
        for _ in range(2000):
            started = time.perf_counter(), time.process_time()
            before = CURSOR.read_text() if CURSOR.is_file() else None
            context = dg.build_sensor_context(instance=instance, cursor=before, definitions=definitions)
            result = sensor.evaluate_tick(context)
            for request in result.dynamic_partitions_requests or ():
                instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
            ranges += [
                [request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")]
                for request in result.run_requests or ()
                if request.job_name == "process_recordings"
            ]
            CURSOR.write_text(result.cursor or "")
            costs.append(
                [round(1000 * (time.perf_counter() - started[0])), round(1000 * (time.process_time() - started[1]))]
            )
            if result.cursor == before or not int(page):
                break
    print(json.dumps({"wall_cpu_ms": costs, "ranges": ranges}))


def badc(*arguments: str) -> None:
    """A command of the program; its exit status is part of what is said, not a failure."""
    from badc_assets.cli.main import app

    sys.argv = ["badc", *arguments]
    try:
        app()
    except SystemExit as ended:
        print(f"exit status {ended.code}")


def sizes() -> None:
    """Files and bytes of results and of Dagster's databases, and rows of events."""
    import os

    from badc_assets.upkeep.storage.kinds import storage_of
    from badc_assets.upkeep.storage.postgres import PostgresStorage

    output, home = Path(os.environ["BADC_OUTPUT"]), Path("data/dagster")
    said: dict[str, object] = {}
    for name, folder in (("output", output), ("home", home)):
        files = [path for path in folder.rglob("*") if path.is_file()]
        said[name] = {"files": len(files), "mb": round(sum(path.stat().st_size for path in files) / 1e6, 1)}
    for database in sorted(home.rglob("index.db")):
        with sqlite3.connect(database) as connection:
            said["events in the index"] = connection.execute("select count(*) from event_logs").fetchone()[0]
        said["index mb"] = round(database.stat().st_size / 1e6, 1)
    storage = storage_of(Path(os.environ["DAGSTER_HOME"], "dagster.yaml"), os.environ, home)
    if isinstance(storage, PostgresStorage):
        said["postgres mb"] = round(storage.bytes_used() / 1e6, 1)
    print(json.dumps(said))


if __name__ == "__main__":
    {"ticks": ticks, "badc": badc, "sizes": sizes}[sys.argv[1]](*sys.argv[2:])
