"""Contents of the page as plain data for its template, from recommender and renderer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.profiles.style_library import StyleCard
from recsys.ranking.catalog_view import ItemCard
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Recommendation, Request, TasteComponent
from recsys.reports.example_users import liked_items
from recsys.reports.inline_images import THUMBNAIL_WIDTH, InlineImages
from recsys.reports.labels import EVENT_WORDS, FEATURE_WORDS
from recsys.restyling.target import StyleTarget
from recsys.schema import BASIS_TEXTS, ItemId, UserId
from style.vector import StyleVector

HISTORY_ITEMS = 8
COMPONENT_ITEMS = 5
RECOMMENDATIONS = 6
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
STRIP_STYLES = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """Image with its caption; `source` and `inset` (a small image within it) are data URIs, "" if there is none."""

    source: str
    title: str
    note: str = ""
    inset: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Contribution of one feature to a score, `share` in (0, 1]."""

    feature: str
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Recommended:
    """One recommendation: the photo and the restyled image ("" without a taste or a photo)."""

    product: Shown
    restyled: str
    reason: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a taste, `share` in (0, 1]."""

    share: float
    styles: Sequence[Shown]
    items: Sequence[Shown]


@dataclass(frozen=True, slots=True)
class Shopper:
    """One user."""

    user_id: str
    basis: str
    events: int
    history: Sequence[Shown]
    components: Sequence[Component]
    recommendations: Sequence[Recommended]


@dataclass(frozen=True, slots=True)
class Strip:
    """Several images of one product; `graded` ones are ordered by strength."""

    title: str
    text: str
    images: Sequence[Shown]
    graded: bool = False


class LogReader:
    """Collects the contents of the page.

    `interactions` has `recsys.schema.INTERACTION_COLUMNS`, sorted by time.
    """

    def __init__(self, recommender: Recommender, images: InlineImages, interactions: pd.DataFrame) -> None:
        self._recommender = recommender
        self._images = images
        self._interactions = interactions
        self._styles = {card.style_id: card for card in recommender.styles.cards}

    def shopper(self, user_id: UserId) -> Shopper:
        """Return all contents about one user; unknown users get popular items."""
        request = Request(user_id=user_id, limit=RECOMMENDATIONS)
        answer, report = self._recommender.recommend(request), self._recommender.taste(request)
        targets = [StyleTarget(StyleVector.from_values(component.vector)) for component in report.components]
        return Shopper(
            user_id=user_id,
            basis=BASIS_TEXTS[answer.basis],
            events=report.events,
            history=[
                self._thumbnail(item, EVENT_WORDS[kind])
                for item, kind in liked_items(self._interactions, user_id, HISTORY_ITEMS)
            ],
            components=[self._component(component) for component in report.components],
            recommendations=[self._recommendation(entry, targets) for entry in answer.recommendations],
        )

    def strength_strip(self, item_id: ItemId, target: StyleTarget, toward: str) -> Strip:
        """Return a product from its photo to a style at full strength."""
        card = self._recommender.catalog.card(item_id)
        images = [self._at_strength(card, target, strength) for strength in STRENGTHS]
        text = f"{card.title or item_id}, restyled toward {toward}, by strength"
        return Strip("From the photo to a taste", text, images, graded=True)

    def _at_strength(self, card: ItemCard, target: StyleTarget, strength: float) -> Shown:
        source, used = self._images.restyle_at(card.image, target, strength)
        note = f"limited to {used:.0%}" if source and used < strength else ""
        return Shown(source, f"{strength:.0%}", note)

    def style_strip(self, item_id: ItemId) -> Strip:
        """Return a product's photo, and the product in style references spread over the library."""
        card = self._recommender.catalog.card(item_id)
        styles = self._recommender.styles.cards
        spread = np.linspace(0, len(styles) - 1, min(STRIP_STYLES, len(styles))).astype(int)
        images = [self._in_style(card, styles[index]) for index in spread]
        original = Shown(self._images.original(card.image), "original")
        text = f"{card.title or item_id}, restyled toward style references"
        return Strip("One product, many styles", text, [original, *images])

    def _in_style(self, card: ItemCard, style: StyleCard) -> Shown:
        return Shown(
            self._images.restyle(card.image, StyleTarget.resolve(self._recommender, style=style.style_id)),
            style.title,
            ", ".join(style.scenes),
            self._style_image(style.style_id),
        )

    def items_with_image(self, user_id: UserId) -> list[ItemId]:
        """Return the recommendations that have an image, best first."""
        answer = self._recommender.recommend(Request(user_id=user_id))
        return [
            entry.item_id
            for entry in answer.recommendations
            if self._recommender.catalog.card(entry.item_id).image is not None
        ]

    def _recommendation(self, entry: Recommendation, targets: Sequence[StyleTarget]) -> Recommended:
        card = self._recommender.catalog.card(entry.item_id)
        restyled = "" if entry.component is None else self._images.restyle(card.image, targets[entry.component])
        price = "" if card.price is None else f"{card.price:,.2f}"
        return Recommended(
            product=Shown(self._images.original(card.image), card.title or card.item_id, price),
            restyled=restyled,
            reason=entry.reason,
            parts=score_parts(entry.contributions),
        )

    def _component(self, component: TasteComponent) -> Component:
        styles = [
            Shown(self._style_image(near.style_id), near.title, f"{near.similarity:.2f}")
            for near in component.close_styles
        ]
        return Component(component.share, styles, [self._thumbnail(item) for item in component.items[:COMPONENT_ITEMS]])

    def _style_image(self, style_id: str) -> str:
        image = self._recommender.bundle.image_root / self._styles[style_id].image
        return self._images.original(image, THUMBNAIL_WIDTH)

    def _thumbnail(self, item_id: ItemId, note: str = "") -> Shown:
        card = self._recommender.catalog.card(item_id)
        return Shown(self._images.original(card.image, THUMBNAIL_WIDTH), card.title or item_id, note)


def score_parts(contributions: Mapping[str, float]) -> list[Part]:
    """Return positive contributions as shares of their sum, largest first, without those below 1 %."""
    total = sum(max(part, 0.0) for part in contributions.values())
    shares = {name: part / total for name, part in contributions.items() if part > 0.01 * total}
    return [Part(name, FEATURE_WORDS[name], share) for name, share in sorted(shares.items(), key=lambda pair: -pair[1])]
