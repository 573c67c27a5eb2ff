"""What an arm changes lies within what the settings and a request allow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recsys.config import RankSettings, RestyleSettings
from recsys.experiments.design.overrides import NO_OVERRIDES, Overrides, overrides_from_settings
from recsys.schema import FEATURES, Reranker
from style.modes import PaintMode

SHARES = st.none() | st.floats(0, 1)
OVERRIDES = st.builds(
    Overrides,
    blend=st.none() | st.dictionaries(st.sampled_from(FEATURES), st.floats(0.1, 5), min_size=1),
    reranker=st.none() | st.sampled_from(Reranker),
    diversity=SHARES,
    exploration=SHARES,
    strength=SHARES,
    mode=st.none() | st.sampled_from(PaintMode),
    scene=st.none() | st.just("holiday"),
) | st.just(Overrides(restyle=False))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"diversity": 1.5}, "less than or equal to 1"),
        ({"strength": -0.1}, "greater than or equal to 0"),
        ({"reranker": "xquad"}, "'mmr', 'dpp' or 'none'"),
        ({"mode": "all"}, "'product'"),
        ({"engine": "../film"}, "built-in engines: film, color"),
        ({"model": "latest"}, "pattern"),
        ({"blend": {"styl": 1}}, "did you mean 'style'"),
        ({"blend": {"style": -1}}, "greater than or equal to 0"),
        ({"blend": dict.fromkeys(FEATURES, 0)}, "nothing is ranked"),
        ({"blend": {}}, "at least 1"),
        ({"restyle": False, "strength": 0.5}, "strength has no effect"),
        ({"limit": 5}, "unknown override 'limit'"),
    ],
)
def test_what_is_out_of_range_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Overrides.model_validate(values)


def test_features_are_taken_one_by_one() -> None:
    over = Overrides(blend={"style": 2.0}).over(Overrides(blend={"style": 1.0, "trend": 1.0}, diversity=0.5))
    assert over == Overrides(blend={"style": 2.0, "trend": 1.0}, diversity=0.5)


def test_not_restyled_means_no_options_of_pictures() -> None:
    base = overrides_from_settings(RankSettings(), RestyleSettings())
    assert Overrides(restyle=False).over(base).explicit.keys() & {"engine", "strength", "mode"} == set()
    assert base.strength == RestyleSettings().strength


def test_what_the_caller_asked_is_left_alone() -> None:
    assert Overrides(diversity=0.1, calibration=0.2).without({"diversity"}) == Overrides(calibration=0.2)


@given(OVERRIDES)
def test_over_nothing_and_over_itself_nothing_changes(overrides: Overrides) -> None:
    assert overrides.over(NO_OVERRIDES) == overrides == overrides.over(overrides)
    assert Overrides.model_validate(overrides.model_dump(mode="json")) == overrides
