"""Schemas of tastes, styles, ratings of restyled images, and erasure."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from recsys.api.limits import MAX_STYLES
from recsys.api.schemas.common import JSON, Share, Strict, Text
from recsys.api.schemas.events import EventKey, RequestKey
from recsys.api.schemas.recommendations import Item
from recsys.schema import Basis


class TasteIn(Strict):
    """Styles that a user chooses as their taste, and the strength of restyling for them."""

    model_config = JSON | ConfigDict(json_schema_extra={"examples": [{"styles": ["linen"], "strength": 0.4}]})

    styles: list[Text] = Field(
        default_factory=list,
        max_length=MAX_STYLES,
        description="Ids of styles from /v1/styles. Empty: the taste is learned from events.",
    )
    strength: Share | None = Field(
        default=None, description="0: originals only. null: the shop's setting and the ratings decide."
    )


class NearStyle(BaseModel):
    """Style of the library that is near a taste or a search."""

    style_id: str = Field(examples=["linen"])
    title: str = Field(examples=["Linen"])
    similarity: float = Field(description="Cosine in [-1, 1].", examples=[0.61])


class TasteComponentView(BaseModel):
    """Component of a taste."""

    taste_component: int = Field(description="Index of the component, as in requests for images.", examples=[0])
    share: float = Field(description="Share of the taste, in (0, 1].", examples=[0.7])
    text: str = Field(description="Description in one sentence.", examples=["70 % of this taste: near Linen and Oak."])
    styles: list[NearStyle] = Field(description="Nearest styles of the library.")
    items: list[Item] = Field(description="Products that show the component.")


class Taste(BaseModel):
    """Taste of a user; without components if nothing is known."""

    user_id: str
    components: list[TasteComponentView]
    events: int = Field(description="Number of liked items from which the taste was learned.", examples=[12])
    basis: Basis
    basis_text: str
    chosen: list[str] = Field(description="Ids of the styles that the user chose; empty: the taste is learned.")
    strength: float | None = Field(description="Strength that the user chose; null: none.")
    reset: bool = Field(description="Whether the user reset the taste.")
    feedback_text: str = Field(
        description="Effect of the ratings on images, in one sentence.",
        examples=["Pictures are shown as the shop's settings say."],
    )
    model_version: str


class Style(BaseModel):
    """Style reference that users can choose."""

    style_id: str = Field(examples=["linen"])
    title: str = Field(examples=["Linen"])
    scenes: list[str] = Field(description="Scenes that it suits.", examples=[["everyday", "holiday"]])
    artist: str
    license: str = Field(examples=["CC0-1.0"])
    source: str = Field(description="Origin of the image.")
    restyle: bool = Field(description="Whether its license allows restyling toward it here.")


class StyleList(BaseModel):
    """Styles of the library."""

    styles: list[Style]


class FeedbackIn(Strict):
    """Rating of one restyled image."""

    model_config = JSON | ConfigDict(
        json_schema_extra={
            "examples": [{"feedback_id": "f-17", "request_id": "s42-3", "item_id": "p0001", "satisfied": False}]
        }
    )

    feedback_id: EventKey = Field(
        description="Your own id of this rating. The same id sent again changes nothing.", examples=["f-17"]
    )
    request_id: RequestKey = Field(
        description="X-Request-ID of the answer that showed the image; the service logged its style and strength.",
        examples=["s42-3"],
    )
    item_id: Text = Field(examples=["p0001"])
    satisfied: bool


class FeedbackResult(BaseModel):
    """Result of a rating, and its effect on the next images."""

    status: str = Field(description="`accepted`, or `duplicate` of a rating that was accepted before.")
    learned: str = Field(
        description="Effect in one sentence.", examples=["Pictures are milder: strong restyling was not liked."]
    )


class MergeIn(Strict):
    """Another id of the user in the path, such as that of the visitor before the login."""

    model_config = JSON | ConfigDict(json_schema_extra={"examples": [{"old_id": "visitor-17"}]})

    old_id: Text = Field(description="Id whose events, ratings and tastes count for the user from now on.")


class Merged(BaseModel):
    """Result of a merge."""

    user_id: str = Field(description="Id that remains; answers to all ids are the same.", examples=["u001"])
    ids: list[str] = Field(description="All ids of the user.", examples=[["u001", "visitor-17"]])
    status: str = Field(description="`merged`, or `known` if the old id was merged into this user before.")


class Erased(BaseModel):
    """Result of an erasure."""

    known: bool = Field(
        description="Whether anything was stored of this user; false: check the id, as nothing was erased."
    )
    rows: dict[str, int] = Field(
        description="Number of erased rows by place.", examples=[{"events": 17, "exposures": 4, "interactions": 9}]
    )
    pending: bool = Field(
        description="Whether files on disk wait for the end of a running build. Answers no longer use them either way."
    )
