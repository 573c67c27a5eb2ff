"""Rows of images about style: neighbors of a product, and one user from liked items to a restyled product.

The functions collect rows for `recsys.plots.strips.image_rows`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans

from recsys.dataset.project import Project
from recsys.plots.strips import Row, Tile
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.reports.example_users import liked_items
from recsys.reports.labels import EVENT_WORDS
from recsys.reports.page import plainest_item
from recsys.restyling.render_request import RenderRequest
from recsys.restyling.renderer import Renderer
from recsys.restyling.target import StyleTarget
from recsys.rng import derive_seed
from recsys.schema import ItemId, UserId
from style.errors import ImageError
from style.images import decode_image
from style.vector import StyleVector

LIKED, RECOMMENDED, NEIGHBORS = 8, 8, 7
COMPONENT_ITEMS = 5
STRENGTHS = (0.25, 0.5, 0.75, 1.0)


def typical_items(recommender: Recommender, count: int) -> list[ItemId]:
    """Return up to `count` dissimilar products: the most central one of each cluster of style directions."""
    space, catalog = recommender.bundle.space, recommender.bundle.catalog
    rows = np.flatnonzero(space.directions.any(axis=1))
    directions = space.directions[rows].astype(np.float64)
    count = min(count, len(np.unique(directions, axis=0)))
    if count == 0:
        return []
    seed = derive_seed(recommender.bundle.settings.seed, "typical items") % 2**32
    centers = KMeans(count, n_init=4, random_state=seed).fit(directions).cluster_centers_
    # (R, count) similarities of items and centers; the most similar item of each center.
    return catalog.ids.ids(np.unique(rows[np.argmax(directions @ centers.T, axis=0)]))


def neighbor_row(recommender: Recommender, item_id: ItemId, count: int = NEIGHBORS) -> Row:
    """Return a product, framed, and the products most similar in style, with their cosine.

    Raises UnknownIdError for an unknown item, RequestError if it has no image.
    """
    answer = recommender.similar.to_item(item_id, limit=count)
    card = recommender.catalog.card(item_id)
    tiles = [Tile(card.image, card.title or item_id, framed=True)]
    tiles += [_item_tile(recommender, near.item_id, f"{near.score:.2f}") for near in answer.recommendations]
    return Row(f"like {card.title or item_id}", tiles)


def taste_rows(project: Project, recommender: Recommender, restyler: Renderer, user_id: UserId) -> list[Row]:
    """Return rows of one user: liked items, taste components, recommendations, and a plain product restyled.

    For unknown users there are only recommendations of popular items. Raises ProjectError if an image cannot be
    restyled.
    """
    request = Request(user_id=user_id, limit=RECOMMENDED)
    answer, report = recommender.recommend(request), recommender.taste(request)
    liked = liked_items(project.load_interactions(), user_id, LIKED)
    history = [_item_tile(recommender, item, EVENT_WORDS[kind]) for item, kind in liked]
    rows = [Row("latest items of the history", history)] if history else []
    images = {card.style_id: recommender.bundle.image_root / card.image for card in recommender.styles.cards}
    for number, component in enumerate(report.components, start=1):
        tiles = [
            Tile(images[near.style_id], f"{near.title} {near.similarity:.2f}", framed=True)
            for near in component.close_styles
        ]
        tiles += [_item_tile(recommender, item) for item in component.items[:COMPONENT_ITEMS]]
        words = f"taste component {number}, share {component.share:.0%}"
        rows.append(Row(f"{words}: nearest references (framed, with cosine) and products", tiles))
    items = [found.item_id for found in answer.recommendations]
    rows.append(Row("recommended, best first", [_item_tile(recommender, item) for item in items]))
    plain = plainest_item(recommender)
    if plain is not None and report.components:
        target = StyleTarget(StyleVector.from_values(report.components[0].vector))
        card = recommender.catalog.card(plain)
        tiles = [Tile(card.image, "photo")]
        if card.image is not None:
            tiles += [_restyled_tile(restyler, card.image, target, strength) for strength in STRENGTHS]
        rows.append(Row(f"{card.title or plain}, restyled toward taste component 1, by strength", tiles))
    return rows


def _restyled_tile(restyler: Renderer, image: Path, target: StyleTarget, strength: float) -> Tile:
    request = RenderRequest.from_settings(restyler.settings, image, target, recipe=restyler.recipe, strength=strength)
    try:
        result = restyler.render_or_raise(request)
    except ImageError:
        # One damaged file must not prevent the plot.
        return Tile(None)
    limited = "" if result.strength == strength else f", limited to {result.strength:.0%}"
    return Tile(decode_image(result.data), f"{strength:.0%}{limited}")


def _item_tile(recommender: Recommender, item_id: ItemId, note: str = "") -> Tile:
    card = recommender.catalog.card(item_id)
    return Tile(card.image, f"{note}: {card.title or item_id}" if note else card.title or item_id)
