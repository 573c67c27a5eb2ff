"""Build: from the imported data of a project to a bundle.

Everything but the blend is fitted on all events. The blend's weights are chosen first, on models of the earlier
events and what people did later, so that no weight is fitted on events that a model has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.bundle import Bundle, StyleCard, save_bundle
from recsys.clock import Clock, now
from recsys.config import ProjectSettings
from recsys.dataset.catalog import Catalog
from recsys.dataset.interactions import Interactions
from recsys.dataset.project import Project
from recsys.dataset.splits import rolling_splits
from recsys.models.als import AlsModel
from recsys.models.popularity import log_popularity
from recsys.pipeline.rank import FEATURES, Blend
from recsys.pipeline.recommender import Recommender
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.taste import Evidence, TasteModel
from recsys.schema import FloatArray
from recsys.training.blend import BlendCases, fit_blend
from recsys.training.style_vectors import catalogue_vectors, embedder_version, library_vectors

ROUNDS = 3
"""The blend is fitted on this many stretches of later events."""
DEFAULT_BLEND = Blend({"factors": 1.0, "style": 0.3, "popularity": 0.1, "trend": 0.1, "category": 0.1, "price": 0.05})
"""Where there are no later events to fit on: a new shop."""


@dataclass(frozen=True, slots=True, eq=False)
class Ingredients:
    """What training starts from: catalogue, style space and style references, settings."""

    items: pd.DataFrame
    catalog: Catalog
    space: StyleSpace
    styles: tuple[StyleCard, ...]
    style_vectors: FloatArray
    settings: ProjectSettings
    embedder: str
    image_root: Path


def build(project: Project, clock: Clock = now) -> str:
    """Train everything on a project's data and publish the bundle; returns its version.

    Resumable: style vectors that were computed are kept. Raises ProjectError before the first import.
    """
    ingredients = prepare(project)
    bundle = train(ingredients, load_interactions(project, ingredients.catalog))
    return save_bundle(bundle, project.bundles, clock())


def prepare(project: Project) -> Ingredients:
    """Read the catalogue and compute its style vectors."""
    items = project.load_items()
    catalog = Catalog.from_frame(items)
    vectors = catalogue_vectors(project, catalog)
    styles, style_vectors = library_vectors(project)
    return Ingredients(
        items=items,
        catalog=catalog,
        space=StyleSpace.of(vectors, catalog.category_codes),
        styles=styles,
        style_vectors=style_vectors,
        settings=project.settings,
        embedder=embedder_version(project.settings.style.backbone),
        image_root=project.root,
    )


def load_interactions(project: Project, catalog: Catalog) -> Interactions:
    """A project's interactions over the rows of its catalogue."""
    return Interactions.from_frame(project.load_interactions(), catalog.ids)


def train(ingredients: Ingredients, interactions: Interactions) -> Bundle:
    """Choose the blend on later events, then fit everything on all events."""
    blend, metrics = choose_blend(ingredients, interactions)
    return fit(ingredients, interactions, blend, metrics)


def choose_blend(ingredients: Ingredients, interactions: Interactions) -> tuple[Blend, dict[str, float]]:
    """The blend with the best NDCG@10 on what came next, in several rounds, and that figure.

    One round's users are few and its winners partly chance; three rounds halve that. A catalogue whose events cannot
    be split by time gets the defaults.
    """
    settings = ingredients.settings
    rounds = (
        (Recommender(fit(ingredients, earlier, DEFAULT_BLEND, {})), later)
        for earlier, later in rolling_splits(interactions, settings.rank.validation_share, ROUNDS)
    )
    cases = BlendCases(rounds, seed=settings.seed)
    if not len(cases):
        return DEFAULT_BLEND, {}
    blend = fit_blend(cases)
    weights = np.array([blend.weights[name] for name in FEATURES], dtype=np.float32)
    return blend, {"validation_ndcg@10": round(cases.quality(weights), 5)}


def fit(
    ingredients: Ingredients,
    interactions: Interactions,
    blend: Blend,
    metrics: dict[str, float],
) -> Bundle:
    """Factors and taste of these events, in one bundle with all else."""
    settings = ingredients.settings
    factors = AlsModel(settings.als, seed=settings.seed).fit(interactions.matrix())
    recent = interactions.matrix(half_life_days=settings.taste.half_life_days)
    taste = TasteModel.fit(
        ingredients.space,
        Evidence.of(recent),
        factors.user_factors,
        prior=settings.taste.prior,
        max_modes=settings.taste.max_modes,
    )
    return Bundle(
        items=ingredients.items,
        user_ids=interactions.user_ids,
        space=ingredients.space,
        factors=factors,
        taste=taste,
        blend=blend,
        recent=recent,
        seen=interactions.seen(),
        trend=_trend(interactions, settings.rank.trend_half_life_days),
        styles=ingredients.styles,
        style_vectors=ingredients.style_vectors,
        settings=settings,
        embedder=ingredients.embedder,
        metrics=metrics,
        image_root=ingredients.image_root,
        catalog=ingredients.catalog,
    )


def _trend(interactions: Interactions, half_life_days: float) -> FloatArray:
    """How popular each item is now, (I,) in [0, 1]: log-popularity of events faded by age, over its largest."""
    faded = log_popularity(interactions.matrix(half_life_days=half_life_days))
    return np.asarray(faded / max(float(faded.max(initial=0.0)), 1e-9), dtype=np.float32)
