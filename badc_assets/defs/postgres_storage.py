"""Dagster's PostgreSQL storage, with a connection that is kept, and with the machine of each run.

Dagster connects anew for each statement, which over a network with TLS and passwords takes longer than the statement.
"""

from __future__ import annotations

import os
from datetime import datetime
from functools import lru_cache
from typing import Any
from weakref import WeakSet

from dagster import DagsterEvent, DagsterEventType, EventLogEntry
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage, PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from sqlalchemy import Engine, create_engine

from badc_assets.defs.planned_checks import store_lean_plan
from badc_assets.defs.recovery import MACHINE_TAG
from badc_assets.processes import Machine
from badc_assets.upkeep.storage.postgres import database_url

_engines: WeakSet[Engine] = WeakSet()


class KeptPostgresStorage(DagsterPostgresStorage):
    """`storage: {custom: {module: badc_assets.defs.postgres_storage, class: KeptPostgresStorage, config: {postgres_url: ...}}}`.

    Tables and rows are those of Dagster's own storage, and either can take over from the other.
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        address = database_url(postgres_url).render_as_string(hide_password=False)
        super().__init__(address, should_autocreate_tables=False, inst_data=inst_data)
        self._run_storage = _RunStorage(address)
        self._event_log_storage = _EventLogStorage(address)
        self._schedule_storage = PostgresScheduleStorage(address)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = _engine(address)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> KeptPostgresStorage:
        return cls(config_value["postgres_url"], inst_data)


class _RunStorage(PostgresRunStorage):
    def handle_run_event(self, run_id: str, event: DagsterEvent, update_timestamp: datetime | None = None) -> None:
        # A run says that it starts from its own process. Before it counts as started, it must be known where it runs.
        if event.event_type == DagsterEventType.RUN_START:
            self.add_run_tags(run_id, {MACHINE_TAG: str(Machine.here())})
        super().handle_run_event(run_id, event, update_timestamp)


class _EventLogStorage(PostgresEventLogStorage):
    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        if not store_lean_plan(self, event, event_id):
            super()._store_asset_check_evaluation_planned(event, event_id)


@lru_cache
def _engine(address: str) -> Engine:
    """One for a process: of its connections one stays open, and others are opened and closed as threads need them."""
    engine = create_engine(
        address, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=-1, pool_pre_ping=True, pool_recycle=600
    )
    _engines.add(engine)
    return engine


def _forget_connections() -> None:
    for engine in _engines:
        engine.dispose(close=False)


# A connection must not be used in a process that was forked from the one that opened it.
os.register_at_fork(after_in_child=_forget_connections)
