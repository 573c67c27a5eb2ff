"""Events as they arrive, each judged on its own: one that is wrong does not cost the others."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from recsys.api.schemas.recommendations import JSON, Strict, Text
from recsys.schema import EventKind

MAX_EVENTS = 1_000
MAX_POSITION = 10_000
REQUEST_ID_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"

EventKey = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[!-~]+$")]
"""An event's own id: 1 to 128 printable ASCII characters without spaces, such as a UUID."""
RequestKey = Annotated[str, Field(pattern=REQUEST_ID_PATTERN)]
Seconds = Annotated[int, Field(ge=0, le=2**40)]


class EventIn(Strict):
    """What a person did with an item."""

    model_config = JSON

    event_id: EventKey = Field(
        description="Your own id of this event. The same id sent again changes nothing.", examples=["e-20261121-000017"]
    )
    user_id: Text = Field(examples=["u001"])
    item_id: Text = Field(examples=["p0001"])
    event: EventKind = Field(strict=False, description="What was done.", examples=["purchase"])
    timestamp: Seconds | None = Field(
        default=None,
        description="When, in seconds since 1970 UTC; at most a day ahead of the service's clock. Default: now.",
        examples=[1_795_000_000],
    )
    amount: float | None = Field(
        default=None, ge=0, le=1e12, allow_inf_nan=False, description="What a purchase was worth.", examples=[79.0]
    )
    dwell_s: float | None = Field(
        default=None, ge=0, le=604_800, allow_inf_nan=False, description="How long a view took, in seconds."
    )
    request_id: RequestKey | None = Field(
        default=None, description="X-Request-ID of the answer that showed the item, to tell what lists bring about."
    )
    position: int | None = Field(
        default=None, ge=1, le=MAX_POSITION, description="Where the item stood in that answer; 1 is the first."
    )
    session_id: Text | None = Field(
        default=None,
        description="Your own id of the visit, for experiments on sessions. Default: that of the answer which "
        "`request_id` names.",
        examples=["s42"],
    )


class EventStatus(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class EventResult(BaseModel):
    """What became of one event. `accepted` and `duplicate` mean that it is on the disk."""

    event_id: str | None = Field(description="null where it could not be read.", examples=["e-20261121-000017"])
    status: EventStatus
    reason: str | None = Field(
        default=None, description="Of a rejected one: what is wrong.", examples=["item_id: there is no item 'p9999'"]
    )


class EventReport(BaseModel):
    """What became of each event, in the order sent."""

    accepted: int
    duplicate: int
    rejected: int
    results: list[EventResult]
