"""A treatment matters where two arms would show different things, and the same for both of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.config import RankSettings, RestyleSettings
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.exposure import TriggerContext, Why, matters, triggers
from recsys.experiments.design.overrides import NOTHING, Overrides, defaults
from recsys.schema import Reranker

BASE = defaults(RankSettings(), RestyleSettings())
LIST = TriggerContext(places=10, base=BASE)
PICTURES = TriggerContext(places=10, photos=True, taste=True, personal=True, base=BASE)
ONE_PICTURE = TriggerContext(photos=True, taste=True, base=BASE)

SHARES = st.none() | st.sampled_from([0.0, 0.15, 0.3, 0.6])
OVERRIDES = st.builds(
    Overrides,
    blend=st.none() | st.just({"style": 2.0}),
    reranker=st.none() | st.sampled_from(Reranker),
    diversity=SHARES,
    calibration=SHARES,
    strength=SHARES,
    scene=st.none() | st.just("holiday"),
) | st.builds(Overrides, restyle=st.booleans(), exploration=SHARES)
OCCASIONS = st.builds(
    TriggerContext,
    places=st.sampled_from([0, 10]),
    photos=st.booleans(),
    taste=st.booleans(),
    personal=st.booleans(),
    asked=st.sets(st.sampled_from(sorted(Overrides.model_fields))).map(frozenset),
    base=st.sampled_from([BASE, NOTHING]),
)


@pytest.mark.parametrize(
    ("arm", "occasion", "options"),
    [
        ({"restyle": False}, PICTURES, ("restyle",)),
        ({"restyle": False}, LIST, ()),
        ({"restyle": False}, TriggerContext(places=10, photos=True, base=BASE), ()),
        ({"strength": 0.3, "mode": "tone"}, ONE_PICTURE, ("strength", "mode")),
        ({"strength": 0.6}, PICTURES, ()),
        ({"strength": 0.0, "mode": "tone"}, PICTURES, ("strength", "mode")),
        ({"scene": "holiday"}, TriggerContext(photos=True, base=BASE), ("scene",)),
        ({"scene": "holiday"}, LIST, ()),
        ({"diversity": 0.5}, LIST, ("diversity",)),
        ({"diversity": 0.5}, ONE_PICTURE, ()),
        ({"diversity": 0.15}, LIST, ()),
        ({"reranker": "dpp"}, LIST, ("reranker",)),
        ({"calibration": 0.5}, PICTURES, ("calibration",)),
        ({"calibration": 0.5}, LIST, ()),
        ({"blend": {"style": 2.0}}, LIST, ("blend",)),
        ({"model": "0123456789abcdef"}, LIST, ("model",)),
        ({"exploration": 0.1}, LIST, ("exploration",)),
        ({"exploration": 0.1}, TriggerContext(places=10, asked=frozenset({"exploration"}), base=BASE), ()),
    ],
)
def test_what_matters_where(arm: dict[str, Any], occasion: TriggerContext, options: tuple[str, ...]) -> None:
    found = matters(NOTHING, Overrides.model_validate(arm), occasion)
    assert (found.matters, found.options) == (bool(options), options)


def test_variety_that_is_not_at_work_does_not_matter() -> None:
    none = Overrides(reranker=Reranker.NONE)
    assert not matters(none, Overrides(reranker=Reranker.NONE, diversity=0.9), LIST).matters
    assert not matters(none, Overrides(diversity=0.0), LIST).matters
    assert matters(none, NOTHING, LIST).options == ("reranker",)


def test_why() -> None:
    arm = Overrides(strength=0.3)
    assert matters(NOTHING, arm, PICTURES).why is Why.DIFFERS
    assert matters(NOTHING, arm, LIST).why is Why.NOT_SHOWN
    assert matters(arm, arm, PICTURES).why is Why.SAME


@given(one=OVERRIDES, other=OVERRIDES, occasion=OCCASIONS)
def test_it_is_symmetric_and_nothing_differs_from_itself(
    one: Overrides, other: Overrides, occasion: TriggerContext
) -> None:
    assert matters(one, other, occasion) == matters(other, one, occasion)
    assert not matters(one, one, occasion).matters


@given(first=OVERRIDES, second=OVERRIDES, third=OVERRIDES, occasion=OCCASIONS)
def test_what_is_the_same_is_an_equivalence(
    first: Overrides, second: Overrides, third: Overrides, occasion: TriggerContext
) -> None:
    if not matters(first, second, occasion).matters and not matters(second, third, occasion).matters:
        assert not matters(first, third, occasion).matters


def test_all_arms_are_triggered_by_any(experiment: Callable[..., Experiment]) -> None:
    arms = {
        "now": {},
        "b": {"overrides": {"strength": 0.3}},
        "c": {"overrides": {"diversity": 0.5}},
        "qa": {"weight": 0, "overrides": {"exploration": 0.5}},
    }
    one = experiment(arms=arms)
    assert triggers(one, LIST).options == ("diversity",)
    assert triggers(one, PICTURES).options == ("diversity", "strength")
    assert triggers(one, TriggerContext(base=BASE)).why is Why.NOT_SHOWN
    assert triggers(experiment(arms={"now": {}, "again": {}}), PICTURES).why is Why.SAME
