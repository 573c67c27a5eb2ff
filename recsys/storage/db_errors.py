"""Faults of databases as errors of this package.

Messages have neither statements nor values: these hold people's ids, and errors are logged.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from recsys.errors import StorageError, StorageFullError

_FULL = "there is no room left for live data (disk or quota); nothing was written, and the same works once there is"
# A quota and a limit on file size come as faults of writing; only a full disk has a code of its own.
_SQLITE_FULL = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
)
_POSTGRES_FULL = "53100"


@contextmanager
def as_storage_errors() -> Iterator[None]:
    """Raises StorageFullError or StorageError where the block raises an error of SQLAlchemy or of a driver."""
    try:
        yield
    except DBAPIError as error:
        raise storage_error(error.orig or error) from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise storage_error(error) from None
    except Exception as error:
        if not _is_psycopg(error):
            raise
        raise storage_error(error) from None


def storage_error(fault: BaseException) -> StorageError:
    """What a fault of a driver, of SQLAlchemy or of a file is to callers."""
    state = getattr(fault, "sqlstate", None)
    full = getattr(fault, "sqlite_errorcode", None) in _SQLITE_FULL or state == _POSTGRES_FULL
    if full or (isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)):
        return StorageFullError(_FULL)
    return StorageError(f"the database of live data: {_said(fault, state)}")


def _said(fault: BaseException, state: str | None) -> str:
    if isinstance(fault, sqlite3.Error):
        # SQLite names tables and columns, never values.
        return str(fault)
    if isinstance(fault, OSError):
        return str(fault.strerror)
    if state is not None:
        return f"PostgreSQL refuses ({type(fault).__name__}, SQLSTATE {state})"
    if _is_psycopg(fault) and type(fault).__name__ == "OperationalError":
        # No connection: which host, and why. PostgreSQL has said nothing yet that could hold a value.
        return " ".join(str(fault).split())
    return type(fault).__name__


def _is_psycopg(fault: BaseException) -> bool:
    # An optional driver: its errors cannot be named where it is absent.
    return type(fault).__module__.partition(".")[0] == "psycopg"
