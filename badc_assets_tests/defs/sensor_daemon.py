"""What Dagster's daemon does with a sensor, in this process: ticks, new partitions, run keys, cursors and runs."""

from __future__ import annotations

from dataclasses import dataclass, field

import dagster as dg

from badc_assets.definitions import build_definitions
from badc_assets.project import Project


@dataclass
class Daemon:
    """Ticks of one sensor. Requests that have a run key of before are dropped, as the daemon does."""

    project: Project
    instance: dg.DagsterInstance
    sensor: str = "new_recordings"
    cursor: str | None = None
    keys: set[str] = field(default_factory=set)
    ran: list[list[str]] = field(default_factory=list)
    runs: list[dg.ExecuteInProcessResult] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def tick(self, *, dies: bool = False) -> bool:
        """One tick; whether it changed anything. One that `dies` does so after its runs and before its cursor is stored."""
        definitions = build_definitions(self.project)
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor, definitions=definitions)
        result = definitions.resolve_sensor_def(self.sensor).evaluate_tick(context)
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)  # pyright: ignore[reportArgumentType]
        for request in result.dynamic_partitions_requests or ():
            assert isinstance(request, dg.AddDynamicPartitionsRequest)
            self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        for request in result.run_requests or ():
            self._run(definitions, request)
        self.said.append(result.skip_message or "")
        before, after = self.cursor, result.cursor
        if not dies:
            self.cursor = after
        return after != before

    def until_idle(self) -> None:
        for _ in range(30):
            if not self.tick():
                return
        raise AssertionError("it never comes to an end")

    def _run(self, definitions: dg.Definitions, request: dg.RunRequest) -> None:
        assert request.run_key
        if request.run_key in self.keys:
            return
        self.keys.add(request.run_key)
        assert request.job_name
        job = definitions.resolve_job_def(request.job_name)
        result = job.execute_in_process(instance=self.instance, tags=dict(request.tags), raise_on_error=False)
        if request.job_name != "process_recordings":
            self.others.append(request.job_name)
            return
        self.runs.append(result)
        events = result.asset_materializations_for_node("recordings")
        self.ran.append([str(event.partition) for event in events])
