"""Connections to PostgreSQL that give up on a server that does not answer.

A frozen server keeps its connections open, so neither TCP nor the server's own timeouts end a wait.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.errors import _WaitTimeout

CONNECT_S = 3
READ_S = 3.0
"""Longest wait for the answer to a query of a request."""
LONG_READ_S = 600.0
"""Longest wait for one statement that reads a whole log."""
WRITE_S = 15.0
"""Longest wait for a statement that writes; others may write before it for 10 s."""


class TimedConnection(psycopg.Connection[Any]):
    """Connection that closes with OperationalError after `limit_s` seconds without an answer to a statement."""

    limit_s: float = WRITE_S

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Run an operation of the driver to its end, but not longer than the limit."""
        limit = self.limit_s if timeout is None else timeout
        try:
            return super().wait(gen, interval, limit)
        except _WaitTimeout:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server did not answer within {limit:g} s") from None


def connect(arguments: tuple[Any, ...], options: dict[str, Any]) -> TimedConnection:
    """Open a connection with the arguments that SQLAlchemy made from a URL."""
    return TimedConnection.connect(*arguments, **{"connect_timeout": CONNECT_S, **options})
