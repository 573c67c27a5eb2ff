"""Route of events: they are stored before the answer, and count in the user's next list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import TypeAdapter, ValidationError

from recsys.api.auth.security import require
from recsys.api.limits import MAX_ERRORS
from recsys.api.problems.answers import ProblemError, problem_responses
from recsys.api.problems.types import (
    MALFORMED_JSON,
    MISSING_KEY,
    MISSING_SCOPE,
    OVERLOADED,
    STORAGE_FULL,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
)
from recsys.api.routes.common import NoQuery
from recsys.api.schemas.events import MAX_EVENTS, EventIn, EventReport, EventResult, EventStatus
from recsys.api.services import Served
from recsys.clock import SECONDS_PER_DAY, now
from recsys.schema import ItemId, Scope, UserId
from recsys.storage.live.events import Event

router = APIRouter(prefix="/v1", tags=["events"], dependencies=[Depends(require(Scope.EVENTS))])

NDJSON = "application/x-ndjson"
_ADAPTER = TypeAdapter(EventIn)
_SCHEMA = {"$ref": "#/components/schemas/EventIn"}
_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": {"type": "array", "maxItems": MAX_EVENTS, "items": _SCHEMA}},
        NDJSON: {"schema": {"type": "string", "description": "One event per line, as a JSON object."}},
    },
}


@router.post(
    "/events",
    summary="Ingest events",
    responses=problem_responses(
        MISSING_KEY, MISSING_SCOPE, MALFORMED_JSON, TOO_LARGE, TOO_MANY_REQUESTS, STORAGE_FULL, OVERLOADED
    ),
    openapi_extra={"requestBody": _BODY},
)
async def post_events(request: Request, _: NoQuery, services: Served) -> EventReport:
    """Store up to 1,000 events, sent as a JSON array or as one JSON object per line (NDJSON).

    Each event is accepted, a duplicate of an accepted one, or rejected with a reason, such as an id that another event
    has already; a rejected event does not affect the others. Accepted events are on disk, and count in the user's next
    list.
    """
    parsed_body = _parse_body(await request.body(), request.headers.get("Content-Type", ""))
    # One more than the limit: a line that is not JSON takes as long as an exception does.
    entries = list(islice(parsed_body, MAX_EVENTS + 1))
    if len(entries) > MAX_EVENTS:
        raise ProblemError(TOO_LARGE, f"More than {MAX_EVENTS:,} events.")
    received_at = now()
    parsed = [_parse_event(entry, received_at, services) for entry in entries]
    events = [one for one in parsed if isinstance(one, Event)]
    stored = iter(await services.write(lambda: _store(events, received_at, services)) if events else [])
    results = [next(stored) if isinstance(one, Event) else one for one in parsed]
    counts = {status: sum(result.status is status for result in results) for status in EventStatus}
    return EventReport(results=results, **{status.value: count for status, count in counts.items()})


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """Line that is not JSON."""

    reason: str


def _parse_body(body: bytes, content_type: str) -> Iterator[Any]:
    if content_type.partition(";")[0].strip().lower() == NDJSON:
        for line in body.splitlines():
            if line.strip():
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    yield _Unreadable(f"not JSON: {error.msg}")
        return
    try:
        entries = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ProblemError(MALFORMED_JSON, "The body cannot be read as JSON.") from None
    if not isinstance(entries, list):
        raise ProblemError(MALFORMED_JSON, f"The body is not a JSON array; send one, or lines as {NDJSON}.")
    yield from entries


def _parse_event(entry: Any, received_at: int, services: Served) -> Event | EventResult:
    if isinstance(entry, _Unreadable):
        return EventResult(event_id=None, status=EventStatus.REJECTED, reason=entry.reason)
    try:
        event = _ADAPTER.validate_python(entry)
    except ValidationError as error:
        reasons = [
            f"{'.'.join(map(str, one['loc'])) or 'event'}: {str(one['msg']).removeprefix('Value error, ')}"
            for one in islice(error.errors(include_url=False, include_context=False, include_input=False), MAX_ERRORS)
        ]
        return _reject(entry, "; ".join(reasons))
    timestamp = received_at if event.timestamp is None else event.timestamp
    if timestamp > received_at + SECONDS_PER_DAY:
        return _reject(entry, f"timestamp: {timestamp} is more than a day ahead; seconds since 1970 UTC are meant")
    if not services.knows_item(ItemId(event.item_id)):
        return _reject(entry, f"item_id: there is no item {event.item_id!r}")
    return Event(
        event_id=event.event_id,
        user_id=UserId(event.user_id),
        item_id=ItemId(event.item_id),
        event=event.event,
        timestamp=timestamp,
        amount=event.amount,
        dwell_s=event.dwell_s,
        request_id=event.request_id,
        position=event.position,
        session_id=event.session_id,
    )


def _store(events: Sequence[Event], received_at: int, services: Served) -> list[EventResult]:
    """Store events; return the result of each."""
    accepted = services.live.events.append(events, received_at)
    others = [event for event, is_new in zip(events, accepted, strict=True) if not is_new]
    differences = iter(services.live.events.differences(others, received_at))
    results = []
    for event, is_new in zip(events, accepted, strict=True):
        fields = () if is_new else next(differences)
        status = EventStatus.ACCEPTED if is_new else EventStatus.REJECTED if fields else EventStatus.DUPLICATE
        reason = None
        if fields:
            reason = (
                f"event_id: {event.event_id!r} is the id of another event already (it differs in {', '.join(fields)}), "
                "and this one was not stored; ids must be unique over all clients, such as UUIDs"
            )
        results.append(EventResult(event_id=event.event_id, status=status, reason=reason))
    return results


def _reject(entry: Any, reason: str) -> EventResult:
    given = entry.get("event_id") if isinstance(entry, dict) else None
    return EventResult(event_id=given if isinstance(given, str) else None, status=EventStatus.REJECTED, reason=reason)
