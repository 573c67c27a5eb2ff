"""A treatment matters where two arms would show different things, and the same for both of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.config import RankSettings, RestyleSettings
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.exposure import TriggerContext, Why, check_trigger, compare_overrides
from recsys.experiments.design.overrides import NO_OVERRIDES, Overrides, overrides_from_settings
from recsys.schema import Reranker

BASE = overrides_from_settings(RankSettings(), RestyleSettings())
LIST = TriggerContext(positions=10, base=BASE)
IMAGES = TriggerContext(positions=10, photos=True, taste=True, personal=True, base=BASE)
ONE_IMAGE = TriggerContext(photos=True, taste=True, base=BASE)

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
CONTEXTS = st.builds(
    TriggerContext,
    positions=st.sampled_from([0, 10]),
    photos=st.booleans(),
    taste=st.booleans(),
    personal=st.booleans(),
    requested=st.sets(st.sampled_from(sorted(Overrides.model_fields))).map(frozenset),
    base=st.sampled_from([BASE, NO_OVERRIDES]),
)


@pytest.mark.parametrize(
    ("arm", "context", "options"),
    [
        ({"restyle": False}, IMAGES, ("restyle",)),
        ({"restyle": False}, LIST, ()),
        ({"restyle": False}, TriggerContext(positions=10, photos=True, base=BASE), ()),
        ({"strength": 0.3, "mode": "tone"}, ONE_IMAGE, ("strength", "mode")),
        ({"strength": 0.6}, IMAGES, ()),
        ({"strength": 0.0, "mode": "tone"}, IMAGES, ("strength", "mode")),
        ({"scene": "holiday"}, TriggerContext(photos=True, base=BASE), ("scene",)),
        ({"scene": "holiday"}, LIST, ()),
        ({"diversity": 0.5}, LIST, ("diversity",)),
        ({"diversity": 0.5}, ONE_IMAGE, ()),
        ({"diversity": 0.15}, LIST, ()),
        ({"reranker": "dpp"}, LIST, ("reranker",)),
        ({"calibration": 0.5}, IMAGES, ("calibration",)),
        ({"calibration": 0.5}, LIST, ()),
        ({"blend": {"style": 2.0}}, LIST, ("blend",)),
        ({"model": "0123456789abcdef"}, LIST, ("model",)),
        ({"exploration": 0.1}, LIST, ("exploration",)),
        ({"exploration": 0.1}, TriggerContext(positions=10, requested=frozenset({"exploration"}), base=BASE), ()),
    ],
)
def test_what_matters_where(arm: dict[str, Any], context: TriggerContext, options: tuple[str, ...]) -> None:
    found = compare_overrides(NO_OVERRIDES, Overrides.model_validate(arm), context)
    assert (found.matters, found.options) == (bool(options), options)


def test_variety_that_is_not_at_work_does_not_matter() -> None:
    none = Overrides(reranker=Reranker.NONE)
    assert not compare_overrides(none, Overrides(reranker=Reranker.NONE, diversity=0.9), LIST).matters
    assert not compare_overrides(none, Overrides(diversity=0.0), LIST).matters
    assert compare_overrides(none, NO_OVERRIDES, LIST).options == ("reranker",)


def test_why() -> None:
    arm = Overrides(strength=0.3)
    assert compare_overrides(NO_OVERRIDES, arm, IMAGES).why is Why.DIFFERS
    assert compare_overrides(NO_OVERRIDES, arm, LIST).why is Why.NOT_SHOWN
    assert compare_overrides(arm, arm, IMAGES).why is Why.SAME


@given(one=OVERRIDES, other=OVERRIDES, context=CONTEXTS)
def test_it_is_symmetric_and_nothing_differs_from_itself(
    one: Overrides, other: Overrides, context: TriggerContext
) -> None:
    assert compare_overrides(one, other, context) == compare_overrides(other, one, context)
    assert not compare_overrides(one, one, context).matters


@given(first=OVERRIDES, second=OVERRIDES, third=OVERRIDES, context=CONTEXTS)
def test_what_is_the_same_is_an_equivalence(
    first: Overrides, second: Overrides, third: Overrides, context: TriggerContext
) -> None:
    if not compare_overrides(first, second, context).matters and not compare_overrides(second, third, context).matters:
        assert not compare_overrides(first, third, context).matters


def test_all_arms_are_triggered_by_any(experiment: Callable[..., Experiment]) -> None:
    arms = {
        "now": {},
        "b": {"overrides": {"strength": 0.3}},
        "c": {"overrides": {"diversity": 0.5}},
        "qa": {"weight": 0, "overrides": {"exploration": 0.5}},
    }
    one = experiment(arms=arms)
    assert check_trigger(one, LIST).options == ("diversity",)
    assert check_trigger(one, IMAGES).options == ("diversity", "strength")
    assert check_trigger(one, TriggerContext(base=BASE)).why is Why.NOT_SHOWN
    assert check_trigger(experiment(arms={"now": {}, "again": {}}), IMAGES).why is Why.SAME
