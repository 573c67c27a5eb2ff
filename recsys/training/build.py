"""Build: from the imported data of a project to a bundle.

Everything but the blend is fitted on all events. The blend's weights and the taste's prior are chosen first, on
models of the earlier events and what people did later, so that no weight is fitted on events that a model has seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.bundle import Bundle, StyleCard, save_bundle
from recsys.clock import Clock, now
from recsys.config import ProjectSettings
from recsys.dataset.catalog import Catalog
from recsys.dataset.interactions import Interactions
from recsys.dataset.project import Project
from recsys.dataset.splits import split_by_time
from recsys.errors import DataError
from recsys.models.als import AlsModel
from recsys.models.popularity import log_popularity
from recsys.pipeline.rank import Blend
from recsys.pipeline.recommender import Recommender
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.taste import Evidence, TasteModel, event_say
from recsys.schema import FloatArray
from recsys.training.blend import BlendCases, fit_blend
from recsys.training.style_vectors import catalogue_vectors, embedder_version, library_vectors

TASTE_PRIORS = (1.0, 4.0, 16.0)
"""The prior's say, in events of weight 1, is the best of these on later events."""
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
    """Choose prior and blend on later events, then fit everything on all events."""
    blend, prior, metrics = choose_blend(ingredients, interactions)
    return fit(ingredients, interactions, blend, prior, metrics)


def choose_blend(ingredients: Ingredients, interactions: Interactions) -> tuple[Blend, float, dict[str, float]]:
    """The blend and taste prior with the best NDCG@10 on the last share of events, and that figure.

    A catalogue whose events cannot be split by time gets the defaults.
    """
    settings = ingredients.settings
    try:
        earlier, later = split_by_time(interactions, settings.rank.validation_share)
    except DataError:
        return DEFAULT_BLEND, TASTE_PRIORS[1], {}
    first = fit(ingredients, earlier, DEFAULT_BLEND, TASTE_PRIORS[0], {})
    trials: list[tuple[float, float, Blend]] = []
    for prior in TASTE_PRIORS:
        recommender = Recommender(replace(first, taste=replace(first.taste, prior=prior)))
        cases = BlendCases(recommender, later, seed=settings.seed)
        if not len(cases):
            return DEFAULT_BLEND, TASTE_PRIORS[1], {}
        blend = fit_blend(cases, DEFAULT_BLEND)
        weights = np.array(list(blend.weights.values()), dtype=np.float32)
        trials.append((cases.quality(weights), prior, blend))
    quality, prior, blend = max(trials, key=lambda trial: trial[0])
    return blend, prior, {"validation_ndcg@10": round(quality, 5)}


def fit(
    ingredients: Ingredients,
    interactions: Interactions,
    blend: Blend,
    prior: float,
    metrics: dict[str, float],
) -> Bundle:
    """Factors and taste of these events, in one bundle with all else."""
    settings = ingredients.settings
    factors = AlsModel(settings.als, seed=settings.seed).fit(interactions.matrix())
    recent = interactions.matrix(half_life_days=settings.taste.half_life_days)
    liked = recent.tocoo()
    positive = liked.data > 0
    evidence = Evidence(
        users=liked.row[positive].astype(np.int64),
        items=liked.col[positive].astype(np.int64),
        weights=event_say(liked.data[positive]),
        count=recent.shape[0],
    )
    taste = TasteModel.fit(
        ingredients.space, evidence, factors.user_factors, prior=prior, max_modes=settings.taste.max_modes
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
