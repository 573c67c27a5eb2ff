"""Build: from the imported data of a project to a bundle.

Everything but the blend is fitted on all events. The blend's weights are chosen first, on models of the earlier
events and what people did later, so that no weight is fitted on events that a model has seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys.bundle.store import save_bundle
from recsys.bundle.types import Bundle
from recsys.bundle.versions import delete_old_versions
from recsys.clock import SECONDS_PER_DAY, Clock, now
from recsys.config import ProjectSettings
from recsys.dataset.activity import damp_bursts
from recsys.dataset.bots import find_bots, leave_out
from recsys.dataset.catalog import Catalog
from recsys.dataset.interactions import Interactions, drop_unknown_items
from recsys.dataset.project import Project
from recsys.dataset.splits import Split, cold_items, random_per_user, rolling_splits
from recsys.errors import DataError
from recsys.models.als import AlsModel
from recsys.models.base import keep_entries
from recsys.models.blend import Blend
from recsys.models.ease import EaseModel
from recsys.models.item_item import ItemItemModel
from recsys.models.item_knn import ItemKnnModel
from recsys.models.popularity import log_popularity, unit_peak
from recsys.models.settings import EaseSettings
from recsys.models.style_als import StyleAlsModel
from recsys.profiles.product_descriptors import ProductDescriptors
from recsys.profiles.style_library import StyleCard
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.style_vectors import catalog_vectors, embedder_version, library_vectors
from recsys.profiles.taste import Evidence, TasteModel
from recsys.profiles.text_style import TextStyleMap, item_texts
from recsys.progress import stage
from recsys.ranking.recommender import Recommender
from recsys.schema import INTERACTION_COLUMNS, FloatArray
from recsys.storage.artifacts import exclusive_lock
from recsys.training.blend import BlendCases, Round, fit_blend, quality
from recsys.training.descriptors import catalog_descriptors
from recsys.training.left_out import cap_users, describe_learning, with_everybody

ROUNDS = 3
"""The blend is fitted on this many stretches of later events."""
NEW_ITEMS_SHARE = 0.2
"""The share of items that are taken as new in the round that settles the weights of these."""
DEFAULT_WEIGHTS = {
    "factors": 1.0,
    "neighbors": 0.2,
    "style": 0.3,
    "popularity": 0.1,
    "trend": 0.1,
    "recency": 0.02,
    "category": 0.1,
    "price": 0.05,
}
DEFAULT_BLEND = Blend(DEFAULT_WEIGHTS, DEFAULT_WEIGHTS)
"""Where there are no later events to fit on: a new shop."""
EASE_BYTES = 256 * 1024**2
"""A bundle's exact EASE is no larger: 8,192 items. Above it each item is predicted from the nearest ones alone."""
EASE_ITEMS = 60_000
"""From here on that takes too long, too: item-kNN stands in, which is nearly as good where data are sparse."""
MOST_LIKES = 500
"""Of a person, then: pairs of likes grow with the square, and who likes thousands of things says little of any two."""


@dataclass(frozen=True, slots=True, eq=False)
class Ingredients:
    """Inputs of training.

    Catalog (`items_through` as in Bundle), style space, style references, settings, and descriptors if any.
    """

    items: pd.DataFrame
    catalog: Catalog
    space: StyleSpace
    styles: tuple[StyleCard, ...]
    style_vectors: FloatArray
    settings: ProjectSettings
    embedder: str
    image_root: Path
    items_through: int = 0
    descriptors: ProductDescriptors = field(default_factory=ProductDescriptors)


def build(project: Project, clock: Clock = now) -> str:
    """Train everything on a project's data and publish the bundle; returns its version.

    Live events that arrive meanwhile wait for the next build. Resumable: style vectors that were computed are kept.
    Bundles older than the newest few are deleted. Waits while another process writes to the project. Raises
    ProjectError before the first import, StorageError where live data cannot be read.
    """
    with exclusive_lock(project.root, wait=True):
        # Before the catalog is read: an event on an item that comes in between waits for the next build with it.
        through = project.last_event()
        ingredients = prepare(project)
        bundle = train(ingredients, load_interactions(project, ingredients.catalog, through))
        with stage("words"):
            text_style = fit_text_style(ingredients)
        with stage("write bundle"):
            bundle = replace(bundle, events_through=through, text_style=text_style)
            version = save_bundle(bundle, project.bundles, clock())
            delete_old_versions(project.bundles)
        return version


def prepare(project: Project) -> Ingredients:
    """Read the catalog and compute its style vectors, and the descriptors that the settings ask for."""
    items, items_through = project.load_catalog()
    catalog = Catalog.from_frame(items)
    vectors = catalog_vectors(project, catalog)
    styles, style_vectors = library_vectors(project)
    return Ingredients(
        items=items,
        catalog=catalog,
        space=StyleSpace.from_vectors(vectors, catalog.category_codes),
        styles=styles,
        style_vectors=style_vectors,
        settings=project.settings,
        embedder=embedder_version(project.settings.style.backbone, project.settings.preprocess.steps),
        image_root=project.root,
        items_through=items_through,
        descriptors=catalog_descriptors(project, catalog),
    )


def load_interactions(project: Project, catalog: Catalog, through: int | None = None) -> Interactions:
    """Load a project's interactions over the rows of its catalog, live ones up to the number `through` (default: all).

    None where only a catalog was imported.
    """
    if project.items_file.exists() and not (project.interactions_file.exists() or project.has_live_data):
        return Interactions.from_frame(pd.DataFrame(columns=list(INTERACTION_COLUMNS)), catalog.ids)
    return Interactions.from_frame(drop_unknown_items(project.load_interactions(through), catalog.ids), catalog.ids)


def train(ingredients: Ingredients, interactions: Interactions, *, in_time: bool = True) -> Bundle:
    """Choose the blend on later events, then fit everything on all events.

    Nothing is learned from users that look like bots, unless the settings say so; they have lists like all others.

    `in_time` False: on events held out at random, for a test that is so.
    """
    suspects = find_bots(interactions, ingredients.settings.events)
    kept = leave_out(interactions, suspects)
    with stage("blend"):
        blend, metrics = choose_blend(ingredients, kept, in_time=in_time)
    with stage("final models"):
        bundle = replace(fit(ingredients, kept, blend, metrics), notes=tuple(describe_learning(suspects, kept)))
        return with_everybody(bundle, kept, interactions) if suspects else bundle


def choose_blend(
    ingredients: Ingredients, interactions: Interactions, *, in_time: bool = True
) -> tuple[Blend, dict[str, float]]:
    """Choose the blend with the best NDCG@10 on later events, in several rounds, and return it with that value.

    One round's users are few and its winners partly chance; three rounds halve that. Events without times (or with
    `in_time` False) are held out at random, once; where nothing can be held out, the blend is the default. One more
    round, where there are pictures, asks for new items among new ones, since what comes next is seldom new and says
    little of how to rank it.
    """
    settings = ingredients.settings
    cases = BlendCases.of(_rounds(ingredients, interactions, in_time), seed=settings.seed)
    if not len(cases):
        return DEFAULT_BLEND, {}
    new = BlendCases.of(_new_item_rounds(ingredients, interactions), seed=settings.seed)
    blend = fit_blend(cases, new)
    metrics = {"validation_ndcg@10": cases, "validation_new_items_ndcg@10": new}
    return blend, {name: round(quality(each, blend), 5) for name, each in metrics.items() if len(each)}


def _rounds(ingredients: Ingredients, interactions: Interactions, in_time: bool) -> Iterator[Round]:
    settings = ingredients.settings
    for earlier, later in _validation(interactions, settings.rank.validation_share, settings.seed, in_time):
        yield Round(Recommender(fit(ingredients, earlier, DEFAULT_BLEND, {})), later)


def _new_item_rounds(ingredients: Ingredients, interactions: Interactions) -> Iterator[Round]:
    """One round that asks for new items among new ones; none where there are no pictures, which alone describe them."""
    if len(interactions) and ingredients.space.vectors.any():
        with suppress(DataError):
            cold = cold_items(interactions, NEW_ITEMS_SHARE, seed=ingredients.settings.seed)
            yield Round(Recommender(fit(ingredients, cold.train, DEFAULT_BLEND, {})), cold.test, cold.items)


def _validation(interactions: Interactions, share: float, seed: int, in_time: bool) -> list[Split]:
    rounds = rolling_splits(interactions, share, ROUNDS) if in_time else []
    if rounds or not len(interactions):
        return rounds
    try:
        drawn = random_per_user(interactions, share, seed=seed)
    except DataError:
        return []
    return [Split(drawn.train, drawn.test)]


def fit(
    ingredients: Ingredients,
    interactions: Interactions,
    blend: Blend,
    metrics: dict[str, float],
    *,
    neighbors: ItemItemModel | None = None,
) -> Bundle:
    """Factors, neighbors (unless they are given) and taste of these events, in one bundle with all else."""
    settings, trend_half_life = ingredients.settings, ingredients.settings.rank.trend_half_life_days
    matrix = interactions.matrix()
    capped = cap_users(matrix, interactions)
    with stage("factors"):
        factors = fit_factors(ingredients, capped)
        if capped is not matrix:
            # Users with lowered weights get factors from all their events.
            factors = factors.with_users(matrix, np.arange(matrix.shape[0]))
    recent = interactions.matrix(half_life_days=settings.taste.half_life_days)
    with stage("tastes"):
        taste = TasteModel.fit(
            ingredients.space,
            Evidence.from_events(recent),
            factors.user_factors,
            prior=settings.taste.prior,
            max_components=settings.taste.max_components,
        )
    if neighbors is None:
        with stage("neighbors"):
            neighbors = fit_neighbors(capped)
    # Recency halves with each half-life since an item's first event; 0 without events, or if all have one time.
    recency = np.zeros(interactions.shape[1], dtype=np.float32)
    times = interactions.timestamps
    if len(times) and times.min() < times.max():
        rows, first = np.unique(interactions.items, return_index=True)  # events are in time order
        age_days = np.maximum(interactions.present - times[first], 0) / SECONDS_PER_DAY
        recency[rows] = 0.5 ** (age_days / settings.rank.recency_half_life_days)
    return Bundle(
        items=ingredients.items,
        user_ids=interactions.user_ids,
        space=ingredients.space,
        factors=factors,
        neighbors=neighbors,
        taste=taste,
        blend=blend,
        recent=recent,
        interacted=interactions.kinds_matrix(),
        trend=unit_peak(log_popularity(damp_bursts(interactions).matrix(half_life_days=trend_half_life))),
        recency=recency,
        styles=ingredients.styles,
        style_vectors=ingredients.style_vectors,
        settings=settings,
        embedder=ingredients.embedder,
        metrics=metrics,
        image_root=ingredients.image_root,
        catalog=ingredients.catalog,
        items_through=ingredients.items_through,
        descriptors=ingredients.descriptors,
    )


def fit_factors(ingredients: Ingredients, matrix: csr_matrix) -> AlsModel:
    """Factors of a matrix (U, I): drawn towards the pictures' styles where there are pictures."""
    settings, vectors = ingredients.settings, ingredients.space.vectors
    if not matrix.nnz:
        return AlsModel.without_events(matrix.shape[1], settings.als)
    if vectors.any():
        return StyleAlsModel(vectors, settings.als, seed=settings.seed).fit(matrix)
    return AlsModel(settings.als, seed=settings.seed).fit(matrix)


def fit_text_style(ingredients: Ingredients) -> TextStyleMap:
    """Learn the style of words from the catalog's texts and the titles and scenes of style references."""
    space, names = ingredients.space, ["\n".join((card.title, *card.scenes)) for card in ingredients.styles]
    references = [space.to_direction(vector) for vector in ingredients.style_vectors]
    return TextStyleMap.fit(
        item_texts(ingredients.catalog),
        space.directions,
        names,
        np.array(references, dtype=np.float32).reshape(-1, space.dimensions),
    )


def fit_neighbors(matrix: csr_matrix) -> ItemItemModel:
    """Items that the same people like, from a matrix (U, I): the best model that the catalog's size allows."""
    if not matrix.nnz:
        nobody = csr_matrix(np.zeros((1, matrix.shape[1]), dtype=np.float32))
        return ItemKnnModel().fit(nobody)
    if matrix.shape[1] <= EASE_ITEMS:
        return EaseModel(EaseSettings(memory_limit=EASE_BYTES)).fit(matrix)
    # All events stay its history, by which items are new.
    return ItemKnnModel().fit(strongest(matrix, MOST_LIKES)).with_users(matrix, np.arange(matrix.shape[0]))


def strongest(matrix: csr_matrix, count: int) -> csr_matrix:
    """Keep the `count` largest entries of each row (of equal ones the lower column) and leave the others out."""
    excess = np.flatnonzero(np.diff(matrix.indptr) > count)
    keep = np.ones(matrix.nnz, dtype=np.bool_)
    for row in excess:
        entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
        keep[entries] = False
        keep[matrix.indptr[row] + np.argsort(-matrix.data[entries], kind="stable")[:count]] = True
    return keep_entries(matrix, keep)
