"""Types of one recommendation request and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recsys.errors import RequestError
from recsys.profiles.session import ItemState
from recsys.profiles.style_library import StyleNeighbor
from recsys.profiles.taste import Taste
from recsys.profiles.text_style import WordShare
from recsys.ranking.variants import Variants
from recsys.schema import FEATURES, Basis, FloatArray, ItemId, Kinds, Reranker, UserId
from style.descriptors.words import lab_of_hex
from style.vector import StyleVector

MAX_LIMIT = 200
MAX_COLOR_TOLERANCE = 100.0


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that recommended items pass, all of them.

    Attributes:
        categories: Any of these; empty means all.
        price_min: Inclusive; an item without a price fails.
        price_max: Inclusive; an item without a price fails.
        exclude: Items that are never recommended, with their variants.
        seen: Include items that the user has seen. Items that the user dislikes are left out all the same.
        seen_kinds: Events that make an item seen; None: those of the settings.
        unavailable: Include items that cannot be bought at present.
        variants: One item of each product, or all variants; then exclusion and seen concern single variants.
        color: Only items whose dominant color is near "#rrggbb"; needs a bundle with color descriptors.
        color_tolerance: Largest color difference (CIEDE2000, 1 is just visible), in [0, MAX_COLOR_TOLERANCE].
    """

    categories: frozenset[str] = frozenset()
    price_min: float | None = None
    price_max: float | None = None
    exclude: frozenset[ItemId] = frozenset()
    seen: bool = False
    seen_kinds: Kinds | None = None
    unavailable: bool = False
    variants: Variants = Variants.ONE
    color: str | None = None
    color_tolerance: float = 20.0

    def __post_init__(self) -> None:
        for name in ("price_min", "price_max"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value >= 0):
                raise RequestError(name, f"must be a number of at least 0, got {value}")
        if self.price_min is not None and self.price_max is not None and self.price_min > self.price_max:
            raise RequestError("price_min", f"{self.price_min} is above price_max {self.price_max}")
        if self.color is not None:
            try:
                lab_of_hex(self.color)
            except ValueError as error:
                raise RequestError("color", str(error)) from None
        if not 0 <= self.color_tolerance <= MAX_COLOR_TOLERANCE:
            raise RequestError(
                "color_tolerance", f"must lie in 0 .. {MAX_COLOR_TOLERANCE:g}, got {self.color_tolerance}"
            )


@dataclass(frozen=True, slots=True)
class Request:
    """Recommendation request with all its options.

    Attributes:
        user_id: A known or unknown user, or None for an anonymous session.
        items: Items of this session, each with an event weight (negative: disliked); they count beside the history.
        states: Items of this session with their kinds of events; other `items` are clicks, or dislikes if negative. An
            item that is here alone has no weight, but may be seen, or taken back from the history.
        styles: Ids of chosen style references; together with `liked_styles` they replace the taste from events.
        limit: Number of items, in 1 .. MAX_LIMIT.
        filters: Conditions that recommended items pass.
        diversity: In [0, 1]; replaces the setting.
        calibration: In [0, 1]; replaces the setting.
        exploration: Share of positions that are explored, in [0, 1]; replaces the setting.
        shown: Items shown before in this session. They follow all other items that pass the filters, so a list repeats
            only if nothing new is left, and is never shorter for it. Unknown ids are ignored.
        exploration_seed: Text that distinguishes this request from others of the same user or of anonymous sessions,
            such as a session id and a count. With the same text, the same items are explored.
        liked_styles: Style vectors of liked images, such as an uploaded one.
        ignore_style_history: The user reset their taste. Style is inferred from this session, chosen styles and liked
            images only; collaborative signals still use the full history.
        reranker: Replaces the setting.
        blend: Weights (at least 0) of features that replace the fitted ones (`recsys.models.blend.Blend.with_weights`).
        merged: Other ids of the same person, whose histories count, too.
    """

    user_id: UserId | None = None
    items: Mapping[ItemId, float] = field(default_factory=dict)
    states: Mapping[ItemId, ItemState] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    limit: int = 10
    filters: Filters = Filters()
    diversity: float | None = None
    calibration: float | None = None
    exploration: float | None = None
    shown: frozenset[ItemId] = frozenset()
    exploration_seed: str = ""
    liked_styles: tuple[StyleVector, ...] = ()
    ignore_style_history: bool = False
    reranker: Reranker | None = None
    blend: Mapping[str, float] | None = None
    merged: tuple[UserId, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise RequestError("limit", f"must lie in 1 .. {MAX_LIMIT}, got {self.limit}")
        for name in ("diversity", "calibration", "exploration"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value <= 1.0:
                raise RequestError(name, f"must lie in [0, 1], got {value}")
        for feature, weight in (self.blend or {}).items():
            if feature not in FEATURES:
                raise RequestError("blend", f"unknown feature {feature!r}; known ones: {', '.join(FEATURES)}")
            if not (np.isfinite(weight) and weight >= 0):
                raise RequestError("blend", f"weight of {feature!r} must be a number of at least 0, got {weight}")
        for item, weight in self.items.items():
            if not np.isfinite(weight) or weight == 0:
                raise RequestError("items", f"weight of {item!r} must be a number other than 0, got {weight}")

    @property
    def session(self) -> Mapping[ItemId, ItemState]:
        """Return all items of the session with their states."""
        others = {item: weight for item, weight in self.items.items() if item not in self.states}
        return {**self.states, **{item: ItemState.from_weight(weight) for item, weight in others.items()}}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One recommended item.

    Attributes:
        item_id: The item.
        score: Sum of the contributions.
        contributions: Part of each feature in the score.
        reason: One sentence that explains the item.
        because: Item of the user's history that the reason names, if any.
        component: Index of the taste component that the item fits best; None without a taste.
        propensity: Probability in (0, 1], before any draw, of this item in this position; 1 if nothing was random.
        explored: True if exploration put the item there, False if its score did.
    """

    item_id: ItemId
    score: float
    contributions: Mapping[str, float]
    reason: str
    because: ItemId | None
    component: int | None
    propensity: float = 1.0
    explored: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a request: a list of recommendations.

    Attributes:
        recommendations: Best first.
        basis: Evidence that the list rests on.
        model_version: Version of the bundle that made it.
        taste: Taste of the user, so that restyling need not compute it again; ignored when answers are compared. None
            if the answer did not need a taste.
        empty_text: Why there are no recommendations, in one sentence; "" if there are any.
    """

    recommendations: tuple[Recommendation, ...]
    basis: Basis
    model_version: str
    taste: Taste | None = field(default=None, compare=False, repr=False)
    empty_text: str = ""


@dataclass(frozen=True, slots=True)
class TasteComponent:
    """One component of a taste.

    Attributes:
        vector: (128,) the component in style space.
        share: Share of the taste, in (0, 1].
        styles: Nearest style references.
        items: Catalog items that show it.
    """

    vector: FloatArray
    share: float
    styles: tuple[StyleNeighbor, ...]
    items: tuple[ItemId, ...]

    @property
    def close_styles(self) -> tuple[StyleNeighbor, ...]:
        """Return the nearest style reference, and those at least half as similar: they describe the component."""
        best = max((style.similarity for style in self.styles), default=0.0)
        return tuple(style for style in self.styles if style.similarity > 0 and style.similarity >= best / 2)


@dataclass(frozen=True, slots=True)
class TextReport:
    """Style that words describe.

    Attributes:
        style: The style vector to restyle toward or to search by.
        words: Contribution of each known word; shares sum to 1.
        unknown: Words that are not known.
        styles: Nearest style references.
    """

    style: StyleVector
    words: tuple[WordShare, ...]
    unknown: tuple[str, ...]
    styles: tuple[StyleNeighbor, ...]


@dataclass(frozen=True, slots=True)
class TasteReport:
    """Taste of a user, for display.

    Attributes:
        components: Empty if nothing is known; `basis` is then POPULAR.
        basis: Evidence behind the taste.
        events: Number of liked items behind the taste.
        taste: The directions behind the components.
    """

    components: tuple[TasteComponent, ...]
    basis: Basis
    events: int
    taste: Taste = field(compare=False, repr=False)
