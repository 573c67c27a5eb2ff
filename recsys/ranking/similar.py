"""Similar items, and search by a style vector or by words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import numpy as np

from recsys.bundle.types import Bundle
from recsys.errors import RequestError
from recsys.profiles.cold_start import Profile, Profiler
from recsys.profiles.product_descriptors import ProductDescriptors
from recsys.profiles.style_library import StyleLibrary
from recsys.ranked import NO_ROW, top_k
from recsys.ranking.catalog_view import CatalogView
from recsys.ranking.request import MAX_LIMIT, Answer, Filters, Recommendation, TextReport
from recsys.ranking.retrieve import Retriever
from recsys.ranking.variants import one_per_group
from recsys.schema import BoolArray, FloatArray, IntArray, ItemId, ItemRow, UserId
from style.descriptors.base import Family
from style.vector import StyleVector

LOOKS_LIKE, LIKED_LIKE = "Looks like", "Liked by the same people as"
CLEARLY = 0.5
"""Least part of a combined score (a standard deviation above the mean) from which a similarity is named."""
CLOSENESS = ((0.5, "Very close to this look"), (0.25, "Close to this look"), (0.0, "Leans towards this look"))
"""Words for a cosine above each bound."""
_PLAIN = {Family.COLOR: "Colors like", Family.TEXTURE: "Surface like", Family.SHAPE: "Shape like"}
_LINKS = {Family.COLOR: "as", Family.TEXTURE: "to", Family.SHAPE: "to"}
"""Words between a shared property and a name: "same deep blue as", "similar round shape to"."""


class SimilarBy(StrEnum):
    """Property that similar items share.

    Style, the users who like them, both, or one descriptor (if the bundle has it): color, texture or shape.
    """

    STYLE = "style"
    TASTE = "taste"
    BOTH = "both"
    COLOR = "color"
    TEXTURE = "texture"
    SHAPE = "shape"


FAMILIES = {by: Family(by.value) for by in (SimilarBy.COLOR, SimilarBy.TEXTURE, SimilarBy.SHAPE)}
"""Descriptor family of each value of `SimilarBy` that a descriptor answers."""


class SimilarItems:
    """Finds items by similarity. Immutable after construction, hence safe to share between threads."""

    def __init__(
        self, bundle: Bundle, catalog: CatalogView, retriever: Retriever, profiler: Profiler, styles: StyleLibrary
    ) -> None:
        self._bundle = bundle
        self._space = bundle.space
        self._catalog = catalog
        self._retriever = retriever
        self._profiler = profiler
        self._styles = styles

    def to_item(
        self,
        item_id: ItemId,
        *,
        by: SimilarBy = SimilarBy.STYLE,
        limit: int = 10,
        filters: Filters | None = None,
        user_id: UserId | None = None,
        profile: Profile | None = None,
    ) -> Answer:
        """Return the items most similar to one item, most similar first.

        Args:
            item_id: The item to compare with; it is not returned.
            by: The property to compare by.
            limit: Largest number of items.
            filters: Conditions that returned items pass.
            user_id: Items that this user has seen or dislikes are left out; see `Filters.seen`.
            profile: Profile of the user with later events; default: of `user_id` as the model knows them.

        Raises:
            UnknownIdError: If the catalog does not have the item.
            RequestError: If the item has no photo to compare styles by, nothing at all to compare by, or the bundle
                has no such descriptor.
        """
        row = self._catalog.row(item_id)
        profile = profile or self._profiler.profile(user_id)
        filters = filters or Filters()
        groups = self._catalog.groups(filters)
        allowed = self._catalog.filter_items(filters, profile) & ~self._with_variants(row, groups)

        def find(count: int) -> list[Recommendation]:
            if by is SimilarBy.BOTH:
                return list(self._by_both(row, allowed, count))
            if by is SimilarBy.STYLE:
                return list(self._by_style(row, allowed, count))
            if by is SimilarBy.TASTE:
                return list(self._by_taste(row, allowed, count))
            return list(self._by_descriptor(row, FAMILIES[by], allowed, count))

        return self._answer(one_per_group(find, self._row_of, limit, groups), profile)

    def to_style(
        self,
        style: StyleVector,
        *,
        limit: int = 10,
        filters: Filters | None = None,
        user_id: UserId | None = None,
        profile: Profile | None = None,
        exclude_item: ItemId | None = None,
    ) -> Answer:
        """Return the items nearest to a style vector, of any category; scores are cosines in [-1, 1].

        Args:
            style: The style to compare with.
            limit: Largest number of items, in 1 .. MAX_LIMIT.
            filters: Conditions that returned items pass.
            user_id: Items that this user has seen or dislikes are left out; see `Filters.seen`.
            profile: Profile of the user with later events; default: of `user_id` as the model knows them.
            exclude_item: An item that is not returned.

        Raises:
            UnknownIdError: If the catalog does not have `exclude_item`.
            RequestError: If the limit is out of range.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise RequestError("limit", f"must lie in 1 .. {MAX_LIMIT}, got {limit}")
        profile = profile or self._profiler.profile(user_id)
        # Items without a photo have zeros for a direction, whose cosine would rank above dissimilar items.
        filters = filters or Filters()
        groups = self._catalog.groups(filters)
        allowed = self._catalog.filter_items(filters, profile) & self._catalog.with_style
        if exclude_item is not None:
            allowed &= ~self._with_variants(self._catalog.row(exclude_item), groups)
        direction = self._space.to_direction(style.values)

        def find(count: int) -> list[Recommendation]:
            rows, scores = self._retriever.similar_styles(direction, allowed, count)
            found = []
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
                reason = next((words for least, words in CLOSENESS if score > least), "The nearest that is left")
                found.append(self._recommendation(row, {SimilarBy.STYLE.value: score}, reason, None))
            return found

        return self._answer(one_per_group(find, self._row_of, limit, groups), profile)

    def style_of_text(self, text: str, base: StyleVector | None = None) -> TextReport:
        """Return the style that words describe, learned from the catalog's own texts (`recsys.profiles.text_style`).

        Args:
            text: A few words, such as "rainy day".
            base: A style, such as a user's taste, to start from: the result lies halfway between it and the words.

        Raises:
            RequestError: If no word of the text is known, the text is too long, or the bundle has no words.
        """
        found = self._bundle.text_style.style_of(text)
        direction = found.direction
        if base is not None:
            direction = direction + self._space.to_direction(base.values)
            direction = direction / max(float(np.linalg.norm(direction)), 1e-6)
        style = StyleVector.from_values(self._space.to_style(direction))
        return TextReport(style, found.words, found.unknown, self._styles.nearest(direction))

    def _by_style(self, row: ItemRow, allowed: BoolArray, limit: int) -> Iterable[Recommendation]:
        direction, item_id = self._space.directions[row], self._bundle.catalog.ids.id(row)
        if not direction.any():
            raise RequestError("item_id", f"{item_id!r} has no photo; ask by=taste")
        rows, scores = self._retriever.similar_styles(direction, allowed, limit)
        words = shared_words(self._bundle.descriptors, row, rows)
        for found, score, shared in zip(rows, scores, words, strict=True):
            reason = f"{LOOKS_LIKE} {self._catalog.name(row)}{shared}"
            yield self._recommendation(int(found), {SimilarBy.STYLE.value: float(score)}, reason, item_id)

    def _by_taste(self, row: ItemRow, allowed: BoolArray, limit: int) -> Iterable[Recommendation]:
        ranked = self._bundle.factors.similar_items(row, len(self._catalog))
        keep = allowed[ranked.rows[0]] & (ranked.scores[0] > -np.inf)
        reason = f"{LIKED_LIKE} {self._catalog.name(row)}"
        for found, score in zip(ranked.rows[0][keep][:limit], ranked.scores[0][keep][:limit], strict=True):
            yield self._recommendation(
                int(found), {SimilarBy.TASTE.value: float(score)}, reason, self._bundle.catalog.ids.id(row)
            )

    def _by_descriptor(self, row: ItemRow, family: Family, allowed: BoolArray, limit: int) -> Iterable[Recommendation]:
        rows, scores = self._bundle.descriptors.nearest(row, family, allowed, limit)
        reasons = descriptor_reasons(self._bundle.descriptors, row, rows, family, self._catalog.name(row))
        for found, score, reason in zip(rows, scores, reasons, strict=True):
            yield self._recommendation(
                int(found), {family.value: float(score)}, reason, self._bundle.catalog.ids.id(row)
            )

    def _by_both(self, row: ItemRow, allowed: BoolArray, limit: int) -> Iterable[Recommendation]:
        bundle, item_id = self._bundle, self._bundle.catalog.ids.id(row)
        others = bundle.catalog.present.copy()
        others[row] = False
        with_style = self._catalog.with_style
        by_style = others & with_style & with_style[row]
        # The factors of a cold item are guessed from its style, which already counts by itself here.
        by_taste = others & ~bundle.cold & ~bundle.cold[row]
        if not (by_style.any() or by_taste.any()):
            raise RequestError(
                "item_id", f"nothing can be compared with {item_id!r}: it has no photo and no interactions"
            )
        styles = self._space.directions @ self._space.directions[row]
        parts = combine_similarities([(styles, by_style), (bundle.factors.similarities(row), by_taste)])
        # An item that can be compared in neither way has a score of 0, which is no similarity.
        best = top_k(parts.sum(axis=0)[None], limit, allowed & (by_style | by_taste)).rows[0]
        for found in best[best != NO_ROW]:
            style, taste = (float(part) for part in parts[:, found])
            contributions = {SimilarBy.STYLE.value: style, SimilarBy.TASTE.value: taste}
            reason = f"{LOOKS_LIKE if style >= taste else LIKED_LIKE} {self._catalog.name(row)}"
            if min(style, taste) >= CLEARLY:
                reason = f"{LOOKS_LIKE} {self._catalog.name(row)}, and is liked by the same people"
            yield self._recommendation(int(found), contributions, reason, item_id)

    def _answer(self, found: Sequence[Recommendation], profile: Profile) -> Answer:
        return Answer(tuple(found), profile.basis, self._bundle.version)

    def _row_of(self, recommendation: Recommendation) -> int:
        return int(self._catalog.row(recommendation.item_id))

    def _with_variants(self, row: ItemRow, groups: IntArray | None) -> BoolArray:
        """Return a mask (I,) of an item and its variants."""
        return np.arange(len(self._catalog)) == row if groups is None else np.asarray(groups == groups[row])

    def _recommendation(
        self, row: int, contributions: Mapping[str, float], reason: str, because: ItemId | None
    ) -> Recommendation:
        item_id = self._bundle.catalog.ids.id(ItemRow(row))
        return Recommendation(item_id, sum(contributions.values()), contributions, reason, because, None)


def combine_similarities(similarities: Sequence[tuple[FloatArray, BoolArray]]) -> FloatArray:
    """Return the part that each of K similarities adds to the score of each item, (K, I): z / K, or 0 if unknown.

    Cosines of styles and of factors have different scales and spreads, so that a plain sum is mostly the wider one.
    Each is counted in standard deviations above its mean over the catalog (z-scores, then a convex combination: Bruch,
    Gai and Ingber 2023, ACM TOIS, "An analysis of fusion functions for hybrid retrieval"). An unknown similarity counts
    as average: it counts neither for the item nor against it.

    Args:
        similarities: Values (I,) and a mask (I,) of the items whose values are known; if none are, it adds nothing.
    """
    parts = np.zeros((len(similarities), len(similarities[0][0])), dtype=np.float32)
    for part, (values, known) in zip(parts, similarities, strict=True):
        if known.any():
            mean, deviation = float(values[known].mean()), float(values[known].std())
            part[:] = np.where(known, (values - mean) / max(deviation, 1e-6), 0.0)
    return np.asarray(parts / np.float32(len(similarities)))


def shared_words(descriptors: ProductDescriptors, row: int, others: IntArray) -> list[str]:
    """Return the words after "Looks like X" for each of `others` (n,).

    They read like ": same deep blue, similar round shape", or are "".
    """
    families = [descriptors.shared_words(row, others, family) for family in Family]
    joined = (", ".join(filter(None, words)) for words in zip(*families, strict=True))
    return [f": {words}" if words else "" for words in joined]


def descriptor_reasons(
    descriptors: ProductDescriptors, row: int, others: IntArray, family: Family, name: str
) -> list[str]:
    """Return a sentence for each of `others` (n,), which a descriptor of `family` found similar to the item `name`."""
    return [
        f"{words.capitalize()} {_LINKS[family]} {name}" if words else f"{_PLAIN[family]} {name}"
        for words in descriptors.shared_words(row, others, family)
    ]
