"""Convert database errors to errors of this package.

Messages contain neither statements nor values: these hold user ids, and errors are logged.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from recsys.errors import StorageError, StorageFullError

_FULL = "no space is left for live data (disk or quota); nothing was written; free some space and try again"
# A quota and a limit on file size are reported as write errors; only a full disk has its own code.
_SQLITE_FULL = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
)
_POSTGRES_FULL = "53100"


@contextmanager
def as_storage_errors() -> Iterator[None]:
    """Raise StorageFullError or StorageError if the block raises an error of SQLAlchemy or a driver."""
    try:
        yield
    except DBAPIError as error:
        raise to_storage_error(error.orig or error) from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise to_storage_error(error) from None
    except Exception as error:
        if not _is_psycopg(error):
            raise
        raise to_storage_error(error) from None


def to_storage_error(fault: BaseException) -> StorageError:
    """Convert an error of a driver, of SQLAlchemy or of a file."""
    state = getattr(fault, "sqlstate", None)
    full = getattr(fault, "sqlite_errorcode", None) in _SQLITE_FULL or state == _POSTGRES_FULL
    if full or (isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)):
        return StorageFullError(_FULL)
    if isinstance(fault, sqlite3.Error):
        # SQLite's messages name tables and columns, never values.
        cause = str(fault)
    elif isinstance(fault, OSError):
        cause = str(fault.strerror)
    elif state is not None:
        cause = f"PostgreSQL rejects this ({type(fault).__name__}, SQLSTATE {state})"
    elif _is_psycopg(fault) and type(fault).__name__ == "OperationalError":
        # No connection: the message has the host and the cause. PostgreSQL has sent nothing yet with a value.
        cause = " ".join(str(fault).split())
    else:
        cause = type(fault).__name__
    return StorageError(f"the database of live data: {cause}")


def _is_psycopg(fault: BaseException) -> bool:
    # An optional driver: its error classes cannot be imported if it is absent.
    return type(fault).__module__.partition(".")[0] == "psycopg"
