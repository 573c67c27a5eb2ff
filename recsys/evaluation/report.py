"""Evaluation of a project, behind `recsys evaluate`: its own models and others on held-out events.

Every model is fitted on the holdout's train alone, the blend's weights included, and ranks the whole catalog for
everybody who has something relevant in the test; `recsys.evaluation.comparison` measures and tests what they rank.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial

import numpy as np
from scipy.sparse import csr_matrix

from recsys.dataset.bots import without_bots
from recsys.dataset.categories import category_groups
from recsys.dataset.interactions import drop_unknown_items
from recsys.dataset.project import Project
from recsys.dataset.splits import Holdout, SplitMethod, default_split_method, hold_out
from recsys.errors import DataError, RequestError
from recsys.evaluation.comparison import ComparisonReport, Lens, Models, OnDemand, compare_models
from recsys.evaluation.controls import COLORS, Control, control_name, control_vectors
from recsys.evaluation.groups import style_groups
from recsys.evaluation.protocol import ScoreFunction
from recsys.models.als import AlsModel
from recsys.models.base import Model
from recsys.models.popularity import PopularityModel
from recsys.models.registry import NAMES, STYLE, ModelInputs, make_model
from recsys.profiles.cold_start import Profile
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.style_vectors import catalog_colors
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.schema import USER_ID, FloatArray, IntArray, UserRow
from recsys.training.build import Ingredients, prepare, train

BASELINE = PopularityModel.name
BLEND = "blend"
TREND = "trend"
OWN = (BASELINE, TREND, AlsModel.name, BLEND)
"""What a project is served by, and what it is made of."""
EVERY = (*OWN, *(name for name in NAMES if name not in OWN))
ALL = "all"
"""Stands for every model that the data allow."""
TEST_SHARE = 0.2

ExtraModels = Callable[[Ingredients, Holdout], Models]
"""Further models by name, fitted on the holdout's train alone."""
Makers = dict[str, Callable[[], Model | ScoreFunction]]


def compare_project(
    project: Project,
    method: SplitMethod | None = None,
    *,
    k: int = 10,
    share: float = TEST_SHARE,
    events: int = 1,
    baseline: str = BASELINE,
    models: Collection[str] | None = None,
    controls: bool = False,
    sampled: int | None = None,
    extra: ExtraModels | None = None,
) -> ComparisonReport:
    """Compare a project's own models, and others, by any split, with every metric and the standard slices.

    Users that look like bots are left out, except from a split that came with the data.

    `method`: by default the split that came with the data, else by time. `share` and `events` are those of `hold_out`.
    `models`: names of `EVERY`, or `ALL`; default: `OWN`. The baseline is always among them. `extra` adds other ones.
    `controls` adds the blend with shuffled and with random style vectors in place of the catalog's, and with the
    products' colors. `sampled`: rank against this many random items only, and say so everywhere.
    Raises RequestError for a model that is not known, ProjectError before the first import, DataError where the split
    cannot be made, a model needs pictures that are not there, or nobody can be measured.
    """
    _check_names(models, baseline if extra is None else BASELINE, controls)
    frame = project.load_interactions()
    ingredients = prepare(project)
    frame = drop_unknown_items(frame, ingredients.catalog.ids)
    method = method or default_split_method(frame)
    users = frame[USER_ID].nunique()
    if method is not SplitMethod.PREDEFINED:
        frame = without_bots(frame, ingredients.catalog.ids, project.settings.events)
    bots = users - frame[USER_ID].nunique()
    holdout = hold_out(frame, ingredients.catalog.ids, method, share=share, events=events, seed=project.settings.seed)
    return compare_holdout(
        ingredients,
        holdout,
        split=describe_split(method, share, events, int(holdout.test.timestamps.min()))
        + (f", without {bots:,} users that look like bots" if bots else ""),
        k=k,
        baseline=baseline,
        models=models,
        controls=controls,
        colors=catalog_colors(project, ingredients.catalog) if controls else None,
        sampled=sampled,
        extra=extra,
    )


def compare_holdout(
    ingredients: Ingredients,
    holdout: Holdout,
    *,
    split: str,
    k: int = 10,
    baseline: str = BASELINE,
    models: Collection[str] | None = None,
    controls: bool = False,
    colors: FloatArray | None = None,
    sampled: int | None = None,
    extra: ExtraModels | None = None,
) -> ComparisonReport:
    """`compare_project` where what is trained from and what is held out are there already; `split` in words.

    `colors` (I, D): the products' colors; without them that control is left out.
    """
    _check_names(models, baseline if extra is None else BASELINE, controls)
    makers = _makers(ingredients, holdout)
    wanted = {baseline, *(OWN if models is None else models)}
    if models is not None and ALL in models:
        has_photos = ingredients.space.vectors.any()
        wanted |= {name for name in EVERY if has_photos or name not in STYLE}
    chosen = {name: maker for name, maker in makers.items() if name in wanted}
    if controls:
        chosen |= _control_makers(ingredients, holdout, colors)
    if extra is not None:
        chosen |= {name: partial(_as_it_is, model) for name, model in extra(ingredients, holdout).items()}
    return compare_models(
        OnDemand(chosen),
        holdout,
        baseline=baseline,
        split=split,
        k=k,
        lens=lens_of(ingredients, ingredients.settings.seed),
        sampled=sampled,
        seed=ingredients.settings.seed,
    )


def _check_names(models: Collection[str] | None, baseline: str, controls: bool) -> None:
    """Reject a wrong name before the long part begins."""
    for name in models or ():
        if name not in (ALL, *EVERY):
            raise RequestError("models", f"unknown model {name!r}; use {ALL} or some of {', '.join(EVERY)}")
    possible = (*EVERY, *(control_name(BLEND, control) for control in (*Control, COLORS))) if controls else EVERY
    if baseline not in possible:
        raise RequestError("baseline", f"unknown model {baseline!r}; use one of {', '.join(possible)}")


def _makers(ingredients: Ingredients, holdout: Holdout) -> Makers:
    """Return functions that fit each model on train, by name; the bundle is trained at most once."""
    settings, matrix = ingredients.settings, holdout.train.matrix()
    ground = ModelInputs(ingredients.space.vectors, settings.als, settings.seed)
    bundle = cache(partial(train, ingredients, holdout.train, in_time=holdout.in_time))
    own: Makers = {
        TREND: lambda: partial(_same_for_all, bundle().trend),
        BLEND: lambda: _blend(Recommender(bundle()), holdout),
    }
    others: Makers = {name: partial(_fit_model, name, ground, matrix) for name in NAMES}
    return {name: (others | own)[name] for name in EVERY}


def _fit_model(name: str, ground: ModelInputs, matrix: csr_matrix) -> Model:
    return make_model(name, ground).fit(matrix)


def _as_it_is(model: Model | ScoreFunction) -> Model | ScoreFunction:
    return model


def _control_makers(ingredients: Ingredients, holdout: Holdout, colors: FloatArray | None) -> Makers:
    """Make the blend with other vectors in place of style vectors. Raises DataError if there are none to replace."""
    vectors, seed = ingredients.space.vectors, ingredients.settings.seed
    if not vectors.any():
        raise DataError("controls take the place of style vectors, and no item has an image: leave them out")
    places = {control_name(BLEND, control): control_vectors(vectors, control, seed=seed) for control in Control}
    if colors is not None:
        places[control_name(BLEND, COLORS)] = colors
    return {name: partial(_blend_on, ingredients, holdout, instead) for name, instead in places.items()}


def _blend_on(ingredients: Ingredients, holdout: Holdout, vectors: FloatArray) -> ScoreFunction:
    """Fit the blend of a catalog with these style vectors (I, D); style references, of another space, are left out."""
    other = replace(
        ingredients,
        space=StyleSpace.from_vectors(vectors, ingredients.catalog.category_codes),
        styles=(),
        style_vectors=np.zeros((0, vectors.shape[1]), dtype=np.float32),
    )
    return _blend(Recommender(train(other, holdout.train, in_time=holdout.in_time)), holdout)


def lens_of(ingredients: Ingredients, seed: int) -> Lens:
    """Return the catalog's style vectors, clusters of them, and its categories, as far as it has them."""
    catalog, vectors = ingredients.catalog, ingredients.space.vectors
    groups = {}
    if vectors.any():
        groups["style"] = style_groups(vectors, seed=seed)
    if any(catalog.category_names):
        names = np.array(catalog.category_names, dtype=object)
        groups["category"] = category_groups(names[catalog.category_codes].tolist())
    return Lens(vectors if vectors.any() else None, groups)


def describe_split(method: SplitMethod, share: float = TEST_SHARE, events: int = 1, moment: int | None = None) -> str:
    """Describe a split in words.

    `moment`: start of the test, seconds since 1970 UTC, if the split has one.
    """
    since = "" if moment is None else f" (from {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC on)"
    return {
        SplitMethod.TIME: f"one moment for all, the last {share:.0%} of events held out{since}",
        SplitMethod.LEAVE_LAST: f"the last {events} of each user's events held out",
        SplitMethod.RANDOM: f"{share:.0%} of each user's items held out at random",
        SplitMethod.STRONG: f"{share:.0%} of users held out, {share:.0%} of their items asked for, the rest folded in",
        SplitMethod.COLD_ITEMS: f"{share:.0%} of items held out, only these recommended",
        SplitMethod.PREDEFINED: "the train and test files that came with the data",
    }[method]


def _same_for_all(scores: FloatArray, users: IntArray) -> FloatArray:
    """Repeat one ranking (I,) for (Q,) users: (Q, I)."""
    return np.tile(scores, (len(users), 1))


def _blend(recommender: Recommender, holdout: Holdout) -> ScoreFunction:
    """Return the blend's scores as it is served: (Q,) user rows to (Q, I) scores of the items that may be recommended.

    From their rows or, where nothing of them was learned, from their history.
    """
    profile = (
        _folded_in(recommender, holdout)
        if holdout.folds_in
        else (lambda user: recommender.profile_of_row(UserRow(user)))
    )
    return lambda users: np.stack([recommender.scores(profile(user), holdout.items) for user in users.tolist()])


def _folded_in(recommender: Recommender, holdout: Holdout) -> Callable[[int], Profile]:
    history, ids = holdout.history.matrix(), holdout.history.item_ids

    def profile(user: int) -> Profile:
        row = history[user]
        items = ids.ids(row.indices.astype(np.int64))
        return recommender.profile(Request(items=dict(zip(items, row.data.tolist(), strict=True))))

    return profile
