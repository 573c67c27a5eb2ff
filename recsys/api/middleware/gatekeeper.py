"""The door: who asks, whether too often, and whether there is room. It reads the head of a request alone."""

from __future__ import annotations

import math

from starlette.types import ASGIApp, Receive, Scope, Send

from recsys.api.auth.keys import ANYBODY, Keyring
from recsys.api.auth.security import SIGNATURE
from recsys.api.context import RequestContext, request_context_of
from recsys.api.overload.admission import is_ranking
from recsys.api.overload.rates import RateLimits, address_of
from recsys.api.overload.shedding import Shedder
from recsys.api.problems.answers import ProblemResponse
from recsys.api.problems.types import TOO_MANY_REQUESTS

ALWAYS_OPEN = frozenset({"/livez", "/readyz", "/metrics"})
"""Answered whatever else happens: without a key, without a limit, under any load."""

API_KEY_HEADER = b"x-api-key"
SIGNATURE_PARAMETER = SIGNATURE.encode() + b"="


class Gatekeeper:
    """ASGI middleware: refuses early, and cheaply, what would be refused anyway.

    Under overload a list is refused before anything else is looked at, whoever asks.
    """

    def __init__(self, app: ASGIApp, keys: Keyring, shedder: Shedder, rates: RateLimits | None = None) -> None:
        self.app = app
        self.keys = keys
        self.shedder = shedder
        self.rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = request_context_of(scope)
        if exchange.path in ALWAYS_OPEN:
            await self.app(scope, receive, send)
        elif self.shedder.full and is_ranking(exchange.path):
            exchange.shed = True
            self.shedder.count()
            for message in self.shedder.messages():
                await send(message)
        else:
            exchange.caller = self.keys.caller(exchange.headers.get(API_KEY_HEADER))
            if self.rates is None or _is_link(scope, exchange) or self._within_rate(self.rates, scope, exchange):
                await self.app(scope, receive, send)
            else:
                self.shedder.metrics.refused(TOO_MANY_REQUESTS.slug)
                await ProblemResponse(TOO_MANY_REQUESTS, "")(scope, receive, send)

    def _within_rate(self, rates: RateLimits, scope: Scope, exchange: RequestContext) -> bool:
        caller = exchange.caller
        known = caller is not None and caller is not ANYBODY
        # The kinds have different beginnings, so that no key can be named like an address.
        owner = f"key {caller.name}" if caller and known else f"from {address_of(scope.get('client'))}"
        allowance = rates.take(owner)
        left = f'"requests";r={allowance.remaining};t={math.ceil(allowance.reset_s)}'
        exchange.answer_headers += [(b"ratelimit-policy", rates.policy), (b"ratelimit", left.encode())]
        if not allowance.granted:
            exchange.answer_headers.append((b"retry-after", str(max(1, math.ceil(allowance.retry_s))).encode()))
        return allowance.granted


def _is_link(scope: Scope, exchange: RequestContext) -> bool:
    """Whether this is a signed link: it was counted when it was given, and a page opens many of them at once."""
    return exchange.path.endswith("/image") and SIGNATURE_PARAMETER in scope["query_string"]
