"""Schemas of lists: recommendations for a user or a session, and similar items."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys.api.limits import MAX_CATEGORIES, MAX_EXCLUDED, MAX_SESSION_ITEMS, MAX_SHOWN, MAX_STYLES
from recsys.api.route_table import image_path
from recsys.api.schemas.common import (
    JSON,
    KEEP_COLOR_TEXT,
    MODE_TEXT,
    Base64Image,
    DeadlineMs,
    Number,
    Price,
    Share,
    Strict,
    Text,
)
from recsys.api.schemas.events import EventWord
from recsys.ranking.request import MAX_COLOR_TOLERANCE, MAX_LIMIT, Filters
from recsys.ranking.similar import SimilarBy
from recsys.ranking.variants import Variants
from recsys.restyling.render_result import RestyleStatus
from recsys.schema import Basis, EventKind, ItemId, Kinds
from style.fidelity import Limit
from style.modes import PaintMode

CursorText = Annotated[str, Field(min_length=1, max_length=6_000, pattern=r"^[A-Za-z0-9_-]+$")]
ForcedArm = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}:[a-z0-9][a-z0-9_-]{0,63}$")]
"""Key of an experiment and name of one of its arms."""


class RestyleMode(StrEnum):
    """Delivery of restyled images with a list: links, the first images in the answer, or none."""

    LINK = "link"
    INLINE = "inline"
    OFF = "off"


class FilterOptions(Strict):
    """Filters of a list and its length."""

    limit: int = Field(default=10, ge=1, le=MAX_LIMIT, description="Number of items.", examples=[10])
    category: list[Text] = Field(
        default_factory=list,
        max_length=MAX_CATEGORIES,
        description="Only items of these categories, exactly or except for case; repeatable, or separated by commas. A "
        "category that no item has gives no items. Default: all categories.",
    )
    price_min: Price | None = Field(default=None, description="Lowest price; items without a price are left out.")
    price_max: Price | None = Field(default=None, description="Highest price; items without a price are left out.")
    exclude: list[Text] = Field(
        default_factory=list,
        max_length=MAX_EXCLUDED,
        description="Ids of items to leave out; repeatable, or separated by commas.",
    )
    include_seen: bool = Field(
        default=False, description="Include items that the user has seen. Disliked items are left out all the same."
    )
    seen: list[EventKind] = Field(
        default_factory=list,
        max_length=len(EventKind),
        description="Events that make an item seen in this request, such as `purchase`; repeatable. Default: the "
        "shop's setting.",
    )
    variants: Variants = Field(
        default=Variants.ONE,
        strict=False,
        description="`one`: the best variant of each product (`item_group_id`); a product with a seen, disliked or "
        "excluded variant is left out. `all`: variants are items of their own.",
    )
    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] | None = Field(
        default=None,
        description="Only products whose dominant color is near this one; needs `[descriptors]` of color.",
        examples=["#c83232"],
    )
    color_tolerance: float = Field(
        default=20.0,
        ge=0,
        le=MAX_COLOR_TOLERANCE,
        allow_inf_nan=False,
        description="Largest distance from `color` in CIEDE2000: 1 is just visible, above 10 most people see another "
        "color.",
    )

    @model_validator(mode="after")
    def _check_prices(self) -> FilterOptions:
        if self.price_min is not None and self.price_max is not None and self.price_min > self.price_max:
            raise ValueError(f"price_min {self.price_min} is above price_max {self.price_max}")
        return self

    def filters(self, exclude: frozenset[ItemId], categories: frozenset[str]) -> Filters:
        """Return the filters as the recommender takes them, with the items and categories that were found."""
        return Filters(
            categories=categories,
            price_min=self.price_min,
            price_max=self.price_max,
            exclude=exclude,
            seen=self.include_seen,
            variants=self.variants,
            seen_kinds=Kinds.from_kinds(self.seen) if self.seen else None,
            color=self.color,
            color_tolerance=self.color_tolerance,
        )


class RecommendationOptions(FilterOptions):
    """Options of a list of recommendations."""

    diversity: Share | None = Field(
        default=None,
        description="0: only the score counts; 1: only variety counts. Default: the shop's setting.",
        examples=[0.2],
    )
    calibration: Share | None = Field(
        default=None,
        description="How closely the list follows the mix of styles and categories that the user liked; 0: not at all. "
        "Default: the shop's setting.",
        examples=[0.2],
    )
    exploration: Share | None = Field(
        default=None,
        description="Share of positions for long-tail items. Default: the shop's setting.",
        examples=[0.1],
    )
    shown: list[Text] = Field(
        default_factory=list,
        max_length=MAX_SHOWN,
        description="Ids of items that this session already showed; they come after all others. Repeatable, or "
        "separated by commas.",
    )
    exploration_seed: Text | None = Field(
        default=None,
        description="Seed of exploration: any text, such as a session id and a count. The same text explores the same "
        "items.",
        examples=["s42-3"],
    )
    restyle: RestyleMode = Field(
        strict=False,
        default=RestyleMode.LINK,
        description="`link`: a link for each restyled image, without waiting. `inline`: the first images in the "
        "answer. `off`: no restyled images.",
    )
    strength: Share | None = Field(
        default=None, description="Strength of restyling; 0: none. Default: the shop's setting."
    )
    mode: PaintMode | None = Field(default=None, strict=False, description=MODE_TEXT)
    keep_color: bool | None = Field(default=None, description=KEEP_COLOR_TEXT)
    scene: Text | None = Field(
        default=None,
        description="Restyle toward the style of this scene (see /v1/styles) that is nearest to the taste.",
        examples=["holiday"],
    )
    session_id: Text | None = Field(
        default=None,
        description="Your own id of this visit, for experiments on sessions.",
        examples=["s42"],
    )
    platform: Text | None = Field(
        default=None,
        description="Platform that shows the list, such as web, ios or android, for experiments.",
        examples=["web"],
    )
    country: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z]{2}$",
        description="Country in two letters of ISO 3166, for experiments.",
        examples=["DE"],
    )
    language: Text | None = Field(
        default=None, description="Language tag of BCP 47, for experiments.", examples=["pt-BR"]
    )
    force: list[ForcedArm] = Field(
        default_factory=list,
        max_length=16,
        description="`experiment:arm`, to inspect an arm, also of a draft; repeatable. Needs the scope admin. The list "
        "is not part of any analysis.",
    )
    deadline_ms: DeadlineMs | None = Field(
        default=None,
        description="Time in milliseconds that `inline` may wait for all images together. Default: the shop's setting.",
    )
    explain: bool = Field(default=False, description="Also return the parts of each score.")
    cursor: CursorText | None = Field(
        default=None,
        description="`next_cursor` of the previous page, with the same options: returns the best items that no page "
        "had yet.",
    )


class SessionItem(Strict):
    """Item of a session, with an event or a weight of your own."""

    model_config = JSON

    item_id: Text = Field(examples=["p0001"])
    event: EventWord | None = Field(
        default=None, description="Event with the item, in order of time. Default: a click.", examples=["cart"]
    )
    weight: Number | None = Field(
        default=None, ge=-1000, le=1000, description="Weight instead of `event`; negative for a dislike."
    )

    @model_validator(mode="after")
    def _check_weight(self) -> SessionItem:
        if self.event is not None and self.weight is not None:
            raise ValueError("give either event or weight, not both")
        if self.weight == 0:
            raise ValueError("weight must not be 0: leave the item out instead")
        return self


class SessionRequest(RecommendationOptions):
    """Request of a visitor without a user id: items of the session, chosen styles, a liked image, or all of them."""

    model_config = JSON | ConfigDict(
        json_schema_extra={
            "examples": [
                {"items": [{"item_id": "p0001", "event": "cart"}, {"item_id": "p0002", "weight": 1.5}], "limit": 5},
                {"styles": ["linen"], "category": ["lamp"], "price_max": 120, "restyle": "link"},
            ]
        }
    )

    items: list[SessionItem] = Field(
        default_factory=list,
        max_length=MAX_SESSION_ITEMS,
        description="Items of this session; weights of the same item add up. Items that the catalog does not have are "
        "ignored and named in `unknown`.",
    )
    styles: list[Text] = Field(
        default_factory=list, max_length=MAX_STYLES, description="Ids of liked styles, from /v1/styles."
    )
    image_base64: Base64Image | None = Field(
        default=None, description="Liked image, as its file in base64. The service stores nothing of it."
    )


class SimilarOptions(FilterOptions):
    """Options of a list of similar items."""

    by: SimilarBy = Field(
        default=SimilarBy.STYLE,
        description="`style`: similar style. `taste`: liked by the same users. `both`: both with equal weight. "
        "`color`, `texture`, `shape`: only that property, if the shop's `[descriptors]` include it.",
    )
    user_id: Text | None = Field(default=None, description="Leave out items with which this user interacted.")


class Item(BaseModel):
    """Product."""

    item_id: str = Field(examples=["p0001"])
    title: str = Field(examples=["Walnut table lamp"])
    category: str = Field(examples=["lamp"])
    price: float | None = Field(description="Price in the catalog's currency; null: unknown.", examples=[79.0])
    available: bool
    image: str | None = Field(
        description="Link to the original image; null: the item has none.",
        examples=[f"{image_path('p0001')}?width=256&signature=9f2c"],
    )


class RestyledImage(BaseModel):
    """Image of a product in the style of the user's taste, with the action that was chosen for it."""

    url: str = Field(description="Link that renders the image on request.")
    action: str = Field(
        description="Style target of the image: `taste`, `style:` and an id, or `scene:` and a name.",
        examples=["taste"],
    )
    requested_strength: float = Field(description="Strength before the limits of fidelity.", examples=[0.6])
    propensity: float = Field(
        description="Probability of this action before any draw; 1 if nothing was random.", examples=[1.0]
    )
    status: RestyleStatus | None = Field(
        default=None, description="Status of `data`: computed, cached, or the original if the deadline passed."
    )
    data: str | None = Field(default=None, description="Image as a data URI, with restyle=inline.")
    strength: float | None = Field(
        default=None, description="Strength of `data`, at most the requested one.", examples=[0.6]
    )
    limited_by: list[Limit] | None = Field(
        default=None, description="Limits of fidelity that reduced the strength of `data`.", examples=[[]]
    )


class RecommendedItem(BaseModel):
    """Item of a list, with its reason."""

    rank: int = Field(description="Position in the list; 1 is the best.", examples=[1])
    item: Item
    score: float = Field(examples=[0.82])
    reason: str = Field(description="Reason in one sentence.", examples=["Matches your taste for Linen"])
    because: str | None = Field(
        description="Id of the item behind the reason, with which the user interacted; null: no single one."
    )
    taste_component: int | None = Field(
        description="Index of the taste component that the item matches best; null without a taste.", examples=[0]
    )
    propensity: float = Field(
        description="Probability, before any draw, that this item has this rank; 1 if nothing was random. Log it with "
        "the rank, to weight clicks.",
        examples=[1.0],
    )
    explored: bool = Field(description="Whether exploration put the item here, not its score.", examples=[False])
    restyled: RestyledImage | None = Field(description="null: no taste, no image, or restyling is off.")
    contributions: dict[str, float] | None = Field(
        description="With explain=true: the parts of the score by feature.",
        examples=[{"factors": 0.5, "style": 0.3, "popularity": 0.02}],
    )


class RecommendationList(BaseModel):
    """Ranked list, best first."""

    items: list[RecommendedItem]
    basis: Basis = Field(description="Data on which the list rests.", examples=[Basis.HISTORY])
    basis_text: str = Field(description="The basis in one sentence.", examples=["Based on this user's history."])
    empty_text: str | None = Field(default=None, description="Why the list is empty, in one sentence; null: it is not.")
    model_version: str = Field(description="Version of the bundle that answered.", examples=["4f1c9a0b7d3e2a51"])
    experiments: dict[str, str] = Field(
        default_factory=dict,
        description="Experiments that this answer is part of, each with its arm.",
        examples=[{"milder-pictures": "mild"}],
    )
    next_cursor: str | None = Field(
        default=None, description="Value of `cursor` for the next page; null: there is none."
    )
    unknown: list[str] = Field(
        default_factory=list,
        description="Ids of items in the request that the catalog does not have; they were ignored.",
        examples=[["p9999"]],
    )
    hints: list[str] = Field(
        default_factory=list,
        description="Remarks on the request, such as a category that no item has.",
        examples=[["no item has the category 'lamps' at present; similar ones: 'lamp'"]],
    )


class SimilarList(BaseModel):
    """Items similar to one item, most similar first."""

    items: list[RecommendedItem]
    by: SimilarBy
    model_version: str
    unknown: list[str] = Field(
        default_factory=list, description="Ids of items in `exclude` that the catalog does not have."
    )
    hints: list[str] = Field(default_factory=list, description="Remarks on the request, as in recommendations.")
