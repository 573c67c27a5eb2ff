"""Log: one line per request, and warnings and errors, as text or as JSON.

No line contains a user id, a path, a query or a key; a request has the route's pattern and the key's name.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

# A logger of its own, so that a busy service can turn off only these lines.
requests = logging.getLogger("recsys.api.requests")


class LogFormat(StrEnum):
    """Format of the log."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class RequestLine:
    """Log line of a request: `route` is a pattern, `key` a name, `ms` the duration, `bytes` the size of the answer."""

    request_id: str
    method: str
    route: str
    status: int
    ms: float
    key: str | None
    model_version: str
    bytes: int

    def fields(self) -> dict[str, Any]:
        """Return the fields for JSON. Written by hand, because `dataclasses.asdict` takes longer than the rest."""
        return {
            "request_id": self.request_id,
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "ms": round(self.ms, 2),
            "key": self.key,
            "model_version": self.model_version,
            "bytes": self.bytes,
        }

    def __str__(self) -> str:
        return f"{self.request_id} {self.method} {self.route} {self.status} {self.ms:.1f} ms"


def log_request(line: RequestLine) -> None:
    """Write the line of one request."""
    if requests.isEnabledFor(logging.INFO):
        # Built here, because `Logger.info` searches the stack for its caller at every request.
        requests.handle(logging.LogRecord(requests.name, logging.INFO, __file__, 0, line, None, None, "log_request"))


class JsonFormatter(logging.Formatter):
    """Formatter of JSON lines: time (ISO 8601, UTC), level, and fields of a request, or logger and message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without a line end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        if isinstance(record.msg, RequestLine):
            line |= record.msg.fields()
        else:
            line |= {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def log_config(log_format: LogFormat) -> dict[str, Any]:
    """Return a configuration for `logging.config.dictConfig`; all lines go to standard error."""
    formatters: dict[LogFormat, dict[str, Any]] = {
        LogFormat.TEXT: {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        LogFormat.JSON: {"()": f"{__name__}.{JsonFormatter.__name__}"},
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatters[log_format]},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"recsys": {"level": "INFO"}, "uvicorn": {"level": "INFO"}},
    }
