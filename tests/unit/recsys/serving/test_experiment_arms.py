"""An arm of an experiment is served as a project with its settings would be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsys.errors import RequestError
from recsys.experiments.design.overrides import NO_OVERRIDES, Overrides
from recsys.models.blend import Blend
from recsys.models.curves import Curves
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.schema import FEATURES, ItemId, Reranker, UserId
from recsys.serving.experiment_arms import apply_overrides
from tests.small_bundles import small_bundle

USERS = tuple(UserId(f"u{number:02d}") for number in range(8))
WEIGHTS = {"style": 3.0, "neighbors": 0.0, "popularity": 0.7}
ARMS = {
    "blend": Overrides(blend=WEIGHTS),
    "diversity": Overrides(diversity=0.9),
    "reranker": Overrides(reranker=Reranker.NONE),
    "other reranker": Overrides(reranker=Reranker.DPP, diversity=0.7),
    "calibration": Overrides(calibration=1.0),
    "exploration": Overrides(exploration=0.5),
    "together": Overrides(blend=WEIGHTS, reranker=Reranker.DPP, diversity=0.4, calibration=0.1, exploration=0.2),
}


@pytest.fixture(scope="module")
def small() -> Recommender:
    """One that has settings of every kind that arms change."""
    return project_with(Recommender(small_bundle()), {"diversity": 0.4, "calibration": 0.1}, {})


def project_with(recommender: Recommender, rank: Mapping[str, Any], weights: Mapping[str, float]) -> Recommender:
    """The recommender of a project with such settings, and a bundle whose blend has such weights."""
    bundle = recommender.bundle
    settings = bundle.settings.model_copy(update={"rank": bundle.settings.rank.model_copy(update=dict(rank))})
    weighted = {**bundle.blend.weights, **weights}, {**bundle.blend.new_weights, **weights}
    return Recommender(replace(bundle, settings=settings, blend=Blend(*weighted, bundle.blend.new_offset)))


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_is_served_as_a_project_with_its_settings_would_be(small: Recommender, name: str) -> None:
    arm = ARMS[name]
    rank = {key: value for key, value in arm.explicit.items() if key != "blend"}
    project = project_with(small, rank, arm.blend or {})
    requests = [Request(user, limit=12, items={ItemId("i39"): 1.0}) for user in USERS]
    served = [small.recommend(apply_overrides(request, arm)) for request in requests]
    # With all parts of the scores, reasons, propensities and what is explored.
    assert served == [project.recommend(request) for request in requests]
    assert served != [small.recommend(request) for request in requests]


def test_what_the_caller_has_set_goes_before_the_arm() -> None:
    asked = Request(diversity=0.2, blend={"style": 0.5})
    arm = Overrides(diversity=0.9, calibration=0.8, blend={"style": 2.0, "recency": 1.0}, reranker=Reranker.DPP)
    served = apply_overrides(asked, arm)
    assert (served.diversity, served.calibration, served.reranker) == (0.2, 0.8, Reranker.DPP)
    assert served.blend == {"style": 0.5, "recency": 1.0}


def test_an_arm_that_sets_nothing_changes_nothing() -> None:
    request = Request(UserId("u01"), limit=3, exploration=0.1)
    assert apply_overrides(request, NO_OVERRIDES) == request
    assert apply_overrides(request, Overrides(strength=0.1, engine="color")) == request


def test_a_weight_replaces_a_curve_and_leaves_the_others() -> None:
    flat = np.linspace(0, 1, 4, dtype=np.float32)
    curves = Curves(np.tile(flat, (2 * len(FEATURES), 1)), np.tile(flat**2, (2 * len(FEATURES), 1)))
    table = np.random.default_rng(3).random((6, len(FEATURES)), dtype=np.float32)
    blend = Blend(dict.fromkeys(FEATURES, 1.0), dict.fromkeys(FEATURES, 1.0), curves=curves)
    fitted = blend.contributions(table, np.zeros(6, dtype=np.bool_))
    changed = blend.with_weights({"style": 0.5}).contributions(table, np.arange(6) == 5)
    style = FEATURES.index("style")
    np.testing.assert_allclose(changed[:, style], 0.5 * table[:, style], rtol=1e-6)
    np.testing.assert_array_equal(np.delete(changed[:5], style, axis=1), np.delete(fitted[:5], style, axis=1))


@pytest.mark.parametrize("blend", [{"looks": 1.0}, {"style": -1.0}, {"style": float("nan")}])
def test_wrong_weights_are_refused(blend: dict[str, float]) -> None:
    with pytest.raises(RequestError, match="blend"):
        Request(blend=blend)
