"""The database of live data: SQLite in one file, or a PostgreSQL server, by URL; one schema for both.

What a `writing` block did is on the disk when the block has ended: SQLite runs in WAL mode with `synchronous=FULL`,
PostgreSQL with its own default. Writers wait for each other, so that `seq` numbers become visible in their order.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from recsys.errors import ConfigError, MissingExtraError, StorageError
from recsys.storage.db_errors import as_storage_errors, storage_error
from recsys.storage.schema import HEAD, revision, upgrade

LOG_TIMEOUT_MS = 200
WAIT_S = 10.0
SQLITE_PRAGMAS = (
    f"busy_timeout={round(WAIT_S * 1_000)}",
    "journal_mode=WAL",
    "synchronous=FULL",
    # Ids come in no order, so that each batch changes many pages: written back after 16 MB, they are so less often.
    "wal_autocheckpoint=4000",
    # What is deleted is overwritten: an erased person is not left over in free pages.
    "secure_delete=ON",
)
WRITERS_LOCK = 0x5EC5  # any number, as long as all processes take the same
SQLITE, POSTGRES = "sqlite", "postgresql+psycopg"
SPELLINGS = {SQLITE: SQLITE, POSTGRES: POSTGRES, "postgresql": POSTGRES, "postgres": POSTGRES}


class Database:
    """Connections to live data. Safe to share between threads; each process opens its own.

    All blocks raise StorageFullError where there is no room to write, else StorageError where the database fails.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._readers = engine
        if not self.is_sqlite:
            # Where each statement saw a state of its own, a block would not see one.
            self._readers = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._turns = threading.Lock()
        self._process = os.getpid()
        self._idle: deque[Any] = deque()

    @classmethod
    def open(cls, url: str) -> Database:
        """Open `sqlite:///FILE` (made if absent) or `postgresql+psycopg://...`, and bring its schema up to date.

        Any number of processes may do so at once. Raises ConfigError for a URL that is wrong or a schema of a newer
        version, MissingExtraError without the driver, StorageError where the database cannot be reached or made.
        """
        parsed = _parsed(url)
        try:
            engine = create_engine(parsed, pool_pre_ping=parsed.drivername != SQLITE, hide_parameters=True)
        except ModuleNotFoundError as error:
            raise MissingExtraError(str(error.name), "postgres") from None
        if parsed.drivername == SQLITE:
            try:
                Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise storage_error(error) from None
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        opened = cls(engine)
        try:
            opened._bring_up_to_date()
        except BaseException:
            opened.close()
            raise
        return opened

    @property
    def is_sqlite(self) -> bool:
        """Whether the data are in a file of this machine."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the data, and must not change it."""
        self._check_process()
        with as_storage_errors(), self._readers.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The only writer: what was done is durable when the block ends, and undone when it raises."""
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
        """Bring SQLite's write-ahead log into the file and empty it, so that it holds no deleted rows any more.

        False where others kept it busy. True, and nothing done, with PostgreSQL, whose VACUUM reuses such space.
        """
        if not self.is_sqlite:
            return True
        with closing(self.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            (usual,) = cursor.execute("PRAGMA busy_timeout").fetchone()
            # Writers wait as long as this waits for readers.
            cursor.execute(f"PRAGMA busy_timeout={LOG_TIMEOUT_MS}")
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={usual}")
        return not busy

    def rows(self, query: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """All rows of one SQL query with `?` for each parameter, the quickest way: for what every request asks.

        SQLAlchemy's part of a query takes several times as long as SQLite's.
        """
        self._check_process()
        if not self.is_sqlite:
            query = query.replace("?", "%s")
        with as_storage_errors():
            while self._idle:
                with suppress(IndexError):  # another thread may have taken the last one
                    connection = self._idle.pop()
                    try:
                        return self._fetched(connection, query, parameters)
                    except Exception:
                        # A server that was restarted has cut off all of them; only a new one tells what it says.
                        if self.is_sqlite or not connection.broken:
                            raise
            return self._fetched(self._detached(), query, parameters)

    def close(self) -> None:
        """Give all connections back."""
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        # SQLite's writers ask again and again, with ever longer pauses: threads would wait for seconds.
        if not self._turns.acquire(timeout=WAIT_S):
            raise StorageError(
                f"the database of live data: other writers have been at work for {WAIT_S:g} s; try again"
            )
        try:
            yield
        finally:
            self._turns.release()

    def _fetched(self, connection: Any, query: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            found: list[tuple[Any, ...]] = connection.execute(query, parameters).fetchall()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return found

    def _detached(self) -> Any:
        """A connection of the driver's own, outside of the pool and of transactions."""
        pooled = self.engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        if not self.is_sqlite:
            connection.autocommit = True
        return connection

    def _bring_up_to_date(self) -> None:
        with self.reading() as connection:
            current = revision(connection)
        if current != HEAD:
            with self.writing() as connection:
                upgrade(connection)

    def _check_process(self) -> None:
        # Both kinds of connections are ruined by use in a forked process, SQLite's silently.
        if os.getpid() != self._process:
            raise StorageError("a database that was opened before a fork: open it again in the new process")


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed = parsed.set(drivername=SPELLINGS[parsed.drivername])
    except (ArgumentError, KeyError, ValueError):
        parsed = None
    if parsed is None or (parsed.drivername == SQLITE and not parsed.database):
        # Without what was given: it may hold a password.
        raise ConfigError("storage.database: use sqlite:///FILE or postgresql+psycopg://user:password@host/name")
    return parsed


def _prepare_sqlite(connection: Any, _: object) -> None:
    # The driver's own transactions would begin late and never as the writer; `_begin_sqlite` begins them.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
