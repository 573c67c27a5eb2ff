"""What a caller asks and what it gets: the nouns of one recommendation request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recsys.errors import RequestError
from recsys.profiles.style_library import StyleNeighbor
from recsys.profiles.taste import Taste
from recsys.profiles.text_style import WordShare
from recsys.schema import FEATURES, Basis, FloatArray, ItemId, Reranker, UserId
from style.descriptors.words import lab_of_hex
from style.vector import StyleVector

MAX_LIMIT = 200
MAX_COLOR_TOLERANCE = 100.0


@dataclass(frozen=True, slots=True)
class Filters:
    """Which items may be recommended. All conditions hold together.

    `categories`: any of these (empty: all). `price_min`, `price_max`: inclusive; an item without a price fails
    both. `exclude`: never these. `seen`: also what the user has already touched. `unavailable`: also what cannot be
    bought now. `color`: only products whose dominant color is within `color_tolerance` (CIEDE2000, 1 is just
    visible) of "#rrggbb"; needs a bundle with descriptors of color.
    """

    categories: frozenset[str] = frozenset()
    price_min: float | None = None
    price_max: float | None = None
    exclude: frozenset[ItemId] = frozenset()
    seen: bool = False
    unavailable: bool = False
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
    """Who asks, and for what.

    `user_id`: a known or unknown user, or None for an anonymous session. `items`: items touched in this session,
    each with a weight (negative: disliked); they count beside the user's history. `styles`: chosen style
    references; `looks`: style vectors of liked pictures, such as an uploaded one. Both are the taste, whatever was
    touched. `fresh_taste`: the taste was reset, so that of it the history says nothing any more: this session's items,
    chosen styles and looks do; what else the same people like still counts. `limit` in 1 .. MAX_LIMIT. `diversity`,
    `calibration` and `exploration` in [0, 1] and `reranker` replace the settings; `blend`: weights (at least 0) of
    features, in place of the fitted ones (`recsys.ranking.features.Blend.reweighted`).

    `shown`: what was shown before in this session; it comes after everything else that passes the filters, so a list
    repeats only where nothing new is left, and is never shorter for it. Unknown ids are ignored.
    `exploration_seed`: any text that tells this request from others of the same user, or of anybody without an account
    (such as the session's id and a count): with the same text the same items are explored.
    """

    user_id: UserId | None = None
    items: Mapping[ItemId, float] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    limit: int = 10
    filters: Filters = Filters()
    diversity: float | None = None
    calibration: float | None = None
    exploration: float | None = None
    shown: frozenset[ItemId] = frozenset()
    exploration_seed: str = ""
    looks: tuple[StyleVector, ...] = ()
    fresh_taste: bool = False
    reranker: Reranker | None = None
    blend: Mapping[str, float] | None = None

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


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One recommended item.

    `contributions` are the parts of the score by feature and sum to `score`;
    `reason` is a sentence for people; `because` is the touched item behind it, if one stands out; `mode` is the
    index of the taste mode that the item matches best, or None without a taste.

    `propensity` in (0, 1] is how probable it was, before any draw, that this item stands in this place: 1 where nothing
    was random. `explored`: it is there to be tried out, not because it scored best.
    """

    item_id: ItemId
    score: float
    contributions: Mapping[str, float]
    reason: str
    because: ItemId | None
    mode: int | None
    propensity: float = 1.0
    explored: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A ranked list, best first, with what it stands on and the bundle that made it.

    `taste` is that of the person who asked, so that pictures need not compute it again; it does not count when answers
    are compared. None where nobody's taste was asked for.
    """

    recommendations: tuple[Recommendation, ...]
    basis: Basis
    model_version: str
    taste: Taste | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TasteMode:
    """One direction of a taste: `vector` `(128,)` in style space, its `share` of the taste in (0, 1], the style
    references nearest to it, and catalog items that show it."""

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
    """Where words point: the `style` as one renders or searches by it, what each known word adds (shares sum to 1), the
    words nobody knows, and the style references nearest to it."""

    style: StyleVector
    words: tuple[WordShare, ...]
    unknown: tuple[str, ...]
    styles: tuple[StyleNeighbor, ...]


@dataclass(frozen=True, slots=True)
class TasteReport:
    """A user's taste, readable by a person. `modes` is empty where nothing is known (`basis` is then POPULAR);
    `events`: how many liked items it is drawn from. `taste`: the directions behind the modes."""

    modes: tuple[TasteMode, ...]
    basis: Basis
    events: int
    taste: Taste = field(compare=False, repr=False)
