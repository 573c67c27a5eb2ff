"""Refusing lists under overload: how it is said, counted and logged, at the least cost."""

from __future__ import annotations

import logging
import math
import time
from http import HTTPStatus

from starlette.types import Message

from recsys.api.metrics import Metrics
from recsys.api.overload.admission import RETRY_AFTER_S, RankingPool
from recsys.api.problems.answers import ProblemResponse
from recsys.api.problems.types import OVERLOADED

logger = logging.getLogger(__name__)

TELL_EVERY_S = 1.0


class Shedder:
    """Answers made beforehand. Refusals are counted, and told in the log once a second together, since a line for each
    would be work, too."""

    def __init__(self, ranking: RankingPool, metrics: Metrics) -> None:
        self.ranking = ranking
        self.metrics = metrics
        response = ProblemResponse(OVERLOADED, "", headers={"Retry-After": str(RETRY_AFTER_S)})
        self._start = {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        self._body = {"type": "http.response.body", "body": response.body}
        status = HTTPStatus(response.status_code)
        self._head = b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode())
        self._head += b"".join(name + b": " + value + b"\r\n" for name, value in response.raw_headers)
        self._content = b"\r\n\r\n" + bytes(response.body)
        self._shed = 0
        self._told = -math.inf

    @property
    def full(self) -> bool:
        """Whether one more list would be refused."""
        return self.ranking.full

    def count(self) -> None:
        """One list was refused."""
        self.metrics.count_rejection(OVERLOADED.slug)
        self._shed += 1
        now = time.monotonic()
        if now - self._told >= TELL_EVERY_S:
            logger.warning("overloaded: %d lists refused", self._shed)
            self._told, self._shed = now, 0

    def messages(self) -> tuple[Message, Message]:
        """The refusal for ASGI."""
        return dict(self._start), self._body

    def raw(self, headers: bytes) -> bytes:
        """The refusal as HTTP/1.1 has it; `headers` come on top, each but the last with its end of line."""
        return self._head + headers + self._content
