"""What the shop's style looks like: neighbors of a product, and one person from what they liked to a restyled product.

Each function gathers rows for `recsys.plots.strips.picture_rows`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans

from recsys.dataset.project import Project
from recsys.plots.strips import Row, Tile
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request, TasteMode
from recsys.reports.example_users import liked_items
from recsys.reports.labels import EVENT_WORDS, named_styles
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
MODE_ITEMS = 5
STRENGTHS = (0.25, 0.5, 0.75, 1.0)


def typical_items(recommender: Recommender, count: int) -> list[ItemId]:
    """Up to `count` products unlike each other: the one in the middle of each cluster of the catalog's looks."""
    space, catalog = recommender.bundle.space, recommender.bundle.catalog
    rows = np.flatnonzero(space.directions.any(axis=1))
    looks = space.directions[rows].astype(np.float64)
    count = min(count, len(np.unique(looks, axis=0)))
    if count == 0:
        return []
    seed = derive_seed(recommender.bundle.settings.seed, "typical items") % 2**32
    centers = KMeans(count, n_init=4, random_state=seed).fit(looks).cluster_centers_
    return catalog.ids.ids(np.unique(rows[np.argmax(looks @ centers.T, axis=0)]))


def neighbor_row(recommender: Recommender, item_id: ItemId, count: int = NEIGHBORS) -> Row:
    """A product, framed, and those that look most like it, with their cosine.

    Raises UnknownIdError for the item, RequestError where it has no picture.
    """
    answer = recommender.similar.to_item(item_id, limit=count)
    found = [(near.item_id, f"{near.score:.2f}") for near in answer.recommendations]
    card = recommender.catalog.card(item_id)
    tiles = [Tile(card.image, card.title or item_id, framed=True)]
    return Row(f"like {card.title or item_id}", [*tiles, *(_item(recommender, item, note) for item, note in found)])


def taste_rows(project: Project, recommender: Recommender, restyler: Renderer, user_id: UserId) -> list[Row]:
    """One person: what they liked, each mode of their taste, what is recommended, and a plain product restyled.

    Of whom nothing is known there are only recommendations: what is popular. Raises ProjectError where a picture
    cannot be restyled.
    """
    request = Request(user_id=user_id, limit=RECOMMENDED)
    answer, report = recommender.recommend(request), recommender.taste(request)
    liked = liked_items(project.load_interactions(), user_id, LIKED)
    rows = (
        [Row("acted on last", [_item(recommender, item, EVENT_WORDS[kind]) for item, kind in liked])] if liked else []
    )
    rows += [_mode_row(recommender, number, mode) for number, mode in enumerate(report.modes, start=1)]
    items = [found.item_id for found in answer.recommendations]
    rows.append(Row("recommended, best first", [_item(recommender, item) for item in items]))
    plain = plainest_item(recommender)
    if plain is not None and report.modes:
        rows.append(
            _restyled_row(recommender, restyler, plain, StyleTarget(StyleVector.from_values(report.modes[0].vector)))
        )
    return rows


def _mode_row(recommender: Recommender, number: int, mode: TasteMode) -> Row:
    images = {card.style_id: recommender.bundle.image_root / card.image for card in recommender.styles.cards}
    references = [
        Tile(images[near.style_id], f"{near.title} {near.similarity:.2f}", framed=True) for near in named_styles(mode)
    ]
    items = [_item(recommender, item) for item in mode.items[:MODE_ITEMS]]
    return Row(
        f"taste {number}: {mode.share:.0%} of it; nearest references (framed, with cosine) and products",
        [*references, *items],
    )


def _restyled_row(recommender: Recommender, restyler: Renderer, item_id: ItemId, target: StyleTarget) -> Row:
    card = recommender.catalog.card(item_id)
    tiles = [Tile(card.image, "photo")]
    if card.image is not None:
        tiles += [_restyled(restyler, card.image, target, strength) for strength in STRENGTHS]
    return Row(f"{card.title or item_id}, restyled toward taste 1, by strength", tiles)


def _restyled(restyler: Renderer, image: Path, target: StyleTarget, strength: float) -> Tile:
    request = RenderRequest.from_settings(restyler.settings, image, target, recipe=restyler.recipe, strength=strength)
    try:
        picture = restyler.render_or_raise(request)
    except ImageError:
        # One damaged file must not cost the figure.
        return Tile(None)
    limited = "" if picture.strength == strength else f", limited to {picture.strength:.0%}"
    return Tile(decode_image(picture.data), f"{strength:.0%}{limited}")


def _item(recommender: Recommender, item_id: ItemId, note: str = "") -> Tile:
    card = recommender.catalog.card(item_id)
    return Tile(card.image, f"{note}: {card.title or item_id}" if note else card.title or item_id)
