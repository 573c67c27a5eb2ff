"""Load shedding: rejection of lists under overload at the lowest cost."""

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

LOG_INTERVAL_S = 1.0


class Shedder:
    """Prepared answers for rejected lists. Rejections are counted, and logged once a second, not one by one."""

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
        self._logged_at = -math.inf

    @property
    def full(self) -> bool:
        """Return whether one more list would be rejected."""
        return self.ranking.full

    def count(self) -> None:
        """Count one rejected list."""
        self.metrics.count_rejection(OVERLOADED.slug)
        self._shed += 1
        now = time.monotonic()
        if now - self._logged_at >= LOG_INTERVAL_S:
            logger.warning("overloaded: %d lists rejected", self._shed)
            self._logged_at, self._shed = now, 0

    def messages(self) -> tuple[Message, Message]:
        """Return the rejection as ASGI messages."""
        return dict(self._start), self._body

    def raw(self, headers: bytes) -> bytes:
        """Return the rejection as HTTP/1.1; `headers` are added, separated by line ends, without a last one."""
        return self._head + headers + self._content
