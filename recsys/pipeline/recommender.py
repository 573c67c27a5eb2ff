"""One request from start to end: profile, retrieve, rank, rerank, explain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from recsys.bundle import Bundle, StyleCard
from recsys.errors import RequestError, UnknownIdError
from recsys.pipeline.explain import Explainer
from recsys.pipeline.rank import FEATURES, Blend, Features
from recsys.pipeline.request import (
    Answer,
    Filters,
    Recommendation,
    Request,
    StyleNeighbour,
    TasteMode,
    TasteReport,
)
from recsys.pipeline.rerank import POOL, diversify
from recsys.pipeline.retrieve import Retriever
from recsys.profiles.cold_start import Profile, Profiler
from recsys.schema import BoolArray, FloatArray, IntArray, ItemId, ItemRow, UserId, UserRow
from style.provenance import StyleCredit
from style.vector import StyleVector

SHOWN_STYLES = 3
SHOWN_ITEMS = 6


class SimilarBy(StrEnum):
    """What similar items share: their look, or the people who like them."""

    STYLE = "style"
    TASTE = "taste"


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

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.version = bundle.version
        self.blend: Blend = bundle.blend
        self._catalog = bundle.catalog
        self._space = bundle.space
        self._settings = bundle.settings.rank
        self._retriever = Retriever.of(bundle.factors, bundle.space, bundle.trend)
        self._features = Features(bundle.catalog, bundle.factors, bundle.space, bundle.trend)
        self._styles = {card.style_id: vector for card, vector in zip(bundle.styles, bundle.style_vectors, strict=True)}
        self._directions = np.array(
            [self._space.to_direction(vector) for vector in bundle.style_vectors], dtype=np.float32
        ).reshape(-1, self._space.dimensions)
        self._explainer = Explainer(
            bundle.catalog, bundle.factors, bundle.space, self._directions, [card.title for card in bundle.styles]
        )
        self._profiler = Profiler(
            user_ids=bundle.user_ids,
            item_ids=bundle.catalog.ids,
            factors=bundle.factors,
            recent=bundle.recent,
            seen=bundle.seen,
            space=bundle.space,
            taste=bundle.taste,
        )

    def recommend(self, request: Request) -> Answer:
        """The best items for a request, best first.

        As many as asked wherever that many pass the filters. Raises UnknownIdError for an unknown item, style or
        category; an unknown user is one of whom nothing is known.
        """
        profile = self.profile(request)
        allowed = self.allowed(request.filters, profile)
        rows = self._retriever.candidates(profile, allowed, max(self._settings.candidates, POOL * request.limit))
        if not len(rows):
            return Answer((), profile.basis, self.version)
        contributions = self.blend.contributions(self._features.table(profile, rows))
        diversity = self._settings.diversity if request.diversity is None else request.diversity
        order = diversify(contributions.sum(axis=1), self._space.directions[rows], request.limit, diversity)
        chosen = self._explained(profile, rows[order], contributions[order], contributions.mean(axis=0))
        return Answer(chosen, profile.basis, self.version)

    def profile(self, request: Request) -> Profile:
        """What is known of the person behind a request."""
        chosen = [self.style_reference(style_id).values for style_id in request.styles]
        return self._profiler.profile(request.user_id, request.items, chosen)

    def scores(self, profile: Profile) -> FloatArray:
        """The blend's score of every item, (I,): what `recommend` ranks by, before filters and variety."""
        rows = np.arange(len(self._catalog))
        return np.asarray(self.blend.contributions(self._features.table(profile, rows)).sum(axis=1))

    def profile_of_row(self, user: UserRow) -> Profile:
        """The profile of a user's row."""
        return self._profiler.of_row(user)

    def candidates(self, profile: Profile) -> tuple[IntArray, FloatArray]:
        """What is retrieved for a person among unseen items: rows (n,) and their features (n, len(FEATURES))."""
        allowed = np.ones(len(self._catalog), dtype=np.bool_)
        allowed[profile.touched] = False
        rows = self._retriever.candidates(profile, allowed, self._settings.candidates)
        return rows, self._features.table(profile, rows)

    def allowed(self, filters: Filters, profile: Profile) -> BoolArray:
        """Which items (I,) pass the filters. Raises UnknownIdError for a category that no item has."""
        allowed = self._catalog.mask(
            categories=filters.categories or None,
            min_price=filters.price_min,
            max_price=filters.price_max,
            available_only=not filters.unavailable,
        )
        if filters.exclude:
            excluded = self._catalog.ids.find(list(filters.exclude))
            allowed[excluded[excluded >= 0]] = False
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
        """Items like one item: by look, or by who likes them. What `user_id` has touched is left out.

        Raises UnknownIdError for the item, RequestError where it has no picture to compare looks by.
        """
        row = self._catalog.ids.row(item_id)
        profile = self._profiler.profile(user_id)
        allowed = self.allowed(filters or Filters(), profile)
        allowed[row] = False
        if by is SimilarBy.STYLE:
            if not self._space.directions[row].any():
                raise RequestError("item_id", f"{item_id!r} has no picture; ask by=taste")
            rows, scores = self._retriever.similar_styles(self._space.directions[row], allowed, limit)
            reason = "Looks like"
        else:
            likeness = self.bundle.factors.similar_items(row, len(self._catalog))
            keep = allowed[likeness.rows[0]] & (likeness.scores[0] > -np.inf)
            rows, scores = likeness.rows[0][keep][:limit], likeness.scores[0][keep][:limit]
            reason = "Liked by the same people as"
        title = self.card(item_id).title or item_id
        found = tuple(
            Recommendation(
                self._catalog.ids.id(ItemRow(int(r))),
                float(s),
                {by.value: float(s)},
                f"{reason} {title}",
                item_id,
                None,
            )
            for r, s in zip(rows, scores, strict=True)
        )
        return Answer(found, profile.basis, self.version)

    def taste(self, request: Request) -> TasteReport:
        """The taste behind a request, with the style references and items nearest to each mode."""
        profile = self.profile(request)
        modes = tuple(
            self._mode(direction, float(share))
            for direction, share in zip(profile.taste.directions, profile.taste.shares, strict=True)
        )
        return TasteReport(modes, profile.basis, len(profile.liked))

    def style_for(self, request: Request, mode: int | None = None) -> StyleVector | None:
        """The style vector that renders for a person: of one taste mode (default: the first); None without a taste.

        Raises RequestError for a mode that the taste does not have.
        """
        direction = self._taste_direction(request, mode)
        return None if direction is None else StyleVector.of(self._space.to_style(direction))

    def style_of_item(self, item_id: ItemId) -> StyleVector:
        """An item's own style vector. Raises UnknownIdError, or RequestError where it has no picture."""
        vector = self._space.vectors[self._catalog.ids.row(item_id)]
        if not vector.any():
            raise RequestError("item_id", f"{item_id!r} has no picture, hence no style")
        return StyleVector.of(vector)

    def style_reference(self, style_id: str) -> StyleVector:
        """The style vector of a style reference. Raises UnknownIdError."""
        if style_id not in self._styles:
            raise UnknownIdError("style", style_id)
        return StyleVector.of(self._styles[style_id])

    def credited_reference(self, style_id: str) -> tuple[StyleVector, StyleCredit]:
        """A style reference's vector, and what is written into pictures that go toward it. Raises UnknownIdError."""
        vector = self.style_reference(style_id)
        licence = next(card.licence for card in self.bundle.styles if card.style_id == style_id)
        return vector, StyleCredit(style_id, licence)

    def scenes(self) -> tuple[str, ...]:
        """The scenes that style references are tagged with, in the library's order."""
        return tuple(dict.fromkeys(scene for card in self.bundle.styles for scene in card.scenes))

    def reference_for_scene(self, scene: str, request: Request | None = None, mode: int | None = None) -> StyleCard:
        """The style reference of a scene (holiday, sale, ...) that is nearest to a person's taste.

        `mode` as in `style_for`. Without a request, or where nothing is known of the person: the library's first
        one of the scene. Raises RequestError for a scene that no reference has, or a mode that the taste lacks.
        """
        suiting = [row for row, card in enumerate(self.bundle.styles) if scene in card.scenes]
        if not suiting:
            known = f"known ones: {', '.join(self.scenes())}" if self.scenes() else "the style library names none"
            raise RequestError("scene", f"unknown scene {scene!r}; {known}")
        direction = None if request is None else self._taste_direction(request, mode)
        if direction is None:
            return self.bundle.styles[suiting[0]]
        nearest = int(np.argmax(self._directions[suiting] @ direction))
        return self.bundle.styles[suiting[nearest]]

    def styles(self) -> tuple[StyleCard, ...]:
        """The style references that people can choose."""
        return self.bundle.styles

    def photos(self) -> Iterator[Path]:
        """Every file that the catalogue and the style references name as a picture; some may be missing."""
        for image in (*self._catalog.images, *(card.image for card in self.bundle.styles)):
            if image:
                yield self.bundle.image_root / str(image)

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

    def _taste_direction(self, request: Request, mode: int | None) -> FloatArray | None:
        taste = self.profile(request).taste
        if not taste:
            return None
        if mode is not None and not 0 <= mode < len(taste.directions):
            raise RequestError("taste_mode", f"this taste has modes 0 .. {len(taste.directions) - 1}, got {mode}")
        return np.asarray(taste.directions[mode or 0])

    def _mode(self, direction: FloatArray, share: float) -> TasteMode:
        everything = np.ones(len(self._catalog), dtype=np.bool_)
        rows, _ = self._retriever.similar_styles(direction, everything, SHOWN_ITEMS)
        likeness = self._directions @ (direction / max(float(np.linalg.norm(direction)), 1e-6))
        nearest = np.argsort(-likeness, kind="stable")[:SHOWN_STYLES]
        cards = self.bundle.styles
        return TasteMode(
            vector=self._space.to_style(direction),
            share=share,
            styles=tuple(StyleNeighbour(cards[i].style_id, cards[i].title, float(likeness[i])) for i in nearest),
            items=tuple(self._catalog.ids.ids(rows)),
        )

    def _explained(
        self, profile: Profile, rows: IntArray, contributions: FloatArray, average: FloatArray
    ) -> tuple[Recommendation, ...]:
        modes = self._modes(profile, rows)
        return tuple(
            self._recommendation(profile, ItemRow(int(row)), parts, average, mode)
            for row, parts, mode in zip(rows, contributions, modes, strict=True)
        )

    def _modes(self, profile: Profile, rows: IntArray) -> Sequence[int | None]:
        if not profile.taste:
            return [None] * len(rows)
        return [int(mode) for mode in profile.taste.best_modes(self._space.directions[rows])]

    def _recommendation(
        self, profile: Profile, row: ItemRow, parts: FloatArray, average: FloatArray, mode: int | None
    ) -> Recommendation:
        reason, because = self._explainer.reason(profile, row, parts - average)
        return Recommendation(
            item_id=self._catalog.ids.id(row),
            score=float(parts.sum()),
            contributions={name: float(part) for name, part in zip(FEATURES, parts, strict=True)},
            reason=reason,
            because=None if because is None else self._catalog.ids.id(because),
            mode=mode,
        )
