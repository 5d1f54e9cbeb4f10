"""Dagster's SQLite storage, with connections that are kept.

Dagster opens a database anew for each event: SQLAlchemy then compiles every statement again, and SQLite, when the only connection
to a database in WAL mode closes, copies the log into it and syncs. Both together are most of what Dagster costs per recording.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from badc_assets.defs.planned_checks import store_lean_plan

KEPT = 3
"""Databases that stay open in a process: the index, and those of the runs that were written or read last."""


class KeptSqliteStorage(DagsterSqliteStorage):
    """`storage: {custom: {module: badc_assets.defs.sqlite_storage, class: KeptSqliteStorage, config: {base_dir: ...}}}`.

    The files are those of Dagster's own storage, and either can take over from the other.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = KeptEventLogStorage(os.path.join(base_dir, "history", "runs", ""))  # noqa: PTH118

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> KeptSqliteStorage:
        return cls.from_local(inst_data=inst_data, **config_value)


class KeptEventLogStorage(SqliteEventLogStorage):
    """Events of each run in a file of its own, as in Dagster's storage."""

    def __init__(self, base_dir: str) -> None:
        self._engines: OrderedDict[tuple[int, str], Engine] = OrderedDict()
        self._seen: set[str] = set()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Dagster asks for each event, on a new connection. A table that was there stays."""
        if table_name not in self._seen and super().has_table(table_name):
            self._seen.add(table_name)
        return table_name in self._seen

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        """The same for a column."""
        name = f"asset_keys.{column_name}"
        if name not in self._seen and super()._has_asset_key_col_on_connection(conn, column_name):
            self._seen.add(name)
        return name in self._seen

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        if not store_lean_plan(self, event, event_id):
            super()._store_asset_check_evaluation_planned(event, event_id)

    def _engine(self, shard: str) -> Engine:
        # A connection must not be used in a process that was forked from the one that opened it.
        key = (os.getpid(), shard)
        engine = self._engines.pop(key, None)
        if engine is None:
            engine = _new_engine(self.conn_string_for_shard(shard))
        self._engines[key] = engine
        if len(self._engines) > KEPT:
            _, oldest = self._engines.popitem(last=False)
            oldest.dispose()
        return engine

    def dispose(self) -> None:
        super().dispose()
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()


def _new_engine(address: str) -> Engine:
    engine = create_engine(
        address, poolclass=QueuePool, pool_size=1, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
    )

    @event.listens_for(engine, "connect")
    def _relaxed(connection: Any, _: Any) -> None:
        # In WAL mode this never damages a database. A power cut may cost the last events; the results themselves are synced,
        # and the next run tells Dagster of those that it does not know.
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
