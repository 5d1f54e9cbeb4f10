"""Dagster's history in a PostgreSQL database, which any number of machines may share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from badc_assets.errors import BadcError

if TYPE_CHECKING:
    from sqlalchemy import URL

DRIVER = "postgresql+psycopg2"
CONNECT_TIMEOUT_S = "10"
OLDEST = 12
"""The oldest server release that this is meant for."""
_LOCK = 0x62616463
"""Number of the advisory lock: "badc"."""
_MARK = "badc/set_up"
_INSTALL = "pip install 'badc-assets[postgres]'"


def database_url(address: str) -> URL:
    """The address for SQLAlchemy. Raises BadcError when it is no address of a PostgreSQL database.

    The driver is named: without, SQLAlchemy since 2.1 takes psycopg 3, which Dagster does not use.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    advice = "write postgresql://USER@HOST:5432/DATABASE"
    try:
        # `postgres:` is what many hosts of databases hand out.
        url = make_url(address.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError) as error:
        raise BadcError("address of the database", "cannot be understood", advice) from error
    if url.drivername not in {"postgresql", DRIVER}:
        raise BadcError("address of the database", f"{url.drivername}: is not for PostgreSQL", advice)
    if not url.database:
        raise BadcError("address of the database", "names no database", advice)
    # A host that drops packets would otherwise be waited for for minutes.
    timeout = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_TIMEOUT_S}
    return url.set(drivername=DRIVER).update_query_dict(timeout)


@dataclass(frozen=True)
class PostgresStorage:
    """The database at `address`, a URL. libpq completes it from PGPASSWORD, ~/.pgpass and the like."""

    address: str

    @property
    def description(self) -> str:
        """User, host and database; no password."""
        url = database_url(self.address)
        host = url.host or url.query.get("host") or "this machine"
        port = f":{url.port}" if url.port else ""
        return f"PostgreSQL at {host}{port}, database {url.database}" + (f" as {url.username}" if url.username else "")

    def reach(self) -> None:
        """Connect, and look whether this is a database that Dagster can use."""
        with self._connected() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),"
                " pg_is_in_recovery(), coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
            )
            release, encoding, is_replica, may_create = cursor.fetchone()
        if release < OLDEST:
            raise self._error(f"its server is PostgreSQL {release}", f"use {OLDEST} or later")
        if encoding != "UTF8":
            raise self._error(f"its encoding is {encoding}", "create the database with ENCODING 'UTF8'")
        if is_replica:
            raise self._error("it is a replica, which can only be read", "name the primary server")
        if not may_create and not self.is_set_up():
            raise self._error("its user may not create tables", "make the user the owner of the database")

    @contextmanager
    def locked(self) -> Iterator[object]:
        """An advisory lock of the database. The server drops it when the connection of its holder ends."""
        with self._connected() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            yield True

    def is_set_up(self) -> bool:
        """Whether the mark stands in Dagster's table of keys and values."""
        with self._connected() as cursor:
            cursor.execute("SELECT to_regclass('kvs') IS NOT NULL")
            if not cursor.fetchone()[0]:
                return False
            cursor.execute("SELECT count(*) FROM kvs WHERE key = %s", (_MARK,))
            return cursor.fetchone()[0] > 0

    def mark_set_up(self) -> None:
        """Write the mark."""
        with self._connected() as cursor:
            cursor.execute("INSERT INTO kvs (key, value) VALUES (%s, 'yes') ON CONFLICT DO NOTHING", (_MARK,))

    def bytes_used(self) -> int:
        """Size of the database on the server's disk."""
        with self._connected() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return cursor.fetchone()[0]

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """A cursor on a connection of its own, each statement a transaction. Raises BadcError."""
        try:
            import psycopg2
        except ImportError as error:
            raise BadcError(
                "dagster-postgres", "is not installed, and the history is in PostgreSQL", _INSTALL
            ) from error
        try:
            connection = psycopg2.connect(_libpq_address(self.address))
            connection.autocommit = True
        except psycopg2.OperationalError as error:
            reason = " ".join(str(error).split())
            raise self._error(
                f"cannot be reached ({reason})", "start the server or correct BADC_POSTGRES_URL"
            ) from error
        try:
            with connection.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            reason = " ".join(str(error).split())
            raise self._error(
                f"Dagster's tables cannot be used ({reason})", "see docs/beyond-one-machine.md"
            ) from error
        finally:
            connection.close()

    def _error(self, problem: str, remedy: str) -> BadcError:
        return BadcError(self.description, problem, remedy)


def _libpq_address(address: str) -> str:
    return database_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
