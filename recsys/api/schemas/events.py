"""Schemas of events. Each event is accepted or rejected on its own."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from recsys.api.schemas.common import JSON, Strict, Text
from recsys.dataset.event_words import find_event
from recsys.dataset.importers.values import parse_time
from recsys.errors import DataError
from recsys.schema import EventKind, Undo

MAX_EVENTS = 1_000
MAX_POSITION = 10_000
REQUEST_ID_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"

EventKey = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[!-~]+$")]
"""Id of an event: 1 to 128 printable ASCII characters without spaces, such as a UUID."""
RequestKey = Annotated[str, Field(pattern=REQUEST_ID_PATTERN)]


def _read_time(value: object) -> int:
    try:
        return parse_time(value)
    except DataError as error:
        raise ValueError(str(error)) from None


Time = Annotated[
    int,
    BeforeValidator(_read_time),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
]
"""Time in any form that imports read, as seconds since 1970 UTC."""


def _read_event(word: object) -> object:
    """Return the event that a word means, such as `add_to_cart`. Raises ValueError if it means none."""
    if not isinstance(word, str):
        return word
    event = find_event(word)
    if event is None:
        raise ValueError(f"{word!r} is not an event; use one of {', '.join((*EventKind, *Undo))}")
    return event


EventWord = Annotated[EventKind | Undo, BeforeValidator(_read_event)]
"""Kind of an event or an undo; words of other systems are read as in imports (`recsys.dataset.event_words`)."""


class EventIn(Strict):
    """Event of a user with an item."""

    model_config = JSON

    event_id: EventKey = Field(
        description="Your own id of this event. The same event sent again changes nothing; another event with the same "
        "id is rejected.",
        examples=["e-20261121-000017"],
    )
    user_id: Text = Field(examples=["u001"])
    item_id: Text = Field(examples=["p0001"])
    event: EventWord = Field(
        description="Kind of event, or what takes an earlier one of the same user and item back.", examples=["purchase"]
    )
    timestamp: Time | None = Field(
        default=None,
        description="Time in seconds or milliseconds since 1970 UTC (`Date.now()`), or in ISO 8601; from 1990 to a day "
        "ahead of the service's clock. Fractions of a second are dropped. Default: now.",
        examples=[1_795_000_000, "2026-11-18T10:00:00.123Z"],
    )
    amount: float | None = Field(
        default=None, ge=0, le=1e12, allow_inf_nan=False, description="Value of a purchase.", examples=[79.0]
    )
    dwell_s: float | None = Field(
        default=None, ge=0, le=604_800, allow_inf_nan=False, description="Duration of a view, in seconds."
    )
    request_id: RequestKey | None = Field(
        default=None, description="X-Request-ID of the answer that showed the item, to attribute the event to a list."
    )
    position: int | None = Field(
        default=None, ge=1, le=MAX_POSITION, description="Position of the item in that answer; 1 is the first."
    )
    session_id: Text | None = Field(
        default=None,
        description="Your own id of the visit, for experiments on sessions. Default: the session of the answer that "
        "`request_id` names.",
        examples=["s42"],
    )


class EventStatus(StrEnum):
    """Result of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class EventResult(BaseModel):
    """Result of one event. `accepted` and `duplicate`: it is on disk."""

    event_id: str | None = Field(description="null: the id could not be read.", examples=["e-20261121-000017"])
    status: EventStatus
    reason: str | None = Field(
        default=None, description="Reason of a rejection.", examples=["item_id: there is no item 'p9999'"]
    )


class EventReport(BaseModel):
    """Results of all events, in the order of the request."""

    accepted: int
    duplicate: int
    rejected: int
    results: list[EventResult]
