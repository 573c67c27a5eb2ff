"""The database of live data: SQLite in one file, or a PostgreSQL server, by URL; one schema for both.

What a `writing` block did is on the disk when the block has ended: SQLite runs in WAL mode with `synchronous=FULL`,
PostgreSQL with its own default. Writers wait for each other, so that `seq` numbers become visible in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from recsys.errors import ConfigError, MissingExtraError
from recsys.storage.tables import METADATA

BUSY_TIMEOUT_MS = 10_000
LOG_TIMEOUT_MS = 200
WRITERS_LOCK = 0x5EC5  # any number, as long as all processes take the same


class Database:
    """Connections to live data. Safe to share between threads, not between processes that fork."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str) -> Database:
        """Open `sqlite:///FILE` (made if absent) or `postgresql+psycopg://...`, and bring its schema up to date.

        Raises ConfigError for a URL that is wrong, MissingExtraError without the driver.
        """
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() == "sqlite" and parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite")
        except ModuleNotFoundError as error:
            raise MissingExtraError(str(error.name), "postgres") from None
        except (ArgumentError, NoSuchModuleError) as error:
            raise ConfigError(f"storage.database: not a URL of SQLite or PostgreSQL: {error}") from None
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        METADATA.create_all(engine)
        return cls(engine)

    @property
    def is_sqlite(self) -> bool:
        """Whether the data are in a file of this machine."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the data."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The only writer: what was done is durable when the block ends, and undone when it raises."""
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
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

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _prepare_sqlite(connection: Any, _: object) -> None:
    # The driver's own transactions would begin late and never as the writer; `_begin_sqlite` begins them.
    connection.isolation_level = None
    cursor = connection.cursor()
    # What is deleted is overwritten with zeros: erasing a person means their bytes, too.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
