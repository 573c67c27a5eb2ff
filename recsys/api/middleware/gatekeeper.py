"""Gatekeeper: API keys, rate limits and load shedding. It reads only the head of a request."""

from __future__ import annotations

import math

from starlette.types import ASGIApp, Receive, Scope, Send

from recsys.api.auth.keys import ANYBODY, Keyring
from recsys.api.auth.security import SIGNATURE, check_scope
from recsys.api.context import RequestContext, request_context_of
from recsys.api.overload.rates import RateLimits, address_of
from recsys.api.overload.shedding import Shedder
from recsys.api.problems.answers import ProblemError, ProblemResponse, problem_response
from recsys.api.problems.types import NO_SUCH_PATH, TOO_MANY_REQUESTS
from recsys.api.route_table import UNMATCHED, Guard

API_KEY_HEADER = b"x-api-key"
SIGNATURE_PARAMETER = SIGNATURE.encode() + b"="


class Gatekeeper:
    """ASGI middleware that rejects requests early and at low cost.

    Under overload it rejects lists before it checks keys and limits.
    """

    def __init__(self, app: ASGIApp, keys: Keyring, shedder: Shedder, rates: RateLimits | None = None) -> None:
        self.app = app
        self.keys = keys
        self.shedder = shedder
        self.rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = request_context_of(scope)
        route = context.route
        if route.guard is Guard.NONE:
            await self.app(scope, receive, send)
        elif route.ranks and self.shedder.full:
            context.shed = True
            self.shedder.count()
            for message in self.shedder.messages():
                await send(message)
        else:
            context.caller = self.keys.caller(context.headers.get(API_KEY_HEADER))
            # A signed link was counted with the list that contains it, and a page opens many of them at once.
            is_link = route.guard is Guard.KEY_OR_LINK and SIGNATURE_PARAMETER in scope["query_string"]
            if self.rates is not None and not is_link and not self._within_rate(self.rates, scope, context):
                self.shedder.metrics.count_rejection(TOO_MANY_REQUESTS.slug)
                await ProblemResponse(TOO_MANY_REQUESTS, "")(scope, receive, send)
            elif (refusal := self._refusal(scope, context, is_link=is_link)) is not None:
                await refusal(scope, receive, send)
            elif context.ends_in_slash:
                what = (
                    f"There is nothing at {context.path}: leave out the slash at the end, or write it as %2F if it is "
                    "part of an id."
                )
                await ProblemResponse(NO_SUCH_PATH, what)(scope, receive, send)
            else:
                await self.app(scope, receive, send)

    def _refusal(self, scope: Scope, context: RequestContext, *, is_link: bool) -> ProblemResponse | None:
        """Return the answer to a caller who may not use the route, before the body is read or parsed."""
        route = context.route
        if route is UNMATCHED or route.guard is Guard.RATE or is_link:
            return None
        client = scope.get("client")
        try:
            check_scope(context, client[0] if client else None, route.scope, is_open=self.keys.is_open)
        except ProblemError as error:
            return problem_response(error)
        return None

    def _within_rate(self, rates: RateLimits, scope: Scope, context: RequestContext) -> bool:
        caller = context.caller
        # Different prefixes, so that no key can have the name of an address.
        if caller is not None and caller is not ANYBODY:
            owner = f"key {caller.name}"
        else:
            owner = f"from {address_of(scope.get('client'))}"
        allowance = rates.take(owner)
        left = f'"requests";r={allowance.remaining};t={math.ceil(allowance.reset_s)}'
        context.answer_headers += [(b"ratelimit-policy", rates.policy), (b"ratelimit", left.encode())]
        if not allowance.granted:
            context.answer_headers.append((b"retry-after", str(max(1, math.ceil(allowance.retry_s))).encode()))
        return allowance.granted
