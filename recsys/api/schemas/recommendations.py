"""Requests and answers as they travel. Unknown fields are refused; every field says what it means."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys.api.limits import (
    MAX_CATEGORIES,
    MAX_DEADLINE_MS,
    MAX_EXCLUDED,
    MAX_ID_LENGTH,
    MAX_IMAGE_CHARACTERS,
    MAX_SESSION_ITEMS,
    MAX_SHOWN,
    MAX_STYLES,
)
from recsys.api.route_table import image_path
from recsys.profiles.text_style import LONGEST_TEXT
from recsys.ranking.request import MAX_COLOR_TOLERANCE, MAX_LIMIT, Filters
from recsys.ranking.similar import SimilarBy
from recsys.restyling.render_request import MAX_WIDTH
from recsys.restyling.render_result import RestyleStatus
from recsys.schema import Basis, EventKind, ItemId
from style.fidelity import Limit
from style.modes import PaintMode
from style.provenance.mark import ImageFormat

Text = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""An id or a name: 1 to 512 characters, no control codes."""

Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Picture64 = Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_CHARACTERS)]
"""A picture's file in base64."""
Price = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Cursor = Annotated[str, Field(min_length=1, max_length=6_000, pattern=r"^[A-Za-z0-9_-]+$")]
Deadline = Annotated[int, Field(ge=0, le=MAX_DEADLINE_MS)]

MODE_TEXT = (
    "What is painted. `product`: the product, a plain backdrop stays. `full`: the whole picture. `background`: all but "
    "the product. `tone`: the product's colors alone. Default: the shop's setting."
)
KEEP_COLOR_TEXT = "Change lightness alone, so that hues stay. Default: the shop's setting."


Forced = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}:[a-z0-9][a-z0-9_-]{0,63}$")]
"""An experiment and one of its arms."""


class Strict(BaseModel):
    """Base of all that callers send."""

    model_config = ConfigDict(extra="forbid")


JSON = ConfigDict(strict=True)
"""Of what is sent as JSON, which has types: true is not 1, and "5" is not 5. Members of enumerations are text there, so
their fields are not strict."""


class NoParameters(Strict):
    """The query of a route that takes no parameters."""


class RestyleMode(StrEnum):
    """How pictures come with a list: as links, the first ones within the answer, or not at all."""

    LINK = "link"
    INLINE = "inline"
    OFF = "off"


class FilterOptions(Strict):
    """Which items may be in an answer, and how many."""

    limit: int = Field(default=10, ge=1, le=MAX_LIMIT, description="How many items.", examples=[10])
    category: list[Text] = Field(
        default_factory=list, max_length=MAX_CATEGORIES, description="Any of these categories; repeatable. None: all."
    )
    price_min: Price | None = Field(default=None, description="Lowest price; items without a price fail it.")
    price_max: Price | None = Field(default=None, description="Highest price; items without a price fail it.")
    exclude: list[Text] = Field(
        default_factory=list, max_length=MAX_EXCLUDED, description="Ids of items to leave out; repeatable."
    )
    include_seen: bool = Field(default=False, description="Also what the user has already touched.")
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
        description="How far from `color`, in CIEDE2000: 1 is just visible, above 10 it is another color to most.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> FilterOptions:
        if self.price_min is not None and self.price_max is not None and self.price_min > self.price_max:
            raise ValueError(f"price_min {self.price_min} is above price_max {self.price_max}")
        return self

    def filters(self) -> Filters:
        """As the recommender takes them."""
        return Filters(
            categories=frozenset(self.category),
            price_min=self.price_min,
            price_max=self.price_max,
            exclude=frozenset(map(ItemId, self.exclude)),
            seen=self.include_seen,
            color=self.color,
            color_tolerance=self.color_tolerance,
        )


class RecommendationOptions(FilterOptions):
    """Options of a list of recommendations."""

    diversity: Share | None = Field(
        default=None,
        description="0: fit alone; 1: variety alone. Default: the shop's setting.",
        examples=[0.2],
    )
    calibration: Share | None = Field(
        default=None,
        description="How much the list keeps to the mix of styles and categories of what was liked; 0: not at all. "
        "Default: the shop's setting.",
        examples=[0.2],
    )
    exploration: Share | None = Field(
        default=None,
        description="The share of places that go to little-known items, to try them out. Default: the shop's setting.",
        examples=[0.1],
    )
    shown: list[Text] = Field(
        default_factory=list,
        max_length=MAX_SHOWN,
        description="Ids of items shown before in this session; they come after all others. Repeatable.",
    )
    refresh: Text | None = Field(
        default=None,
        description="Any text that tells this request from others of the same person, such as a session's id and a "
        "count: with the same text the same items are explored.",
        examples=["s42-3"],
    )
    restyle: RestyleMode = Field(
        strict=False,
        default=RestyleMode.LINK,
        description="`link`: a link for each restyled picture, at once. `inline`: the first few within the answer.",
    )
    strength: Share | None = Field(
        default=None, description="How strongly pictures are restyled; 0: not at all. Default: the shop's setting."
    )
    mode: PaintMode | None = Field(default=None, strict=False, description=MODE_TEXT)
    keep_color: bool | None = Field(default=None, description=KEEP_COLOR_TEXT)
    scene: Text | None = Field(
        default=None,
        description="Pictures go toward the style of this scene (see /v1/styles) that is nearest to the taste.",
        examples=["holiday"],
    )
    session_id: Text | None = Field(
        default=None,
        description="Your own id of this visit: what experiments on sessions assign.",
        examples=["s42"],
    )
    platform: Text | None = Field(
        default=None,
        description="Where the list is shown, such as web, ios or android: for experiments.",
        examples=["web"],
    )
    country: str | None = Field(
        default=None, pattern=r"^[A-Za-z]{2}$", description="Two letters of ISO 3166: for experiments.", examples=["DE"]
    )
    language: Text | None = Field(
        default=None, description="A language tag of BCP 47: for experiments.", examples=["pt-BR"]
    )
    force: list[Forced] = Field(
        default_factory=list,
        max_length=16,
        description="`experiment:arm`, to look at an arm, also of a draft; repeatable. It needs the scope admin, and "
        "is no part of any analysis.",
    )
    deadline_ms: Deadline | None = Field(
        default=None, description="How long `inline` may wait for all pictures together. Default: the shop's setting."
    )
    explain: bool = Field(default=False, description="Also say what each score is made of.")
    cursor: Cursor | None = Field(
        default=None,
        description="`next_cursor` of the page before, with the same options: the best that was on no page yet.",
    )


class SimilarOptions(FilterOptions):
    """Options of a list of similar items."""

    by: SimilarBy = Field(
        default=SimilarBy.STYLE,
        description="`style`: looks alike. `taste`: liked by the same people. `both`: both count alike. "
        "`color`, `texture`, `shape`: by that alone, where the shop's `[descriptors]` have it.",
    )
    user_id: Text | None = Field(default=None, description="Leave out what this user has touched.")


class SessionItem(Strict):
    """An item that was touched in this session: what was done with it, or a weight of your own."""

    model_config = JSON

    item_id: Text = Field(examples=["p0001"])
    event: EventKind | None = Field(
        default=None, strict=False, description="What was done. Default: a click.", examples=["cart"]
    )
    weight: Number | None = Field(
        default=None, ge=-1000, le=1000, description="Instead of `event`: how much it counts; negative for a dislike."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> SessionItem:
        if self.event is not None and self.weight is not None:
            raise ValueError("give either event or weight, not both")
        if self.weight == 0:
            raise ValueError("weight must not be 0: leave the item out instead")
        return self


class SessionRequest(RecommendationOptions):
    """Who asks without an account: the items of the session, chosen styles, or both."""

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
        description="Items touched in this session; the weights of one named twice add up.",
    )
    styles: list[Text] = Field(
        default_factory=list, max_length=MAX_STYLES, description="Ids of liked styles, from /v1/styles."
    )
    image_base64: Picture64 | None = Field(
        default=None, description="A picture that is liked, as its file in base64. Nothing of it is kept."
    )


class PictureOptions(Strict):
    """Toward which style a picture goes, and how it is encoded. Without a style it is the original."""

    user: Text | None = Field(default=None, description="Toward this user's taste.")
    style: Text | None = Field(default=None, description="Toward this style of /v1/styles.")
    item: Text | None = Field(default=None, description="Toward the style of this item.")
    vector: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_-]{171}$", description="Toward this encoded style vector, as links have it."
    )
    scene: Text | None = Field(
        default=None,
        description="Toward the style of this scene (see /v1/styles) that is nearest to `user`; "
        "without a user, the library's first.",
        examples=["holiday"],
    )
    text: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_TEXT,
        description="Toward what these words say of a look, as the catalog uses them; with `user`, from that user's "
        "taste halfway there. The header `Restyle-Near` names the styles that come nearest.",
        examples=["dark marble"],
    )
    taste_mode: int | None = Field(default=None, ge=0, le=3, description="With `user`: which mode of the taste.")
    strength: Share | None = Field(
        default=None, description="0: the original; 1: as strongly as the limits of fidelity allow."
    )
    mode: PaintMode | None = Field(default=None, description=MODE_TEXT)
    keep_color: bool | None = Field(default=None, description=KEEP_COLOR_TEXT)
    width: int | None = Field(
        default=None, ge=16, le=MAX_WIDTH, description="Pixels at most; pictures are never enlarged."
    )
    format: ImageFormat = Field(default=ImageFormat.JPEG, description="File format.")
    deadline_ms: Deadline | None = Field(default=None, description="After this time the original is served instead.")

    @model_validator(mode="after")
    def _one_style(self) -> PictureOptions:
        asked = (self.style, self.item, self.vector, self.scene, self.text)
        given = sum(one is not None for one in asked)
        with_user = self.scene is not None or self.text is not None
        if given > 1 or (given == 1 and self.user is not None and not with_user):
            raise ValueError(
                "give at most one of user, style, item, vector, scene and text; user goes with scene and with text, too"
            )
        if self.taste_mode is not None and self.user is None:
            raise ValueError("taste_mode needs user: only a user's taste has modes")
        return self


class ImageOptions(PictureOptions):
    """The options of an item's picture, and what a link has besides."""

    photo: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{16}$",
        description="The state of photo, style and engine that a link was made for; caches may keep that one for good.",
    )
    engine: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9-]{1,64}$",
        description="Another engine than the shop's setting, in links of lists that are part of an experiment; with "
        "`signature` alone.",
    )
    signature: str | None = Field(
        default=None, max_length=128, description="A link's signature; it stands for an API key."
    )

    @model_validator(mode="after")
    def _engine_of_a_link(self) -> ImageOptions:
        # Each engine takes memory for good, hence callers cannot have them all loaded.
        if self.engine is not None and self.signature is None:
            raise ValueError("engine comes in signed links alone; leave it out")
        return self


class Item(BaseModel):
    """A product."""

    item_id: str = Field(examples=["p0001"])
    title: str = Field(examples=["Walnut table lamp"])
    category: str = Field(examples=["lamp"])
    price: float | None = Field(description="null where unknown", examples=[79.0])
    available: bool
    image: str | None = Field(
        description="Link to the original picture; null where there is none.",
        examples=[f"{image_path('p0001')}?width=256&signature=9f2c"],
    )


class RestyledImage(BaseModel):
    """A picture of the product in the style of the person's taste, and how that way to show it was chosen."""

    url: str = Field(description="Where the picture is rendered on request.")
    action: str = Field(
        description="The style that it goes toward: `taste`, `style:` and an id if ratings led to it, or `scene:` and "
        "a name.",
        examples=["taste"],
    )
    requested_strength: float = Field(description="Strength in [0, 1] before the limits of fidelity.", examples=[0.6])
    propensity: float = Field(
        description="How probable this way to show it was, before any draw; 1 where nothing was random.", examples=[1.0]
    )
    status: RestyleStatus | None = Field(
        default=None, description="Of `data`: computed, cached, or the original where time was short."
    )
    data: str | None = Field(default=None, description="The picture as a data URI, with restyle=inline.")
    strength: float | None = Field(
        default=None, description="Of `data`: the strength used, at most the requested one.", examples=[0.6]
    )
    limited_by: list[Limit] | None = Field(
        default=None, description="Of `data`: the limits of fidelity that lowered the strength.", examples=[[]]
    )


class RecommendedItem(BaseModel):
    """An item of a list, and why it is there."""

    rank: int = Field(description="1 is the best.", examples=[1])
    item: Item
    score: float = Field(examples=[0.82])
    reason: str = Field(description="Why, in a sentence for people.", examples=["Matches your taste for Linen"])
    because: str | None = Field(description="Id of the touched item behind it, if one stands out.")
    mode: int | None = Field(description="Which mode of the taste it matches best.", examples=[0])
    propensity: float = Field(
        description="How probable it was, before any draw, that this item has this rank; 1 where nothing was random. "
        "Log it with the rank, to weigh clicks by.",
        examples=[1.0],
    )
    explored: bool = Field(description="Whether it is there to be tried out, not for its score.", examples=[False])
    restyled: RestyledImage | None = Field(description="null without a taste, without a picture, or when off.")
    contributions: dict[str, float] | None = Field(
        description="With explain=true: the parts of the score by feature.",
        examples=[{"factors": 0.5, "style": 0.3, "popularity": 0.02}],
    )


class RecommendationList(BaseModel):
    """A ranked list, best first, and what it stands on."""

    items: list[RecommendedItem]
    basis: Basis = Field(examples=[Basis.HISTORY])
    basis_text: str = Field(description="The basis in plain words.", examples=["Based on this user's history."])
    model_version: str = Field(description="The bundle that made this answer.", examples=["4f1c9a0b7d3e2a51"])
    experiments: dict[str, str] = Field(
        default_factory=dict,
        description="The experiments that this answer is part of, and its arm in each.",
        examples=[{"milder-pictures": "mild"}],
    )
    next_cursor: str | None = Field(
        default=None, description="As `cursor`, asks for the next page; null where there is none."
    )


class SimilarList(BaseModel):
    """Items like one item, most alike first."""

    items: list[RecommendedItem]
    by: SimilarBy
    model_version: str


class NearStyle(BaseModel):
    """A style of the library near a taste."""

    style_id: str = Field(examples=["linen"])
    title: str = Field(examples=["Linen"])
    similarity: float = Field(description="Cosine in [-1, 1].", examples=[0.61])


class TasteModeView(BaseModel):
    """One direction of a taste."""

    mode: int = Field(description="As `taste_mode` of a picture's link.", examples=[0])
    share: float = Field(description="Its part of the taste, in (0, 1].", examples=[0.7])
    text: str = Field(description="In plain words.", examples=["70 % of this taste: near Linen and Oak."])
    styles: list[NearStyle] = Field(description="The nearest styles of the library.")
    items: list[Item] = Field(description="Products that show it.")


class Taste(BaseModel):
    """What is known of a user's taste; no modes where nothing is."""

    user_id: str
    modes: list[TasteModeView]
    events: int = Field(description="How many liked items it was learned from.", examples=[12])
    basis: Basis
    basis_text: str
    chosen: list[str] = Field(description="Ids of the styles that the user chose as taste; none: it is learned.")
    strength: float | None = Field(description="How strongly the user wants pictures restyled; null: never said.")
    reset: bool = Field(description="Whether the user had the taste start anew.")
    feedback_text: str = Field(
        description="What verdicts on pictures have changed, in plain words.",
        examples=["Pictures are shown as the shop's settings say."],
    )
    model_version: str


class Style(BaseModel):
    """A style that people can choose."""

    style_id: str = Field(examples=["linen"])
    title: str = Field(examples=["Linen"])
    scenes: list[str] = Field(description="Occasions that it suits.", examples=[["everyday", "holiday"]])
    artist: str
    license: str = Field(examples=["CC0-1.0"])
    source: str = Field(description="Where it comes from.")
    restyle: bool = Field(description="Whether its license lets pictures be restyled toward it here.")


class StyleList(BaseModel):
    """The styles of the library."""

    styles: list[Style]


class Live(BaseModel):
    """The process answers."""

    status: str = Field(examples=["alive"])


class Access(StrEnum):
    """Who may ask."""

    OPEN = "open"
    API_KEY = "api_key"


class Ready(BaseModel):
    """The service can answer, and how well."""

    status: str = Field(examples=["ready"])
    model_version: str
    access: Access = Field(description="`open`: no API key is set, anybody may ask.")
    links_survive_restart: bool = Field(description="Whether links are signed with a key of the environment.")
    restyling: str = Field(description="`ok`, or why originals are served.", examples=["ok"])


class Draining(BaseModel):
    """The service is about to stop."""

    status: str = Field(examples=["draining"])


class ProblemExplanation(BaseModel):
    """A documented type of problem."""

    type: str
    title: str
    status: int
    meaning: str
    cure: str
