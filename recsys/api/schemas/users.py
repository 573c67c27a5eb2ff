"""What a person chooses, says of pictures, and takes back."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from recsys.api.limits import MAX_STYLES
from recsys.api.schemas.events import EventKey, RequestKey
from recsys.api.schemas.recommendations import JSON, Share, Strict, Text


class TasteIn(Strict):
    """Styles that a person chooses as their taste, and how strongly pictures are restyled for them."""

    model_config = JSON | ConfigDict(json_schema_extra={"examples": [{"styles": ["linen"], "strength": 0.4}]})

    styles: list[Text] = Field(
        default_factory=list,
        max_length=MAX_STYLES,
        description="Ids of styles from /v1/styles. Empty: the taste stays what is learned.",
    )
    strength: Share | None = Field(
        default=None, description="0: pictures stay as they are. null: what the shop's setting and feedback say."
    )


class FeedbackIn(Strict):
    """A verdict on one restyled picture."""

    model_config = JSON | ConfigDict(
        json_schema_extra={
            "examples": [{"feedback_id": "f-17", "request_id": "s42-3", "item_id": "p0001", "satisfied": False}]
        }
    )

    feedback_id: EventKey = Field(
        description="Your own id of this verdict. The same id sent again changes nothing.", examples=["f-17"]
    )
    request_id: RequestKey = Field(
        description="X-Request-ID of the answer that showed the picture: it says which style and strength it had.",
        examples=["s42-3"],
    )
    item_id: Text = Field(examples=["p0001"])
    satisfied: bool


class FeedbackResult(BaseModel):
    """What became of a verdict, and what pictures are like from now on."""

    status: str = Field(description="`accepted`, or `duplicate` of one that was accepted before.")
    learned: str = Field(
        description="In plain words.", examples=["Pictures are milder: strong restyling was not liked."]
    )


class Erased(BaseModel):
    """What was erased of a person, by place."""

    rows: dict[str, int] = Field(
        description="How much was erased, by place.", examples=[{"events": 17, "exposures": 4, "interactions": 9}]
    )
    pending: bool = Field(
        description="Whether files on disk wait for a running build to end. Answers no longer use them either way."
    )
