"""One request from start to end: profile, retrieve, rank, rerank, explore, explain."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np

from recsys.bundle.types import Bundle
from recsys.dataset.categories import category_groups
from recsys.errors import RequestError, UnknownIdError
from recsys.models.blend import Blend
from recsys.profiles.cold_start import Profile, Profiler
from recsys.profiles.style_library import StyleCard
from recsys.profiles.taste import Taste
from recsys.ranked import NO_ROW, top_k
from recsys.ranking.calibrate import Mix, category_mix, taste_mix
from recsys.ranking.explain import FROM_THE_CATALOG, Explainer, speaking
from recsys.ranking.explain_likeness import descriptor_reasons, shared_words
from recsys.ranking.explore import LongTail, Places, explore
from recsys.ranking.features import SAME_FOR_ALL, Features
from recsys.ranking.fusion import fused
from recsys.ranking.request import (
    MAX_LIMIT,
    Answer,
    Filters,
    Recommendation,
    Request,
    StyleNeighbor,
    TasteMode,
    TasteReport,
    TextReport,
)
from recsys.ranking.rerank import POOL, Reranking, best_pool, rerank
from recsys.ranking.retrieve import Retriever
from recsys.rng import generator
from recsys.schema import FEATURES, BoolArray, FloatArray, IntArray, ItemId, ItemRow, UserId, UserRow
from style.credit import StyleCredit
from style.descriptors.base import Family
from style.errors import RightsError
from style.vector import StyleVector

_SAME_FOR_ALL = np.isin(FEATURES, SAME_FOR_ALL)
SHOWN_STYLES = 3
SHOWN_ITEMS = 6
UNTRIED = "New to most people here"
LOOKS_LIKE, LIKED_LIKE = "Looks like", "Liked by the same people as"
CLEARLY = 0.5
"""From this part of a fused score on (a standard deviation above the mean), a likeness is worth naming."""
CLOSENESS = ((0.5, "Very close to this look"), (0.25, "Close to this look"), (0.0, "Leans towards this look"))
"""How near a cosine above these is, in words."""


class SimilarBy(StrEnum):
    """What similar items share: their look, the people who like them, or both; or, where the bundle has descriptors,
    color, texture or shape alone."""

    STYLE = "style"
    TASTE = "taste"
    BOTH = "both"
    COLOR = "color"
    TEXTURE = "texture"
    SHAPE = "shape"


DESCRIBED = {by: Family(by.value) for by in (SimilarBy.COLOR, SimilarBy.TEXTURE, SimilarBy.SHAPE)}
"""What a descriptor answers, by its family."""


@dataclass(frozen=True, slots=True)
class ItemCard:
    """What a page shows of an item; `price` is None where unknown, `image` None where there is no picture."""

    item_id: ItemId
    title: str
    category: str
    price: float | None
    available: bool
    image: Path | None


class Recommender:
    """Answers requests from one bundle. Immutable after construction, hence safe to share between threads."""

    def __init__(self, bundle: Bundle, before: Recommender | None = None, redescribed: IntArray | None = None) -> None:
        """`before`: the recommender of this bundle without its last items (`recsys.training.refresh`), whose indexes
        serve on, so that this takes milliseconds; `redescribed` (n,): rows of items that it knew, whose factors or
        directions are others now."""
        self.bundle = bundle
        self.version = bundle.version
        self.blend: Blend = bundle.blend
        self.untouched: BoolArray = bundle.untouched
        self._catalog = bundle.catalog
        self._space = bundle.space
        self._settings = bundle.settings.rank
        known: Retriever | None = None if before is None else before._retriever
        self._retriever: Retriever = Retriever.of(
            bundle.factors, bundle.space, bundle.trend, bundle.fresh, known, redescribed
        )
        self._features = Features(
            bundle.catalog, bundle.factors, bundle.space, bundle.trend, bundle.fresh, self.untouched
        )
        self._categories = category_groups(bundle.catalog.category_names)
        self._little_known = LongTail.of(bundle.seen)
        self._refused = _refused(bundle)
        self._styles = {card.style_id: vector for card, vector in zip(bundle.styles, bundle.style_vectors, strict=True)}
        self._directions = np.array(
            [self._space.to_direction(vector) for vector in bundle.style_vectors], dtype=np.float32
        ).reshape(-1, self._space.dimensions)
        self._explainer = Explainer(
            bundle.catalog,
            bundle.factors,
            bundle.neighbors,
            bundle.space,
            self._directions,
            [card.title for card in bundle.styles],
        )
        self._profiler = Profiler(
            user_ids=bundle.user_ids,
            item_ids=bundle.catalog.ids,
            factors=bundle.factors,
            neighbors=bundle.neighbors,
            recent=bundle.recent,
            seen=bundle.seen,
            space=bundle.space,
            taste=bundle.taste,
        )

    @cached_property
    def _pictured(self) -> BoolArray:
        """Which items have a look, (I,); a pass over all vectors, which a new item need not wait for."""
        return np.asarray(self._space.vectors.any(axis=1))

    def recommend(self, request: Request) -> Answer:
        """The best items for a request, best first; what was shown before comes last.

        As many as asked wherever that many pass the filters. Raises UnknownIdError for an unknown item, style or
        category; an unknown user is one of whom nothing is known.
        """
        profile = self.profile(request)
        allowed = self.allowed(request.filters, profile)
        if not request.shown:
            found = self._list(request, profile, allowed, request.limit)
            return Answer(found, profile.basis, self.version, profile.taste)
        shown = self._rows_mask(request.shown)
        fresh = self._list(request, profile, allowed & ~shown, request.limit)
        # What was shown before is no news to try out.
        again = self._list(replace(request, exploration=0.0), profile, allowed & shown, request.limit - len(fresh))
        return Answer(fresh + again, profile.basis, self.version, profile.taste)

    def profile(self, request: Request) -> Profile:
        """What is known of the person behind a request."""
        chosen = [self.style_reference(style_id).values for style_id in request.styles]
        chosen += [look.values for look in request.looks]
        return self._profiler.profile(request.user_id, request.items, chosen, fresh_taste=request.fresh_taste)

    def scores(self, profile: Profile, items: BoolArray | None = None) -> FloatArray:
        """What `recommend` ranks unseen `items` (I,) by, before variety: (I,), -inf for what was not retrieved."""
        rows, table = self.candidates(profile, items)
        scores = np.full(len(self._catalog), -np.inf, dtype=np.float32)
        scores[rows] = self.blend.contributions(table, self.untouched[rows]).sum(axis=1)
        return scores

    def profile_of_row(self, user: UserRow) -> Profile:
        """The profile of a user's row."""
        return self._profiler.of_row(user)

    def candidates(self, profile: Profile, items: BoolArray | None = None) -> tuple[IntArray, FloatArray]:
        """What is retrieved for a person among unseen `items` (I,): rows (n,) and their features (n, len(FEATURES))."""
        allowed = self._catalog.present.copy() if items is None else items & self._catalog.present
        allowed[profile.touched] = False
        rows = self._retriever.candidates(profile, allowed, self._settings.candidates)
        return rows, self._features.table(profile, rows)

    def allowed(self, filters: Filters, profile: Profile) -> BoolArray:
        """Which items (I,) pass the filters. Raises UnknownIdError for a category that no item has, RequestError for a
        color where the bundle has none."""
        allowed = self._catalog.mask(
            categories=filters.categories or None,
            min_price=filters.price_min,
            max_price=filters.price_max,
            available_only=not filters.unavailable,
        )
        if filters.color is not None:
            allowed &= self.bundle.descriptors.near_color(filters.color, filters.color_tolerance)
        if filters.exclude:
            allowed &= ~self._rows_mask(filters.exclude)
        if not filters.seen:
            allowed[profile.touched] = False
        return allowed

    def similar(
        self,
        item_id: ItemId,
        *,
        by: SimilarBy = SimilarBy.STYLE,
        limit: int = 10,
        filters: Filters | None = None,
        user_id: UserId | None = None,
    ) -> Answer:
        """Items like one item: by look, by who likes them, by both (`recsys.ranking.fusion`), or by a descriptor.

        What `user_id` has touched is left out. Raises UnknownIdError for the item, RequestError where it has no picture
        to compare looks by, nothing at all to compare by, or no such descriptor.
        """
        row = self._catalog.ids.row(item_id)
        profile = self._profiler.profile(user_id)
        allowed = self.allowed(filters or Filters(), profile)
        allowed[row] = False
        if by is SimilarBy.BOTH:
            return Answer(self._similar_by_both(row, allowed, limit), profile.basis, self.version)
        if by in DESCRIBED:
            found = self._similar_by_descriptor(row, DESCRIBED[by], allowed, limit)
            return Answer(found, profile.basis, self.version)
        shared = [""] * limit
        if by is SimilarBy.STYLE:
            if not self._space.directions[row].any():
                raise RequestError("item_id", f"{item_id!r} has no picture; ask by=taste")
            rows, scores = self._retriever.similar_styles(self._space.directions[row], allowed, limit)
            reason = LOOKS_LIKE
            shared = shared_words(self.bundle.descriptors, row, rows)
        else:
            likeness = self.bundle.factors.similar_items(row, len(self._catalog))
            keep = allowed[likeness.rows[0]] & (likeness.scores[0] > -np.inf)
            rows, scores = likeness.rows[0][keep][:limit], likeness.scores[0][keep][:limit]
            reason = LIKED_LIKE
        named = f"{reason} {self._name(row)}"
        found = tuple(
            self._alike(ItemRow(int(r)), {by.value: float(s)}, f"{named}{words}", item_id)
            for r, s, words in zip(rows, scores, shared[: len(rows)], strict=True)
        )
        return Answer(found, profile.basis, self.version)

    def search_style(
        self,
        style: StyleVector,
        *,
        limit: int = 10,
        filters: Filters | None = None,
        user_id: UserId | None = None,
        exclude_item: ItemId | None = None,
    ) -> Answer:
        """The items nearest to a style vector in look, whatever kind of thing they are; scores are cosines in [-1, 1].

        What `user_id` has touched is left out, and `exclude_item`. Raises UnknownIdError for that item or a category,
        RequestError for a limit outside 1 .. MAX_LIMIT.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise RequestError("limit", f"must lie in 1 .. {MAX_LIMIT}, got {limit}")
        profile = self._profiler.profile(user_id)
        # an item without a picture has no look to be near to
        allowed = self.allowed(filters or Filters(), profile) & self._pictured
        if exclude_item is not None:
            allowed[self._catalog.ids.row(exclude_item)] = False
        rows, scores = self._retriever.similar_styles(self._space.to_direction(style.values), allowed, limit)
        found = tuple(
            self._alike(ItemRow(int(row)), {SimilarBy.STYLE.value: float(score)}, _closeness(float(score)), None)
            for row, score in zip(rows, scores, strict=True)
        )
        return Answer(found, profile.basis, self.version)

    def style_of_text(self, text: str, base: StyleVector | None = None) -> TextReport:
        """What words say of a look, by the catalog's own use of them (`recsys.profiles.text_style`).

        With `base`, such as a taste, its way halfway to there: what people mean by "more like a rainy day". Raises
        RequestError for a text that says nothing, that is too long, and where no words are known.
        """
        found = self.bundle.text_style.style_of(text)
        direction = found.direction
        if base is not None:
            direction = direction + self._space.to_direction(base.values)
            direction = direction / max(float(np.linalg.norm(direction)), 1e-6)
        style = StyleVector.of(self._space.to_style(direction))
        return TextReport(style, found.words, found.unknown, self._nearest_styles(direction))

    def taste(self, request: Request) -> TasteReport:
        """The taste behind a request, with the style references and items nearest to each mode."""
        profile = self.profile(request)
        modes = tuple(
            self._mode(direction, float(share))
            for direction, share in zip(profile.taste.directions, profile.taste.shares, strict=True)
        )
        return TasteReport(modes, profile.basis, len(profile.told), profile.taste)

    def style_for(self, request: Request, mode: int | None = None) -> StyleVector | None:
        """The style vector that renders for a person: of one taste mode (default: the first); None without a taste.

        Raises RequestError for a mode that the taste does not have.
        """
        return self.style_of_taste(self.profile(request).taste, mode)

    def style_of_taste(self, taste: Taste, mode: int | None = None) -> StyleVector | None:
        """The same for a taste that is known already, such as `Answer.taste`."""
        direction = _mode_direction(taste, mode)
        return None if direction is None else StyleVector.of(self._space.to_style(direction))

    def style_of_item(self, item_id: ItemId) -> StyleVector:
        """An item's own style vector. Raises UnknownIdError, or RequestError where it has no picture."""
        vector = self._space.vectors[self._catalog.ids.row(item_id)]
        if not vector.any():
            raise RequestError("item_id", f"{item_id!r} has no picture, hence no style")
        return StyleVector.of(vector)

    def style_reference(self, style_id: str) -> StyleVector:
        """The style vector of a style reference. Raises UnknownIdError; RightsError where its license forbids that."""
        if style_id not in self._styles:
            raise UnknownIdError("style", style_id)
        if style_id in self._refused:
            raise RightsError(self._refused[style_id])
        return StyleVector.of(self._styles[style_id])

    def credited_reference(self, style_id: str) -> tuple[StyleVector, StyleCredit]:
        """A style reference's vector, and what is written into pictures that go toward it; raises what
        `style_reference` does."""
        vector = self.style_reference(style_id)
        license = next(card.license for card in self.bundle.styles if card.style_id == style_id)
        return vector, StyleCredit(style_id, license)

    def scenes(self) -> tuple[str, ...]:
        """The scenes that style references are tagged with, in the library's order: of those that may be used."""
        usable = (card for card in self.bundle.styles if self.may_restyle(card.style_id))
        return tuple(dict.fromkeys(scene for card in usable for scene in card.scenes))

    def reference_for_scene(self, scene: str, request: Request | None = None, mode: int | None = None) -> StyleCard:
        """The style reference of a scene (holiday, sale, ...) that is nearest to a person's taste.

        `mode` as in `style_for`. Without a request, or where nothing is known of the person: the library's first
        one of the scene. Raises RequestError for a scene that no reference has, or a mode that the taste lacks.
        """
        taste = None if request is None else self.profile(request).taste
        return self.reference_for_taste(scene, taste, mode)

    def reference_for_taste(self, scene: str, taste: Taste | None, mode: int | None = None) -> StyleCard:
        """The same for a taste that is known already, such as `Answer.taste`."""
        suiting = [
            row
            for row, card in enumerate(self.bundle.styles)
            if scene in card.scenes and self.may_restyle(card.style_id)
        ]
        if not suiting:
            known = f"known ones: {', '.join(self.scenes())}" if self.scenes() else "the style library names none"
            raise RequestError("scene", f"unknown scene {scene!r}; {known}")
        direction = None if taste is None else _mode_direction(taste, mode)
        if direction is None:
            return self.bundle.styles[suiting[0]]
        nearest = int(np.argmax(self._directions[suiting] @ direction))
        return self.bundle.styles[suiting[nearest]]

    def styles(self) -> tuple[StyleCard, ...]:
        """All style references, those too that may not be restyled toward."""
        return self.bundle.styles

    def may_restyle(self, style_id: str) -> bool:
        """Whether the style library has a reference, and its license lets pictures go toward it."""
        return style_id in self._styles and style_id not in self._refused

    def photos(self) -> Iterator[Path]:
        """Every file that the catalog and the style references name as a picture; some may be missing."""
        for image in (*self._catalog.images, *(card.image for card in self.bundle.styles)):
            if image:
                yield self.bundle.image_root / str(image)

    def has_item(self, item_id: ItemId) -> bool:
        """Whether the catalog has an item."""
        return item_id in self._catalog.ids

    def has_user(self, user_id: UserId) -> bool:
        """Whether the bundle has a history of a user."""
        return user_id in self.bundle.user_ids

    @cached_property
    def has_photos(self) -> bool:
        """Whether any item has a picture."""
        return any(map(bool, self._catalog.images))

    def photo(self, item_id: ItemId) -> tuple[str, FloatArray]:
        """An item's picture as the catalog names it, "" for none, and its style vector (128,), zeros without one.

        Raises UnknownIdError.
        """
        row = self._catalog.ids.row(item_id)
        return str(self._catalog.images[row]), np.asarray(self._space.vectors[row])

    def row(self, item_id: ItemId) -> ItemRow:
        """The row of an item, the same as long as this bundle serves. Raises UnknownIdError."""
        return self._catalog.ids.row(item_id)

    def ids_of(self, rows: Iterable[int]) -> list[ItemId]:
        """The ids of those rows that hold an item now."""
        wanted = np.fromiter(rows, dtype=np.int64)
        wanted = wanted[wanted < len(self._catalog)]
        return self._catalog.ids.ids(wanted[self._catalog.present[wanted]])

    def styles_of_look(self, style: StyleVector) -> tuple[StyleNeighbor, ...]:
        """The style references nearest to a style vector, nearest first."""
        return self._nearest_styles(self._space.to_direction(style.values))

    def styles_of_taste(self, taste: Taste) -> tuple[StyleNeighbor, ...]:
        """The style references nearest to the first mode of a taste, nearest first."""
        direction = _mode_direction(taste, None)
        return () if direction is None else self._nearest_styles(direction)

    def card(self, item_id: ItemId) -> ItemCard:
        """What a page shows of an item. Raises UnknownIdError."""
        row = self._catalog.ids.row(item_id)
        price, image = float(self._catalog.prices[row]), str(self._catalog.images[row])
        return ItemCard(
            item_id=item_id,
            title=str(self._catalog.titles[row]),
            category=self._catalog.category_names[self._catalog.category_codes[row]],
            price=None if np.isnan(price) else round(price, 2),
            available=bool(self._catalog.available[row]),
            image=self.bundle.image_root / image if image else None,
        )

    def _similar_by_descriptor(
        self, row: ItemRow, family: Family, allowed: BoolArray, limit: int
    ) -> tuple[Recommendation, ...]:
        rows, likenesses = self.bundle.descriptors.nearest(row, family, allowed, limit)
        item_id, name = self._catalog.ids.id(row), self._name(row)
        reasons = descriptor_reasons(self.bundle.descriptors, row, rows, family, name)
        return tuple(
            self._alike(ItemRow(int(found)), {family.value: float(likeness)}, reason, item_id)
            for found, likeness, reason in zip(rows, likenesses, reasons, strict=True)
        )

    def _similar_by_both(self, row: ItemRow, allowed: BoolArray, limit: int) -> tuple[Recommendation, ...]:
        everything = self._catalog.present.copy()
        everything[row] = False
        pictured = everything & self._pictured & self._pictured[row]
        # Factors of what nobody has touched are guessed from its look, which has its own say here.
        touched = everything & ~self.untouched & ~self.untouched[row]
        if not (pictured.any() or touched.any()):
            item_id = self._catalog.ids.id(row)
            raise RequestError(
                "item_id", f"nothing can be compared with {item_id!r}: it has no picture, and nobody has touched it yet"
            )
        looks = self._space.directions @ self._space.directions[row]
        likeness = self.bundle.factors.likeness(row)
        parts = fused([(looks, pictured), (likeness, touched)])
        best = top_k(parts.sum(axis=0)[None], limit, allowed & (pictured | touched)).rows[0]
        item_id, name = self._catalog.ids.id(row), self._name(row)
        return tuple(
            self._alike(
                ItemRow(int(found)),
                {SimilarBy.STYLE.value: float(style), SimilarBy.TASTE.value: float(taste)},
                _both_reason(float(style), float(taste), name),
                item_id,
            )
            for found, (style, taste) in zip(best, parts[:, best].T, strict=True)
            if found != NO_ROW
        )

    def _alike(
        self, row: ItemRow, contributions: Mapping[str, float], reason: str, because: ItemId | None
    ) -> Recommendation:
        score = sum(contributions.values())
        return Recommendation(self._catalog.ids.id(row), score, contributions, reason, because, None)

    def _name(self, row: ItemRow) -> str:
        return str(self._catalog.titles[row]) or self._catalog.ids.id(row)

    def _nearest_styles(self, direction: FloatArray) -> tuple[StyleNeighbor, ...]:
        """The style references nearest to a direction (128,), nearest first."""
        likeness = self._directions @ (direction / max(float(np.linalg.norm(direction)), 1e-6))
        nearest = np.argsort(-likeness, kind="stable")[:SHOWN_STYLES]
        cards = self.bundle.styles
        return tuple(StyleNeighbor(cards[i].style_id, cards[i].title, float(likeness[i])) for i in nearest)

    def _mode(self, direction: FloatArray, share: float) -> TasteMode:
        rows, _ = self._retriever.similar_styles(direction, self._catalog.present, SHOWN_ITEMS)
        return TasteMode(
            vector=self._space.to_style(direction),
            share=share,
            styles=self._nearest_styles(direction),
            items=tuple(self._catalog.ids.ids(rows)),
        )

    def _rows_mask(self, ids: Collection[ItemId]) -> BoolArray:
        """Which items (I,) have one of these ids; unknown ones are ignored."""
        mask = np.zeros(len(self._catalog), dtype=np.bool_)
        if ids:
            rows = self._catalog.ids.find(list(ids))
            mask[rows[rows >= 0]] = True
        return mask

    def _list(self, request: Request, profile: Profile, allowed: BoolArray, limit: int) -> tuple[Recommendation, ...]:
        """Retrieve, rank, rerank, explore and explain among the `allowed` (I,)."""
        if limit < 1 or not allowed.any():
            return ()
        blend = self.blend if request.blend is None else self.blend.reweighted(request.blend)
        ranked = self._ranked(blend, profile, allowed, limit)
        order = self._reranked(request, profile, ranked, limit)
        places = self._with_explored(request, profile, allowed, ranked.blend, ranked.rows[order])
        return self._explained(profile, places, ranked)

    def _ranked(self, blend: Blend, profile: Profile, allowed: BoolArray, limit: int) -> _Ranked:
        rows = self._retriever.candidates(profile, allowed, max(self._settings.candidates, POOL * limit))
        contributions = self._contributions(blend, profile, rows)
        return _Ranked(blend, rows, contributions, best_pool(contributions.sum(axis=1), limit))

    def _contributions(self, blend: Blend, profile: Profile, rows: IntArray) -> FloatArray:
        """(n, len(FEATURES)) of candidates (n,), which may be compared with each other: it takes all of them."""
        return blend.contributions(self._features.table(profile, rows), self.untouched[rows])

    def _reranked(self, request: Request, profile: Profile, ranked: _Ranked, limit: int) -> IntArray:
        """Positions of the list among the ranked ones."""
        reranking = Reranking(
            request.reranker or self._settings.reranker,
            _first_given(request.diversity, self._settings.diversity),
            _first_given(request.calibration, self._settings.calibration),
        )
        mixes = self._mixes(profile, ranked.rows) if reranking.calibration else []
        return rerank(ranked.scores, self._space.directions[ranked.rows], limit, reranking, mixes)

    def _mixes(self, profile: Profile, rows: IntArray) -> list[Mix]:
        codes = self._catalog.category_codes
        mixes = (
            taste_mix(profile.taste, self._space.directions[rows]),
            category_mix(self._categories, codes[profile.liked], profile.say, codes[rows]),
        )
        return [mix for mix in mixes if mix is not None]

    def _with_explored(
        self, request: Request, profile: Profile, allowed: BoolArray, blend: Blend, rows: IntArray
    ) -> Places:
        """The list of `rows` (k,) with its share of little-known items that fit the person best."""
        share = _first_given(request.exploration, self._settings.exploration)
        if not share:
            return Places.certain(rows)
        little_known = self._little_known.among(allowed, rows)
        if not little_known.any():
            return Places.certain(rows)
        who = ("session",) if request.user_id is None else ("user", request.user_id)
        random = generator(self.bundle.settings.seed, "explore", *who, request.refresh)
        return explore(rows, self._ranked(blend, profile, little_known, len(rows)).rows, share, random)

    def _explained(self, profile: Profile, places: Places, ranked: _Ranked) -> tuple[Recommendation, ...]:
        contributions, modes = self._parts(profile, places, ranked), self._modes(profile, places.rows)
        lifts = np.where(speaking(profile), contributions - ranked.contributions.mean(axis=0), -np.inf)
        # What hardly anybody knows is not popular, whatever a score says of it.
        lifts[np.ix_(places.explored, _SAME_FOR_ALL)] = -np.inf
        ids = self._catalog.ids.ids(places.rows)
        return tuple(
            self._recommendation(profile, places, place, ids[place], contributions[place], lifts[place], modes[place])
            for place in range(len(ids))
        )

    def _parts(self, profile: Profile, places: Places, ranked: _Ranked) -> FloatArray:
        """What each feature adds to the scores of a list (k,); explored items may be none of the candidates."""
        rows = places.rows
        if not places.explored.any():
            return np.asarray(ranked.contributions[np.searchsorted(ranked.candidates, rows)])
        beside = np.setdiff1d(rows, ranked.candidates)
        everything, contributions = np.concatenate([ranked.candidates, beside]), ranked.contributions
        if len(beside):
            contributions = np.vstack(
                [contributions, self._contributions(ranked.blend, profile, everything)[-len(beside) :]]
            )
        order = np.argsort(everything)
        return np.asarray(contributions[order[np.searchsorted(everything, rows, sorter=order)]])

    def _modes(self, profile: Profile, rows: IntArray) -> Sequence[int | None]:
        if not profile.taste:
            return [None] * len(rows)
        return [int(mode) for mode in profile.taste.best_modes(self._space.directions[rows])]

    def _recommendation(
        self,
        profile: Profile,
        places: Places,
        place: int,
        item_id: ItemId,
        parts: FloatArray,
        lift: FloatArray,
        mode: int | None,
    ) -> Recommendation:
        explored = bool(places.explored[place])
        reason, because = self._explainer.reason(profile, ItemRow(int(places.rows[place])), lift)
        if explored and reason == FROM_THE_CATALOG:
            reason = UNTRIED
        return Recommendation(
            item_id=item_id,
            score=float(parts.sum()),
            contributions=dict(zip(FEATURES, parts.tolist(), strict=True)),
            reason=reason,
            because=None if because is None else self._catalog.ids.id(because),
            mode=mode,
            propensity=float(places.propensities[place]),
            explored=explored,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """All that was retrieved, `candidates` (n,) ascending, what each feature adds to their scores by `blend`,
    `contributions` (n, len(FEATURES)), and which are the best, `pool` (m,), best first."""

    blend: Blend
    candidates: IntArray
    contributions: FloatArray
    pool: IntArray

    @property
    def rows(self) -> IntArray:
        """The pool's rows, (m,)."""
        return np.asarray(self.candidates[self.pool])

    @property
    def scores(self) -> FloatArray:
        """The pool's scores, (m,)."""
        return np.asarray(self.contributions[self.pool].sum(axis=1))


def _refused(bundle: Bundle) -> Mapping[str, str]:
    """The style references that must not be restyled toward, and why."""
    asked = ((card, bundle.settings.rights.refusal(card.style_id, card.license, card.uses)) for card in bundle.styles)
    return {card.style_id: refusal for card, refusal in asked if refusal is not None}


def _mode_direction(taste: Taste, mode: int | None) -> FloatArray | None:
    if not taste:
        return None
    if mode is not None and not 0 <= mode < len(taste.directions):
        raise RequestError("taste_mode", f"this taste has modes 0 .. {len(taste.directions) - 1}, got {mode}")
    return np.asarray(taste.directions[mode or 0])


def _closeness(similarity: float) -> str:
    return next((words for least, words in CLOSENESS if similarity > least), "The nearest that is left")


def _both_reason(style: float, taste: float, name: str) -> str:
    if min(style, taste) >= CLEARLY:
        return f"{LOOKS_LIKE} {name}, and is liked by the same people"
    return f"{LOOKS_LIKE if style >= taste else LIKED_LIKE} {name}"


def _first_given(asked: float | None, setting: float) -> float:
    return setting if asked is None else asked
