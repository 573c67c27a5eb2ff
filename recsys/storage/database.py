"""Database of live data: SQLite in one file, or a PostgreSQL server, by URL; both have the same schema.

Changes of a `writing` block are on the disk when the block has ended: SQLite runs in WAL mode with `synchronous=FULL`,
PostgreSQL with its default. Writers wait for each other, so that `seq` numbers become visible in order.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from recsys.errors import ConfigError, MissingExtraError, StorageError
from recsys.storage.db_errors import as_storage_errors, to_storage_error
from recsys.storage.schema import HEAD, revision, upgrade

LOG_TIMEOUT_MS = 200
WAIT_S = 10.0
AWAY_AFTER_S, AWAY_S = 2.0, 1.0
"""A read that fails after so many seconds makes all reads fail for some time: otherwise each would wait as long."""
SQLITE_PRAGMAS = (
    f"busy_timeout={round(WAIT_S * 1_000)}",
    "journal_mode=WAL",
    "synchronous=FULL",
    # Ids have no order, so each batch changes many pages: a checkpoint after 16 MB writes them back less often.
    "wal_autocheckpoint=4000",
    # Deleted rows are overwritten: data of an erased user do not stay in free pages.
    "secure_delete=ON",
)
WRITERS_LOCK = 0x5EC5  # any number, as long as all processes take the same
SQLITE, POSTGRES = "sqlite", "postgresql+psycopg"
SPELLINGS = {SQLITE: SQLITE, POSTGRES: POSTGRES, "postgresql": POSTGRES, "postgres": POSTGRES}


class Database:
    """Connections to live data. Safe to share between threads; each process opens its own.

    All blocks raise StorageFullError if there is no space to write, and StorageError if the database fails otherwise.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._readers = engine
        if not self.is_sqlite:
            # By default each statement sees its own state; a block of reads must see one.
            self._readers = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._turns = threading.Lock()
        self._process = os.getpid()
        self._idle: deque[Any] = deque()
        self._away_until = 0.0

    @classmethod
    def open(cls, url: str) -> Database:
        """Open `sqlite:///FILE` (created if absent) or `postgresql+psycopg://...`, and upgrade its schema.

        Any number of processes may do so at once.

        Raises:
            ConfigError: the URL is wrong, or the schema is of a newer version.
            MissingExtraError: the driver is not installed.
            StorageError: the database cannot be reached or created.
        """
        try:
            parsed = make_url(url)
            parsed = parsed.set(drivername=SPELLINGS[parsed.drivername])
        except (ArgumentError, KeyError, ValueError):
            parsed = None
        if parsed is None or (parsed.drivername == SQLITE and not parsed.database):
            # The message omits the URL: it may hold a password.
            raise ConfigError("storage.database: use sqlite:///FILE or postgresql+psycopg://user:password@host/name")
        try:
            engine = create_engine(parsed, pool_pre_ping=parsed.drivername != SQLITE, hide_parameters=True)
            if parsed.drivername != SQLITE:
                event.listen(engine, "do_connect", _connect_postgres)
        except ModuleNotFoundError as error:
            raise MissingExtraError(str(error.name), "postgres") from None
        if parsed.drivername == SQLITE:
            try:
                Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise to_storage_error(error) from None
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        database = cls(engine)
        try:
            database._upgrade_schema()
        except BaseException:
            database.close()
            raise
        return database

    @property
    def is_sqlite(self) -> bool:
        """Return True if the data are in a file on this machine."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self, *, whole_log: bool = False) -> Iterator[Connection]:
        """Yield a connection that sees one state of the data, and must not change it.

        Args:
            whole_log: The block reads more than a request may wait for. Otherwise a server has some seconds to answer.
        """
        self._check_process()
        with self._answering(), as_storage_errors(), self._readers.connect() as connection:
            if self.is_sqlite:
                yield connection
                return
            from recsys.storage.postgres import LONG_READ_S, READ_S, WRITE_S

            driver: Any = connection.connection.driver_connection
            driver.limit_s = LONG_READ_S if whole_log else READ_S
            try:
                yield connection
            finally:
                driver.limit_s = WRITE_S

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield the only writer's connection: changes are durable when the block ends, and undone if it raises."""
        self._check_process()
        with (
            as_storage_errors(),
            self._turn(),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": WRITERS_LOCK})
            yield connection

    def clear_log(self) -> bool:
        """Move SQLite's write-ahead log into the file and empty it, so that it holds no deleted rows any more.

        Returns False if others kept it busy. PostgreSQL needs nothing, as its VACUUM reuses such space: True.
        """
        if not self.is_sqlite:
            return True
        with closing(self.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            (usual,) = cursor.execute("PRAGMA busy_timeout").fetchone()
            # Writers wait while the checkpoint waits for readers, so it waits only briefly.
            cursor.execute(f"PRAGMA busy_timeout={LOG_TIMEOUT_MS}")
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={usual}")
        return not busy

    def rows(self, query: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return all rows of one SQL query with `?` for each parameter, without SQLAlchemy.

        For queries of every request: SQLAlchemy's part of a query takes several times as long as SQLite's.
        """
        self._check_process()
        if not self.is_sqlite:
            query = query.replace("?", "%s")
        started = time.monotonic()
        with self._answering(), as_storage_errors():
            while self._idle:
                with suppress(IndexError):  # another thread may have taken the last one
                    connection = self._idle.pop()
                    try:
                        return self._fetch(connection, query, parameters)
                    except Exception:
                        # A restarted server has closed all connections; only a new one shows the real error.
                        is_slow = time.monotonic() - started >= AWAY_AFTER_S
                        if self.is_sqlite or is_slow or not connection.broken:
                            raise
            return self._fetch(self._connect_detached(), query, parameters)

    def close(self) -> None:
        """Close all connections."""
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        # SQLite's writers poll with ever longer pauses: threads would wait for seconds.
        if not self._turns.acquire(timeout=WAIT_S):
            raise StorageError(f"the database of live data: other writers have been busy for {WAIT_S:g} s; try again")
        try:
            yield
        finally:
            self._turns.release()

    def _fetch(self, connection: Any, query: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            rows: list[tuple[Any, ...]] = connection.execute(query, parameters).fetchall()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return rows

    def _connect_detached(self) -> Any:
        """Return a connection of the driver, outside of the pool and of transactions."""
        pooled = self.engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        if not self.is_sqlite:
            from recsys.storage.postgres import READ_S

            connection.autocommit = True
            connection.limit_s = READ_S
        return connection

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Fail at once while a server that has just kept a reader waiting is given time; remember if it does so."""
        if time.monotonic() < self._away_until:
            raise StorageError("the database of live data: the server does not answer; reads go on when it does")
        started = time.monotonic()
        try:
            yield
        except StorageError:
            # Other errors are of the caller's block, and say nothing about the server.
            if not self.is_sqlite and time.monotonic() - started >= AWAY_AFTER_S:
                self._away_until = time.monotonic() + AWAY_S
            raise

    def _upgrade_schema(self) -> None:
        with self.reading() as connection:
            current = revision(connection)
        if current != HEAD:
            with self.writing() as connection:
                upgrade(connection)

    def _check_process(self) -> None:
        # Use in a forked process breaks both kinds of connections, SQLite's silently.
        if os.getpid() != self._process:
            raise StorageError("the database was opened before a fork: open it again in the new process")


def _connect_postgres(_: object, __: object, arguments: Any, options: Any) -> Any:
    from recsys.storage.postgres import connect

    return connect(arguments, options)


def _prepare_sqlite(connection: Any, _: object) -> None:
    # The driver's transactions would begin late and never as the writer; `_begin_sqlite` begins them.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
