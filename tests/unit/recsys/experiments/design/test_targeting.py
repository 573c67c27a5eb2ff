"""Conditions on a request: any value of a list, all conditions together, and nothing unknown meets one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recsys.experiments.design.targeting import ANY_CONTEXT, Context, Targeting

PHONE = Context(frozenset({"lamp", "mug"}), "iOS", "de", "de", known_user=True)
VALUES = ("a", "b", "")
CONTEXTS = st.builds(
    Context,
    platform=st.sampled_from(VALUES),
    country=st.sampled_from(("de", "fr", "")),
    language=st.sampled_from(VALUES),
    known_user=st.booleans(),
)
TARGETINGS = st.builds(
    Targeting,
    platform=st.sets(st.sampled_from("ab")).map(tuple),
    country=st.sets(st.sampled_from(("DE", "fr"))).map(tuple),
    language=st.sets(st.sampled_from("AB")).map(tuple),
    known_user=st.none() | st.booleans(),
)


@pytest.mark.parametrize(
    ("conditions", "met"),
    [
        ({}, True),
        ({"platform": ["ios"]}, True),
        ({"platform": ["android", "IOS"]}, True),
        ({"platform": ["android"]}, False),
        ({"country": ["DE"], "language": ["de"]}, True),
        ({"country": ["DE"], "language": ["fr"]}, False),
        ({"except_country": ["DE"]}, False),
        ({"except_country": ["FR"]}, True),
        ({"category": ["lamp"]}, True),
        ({"category": ["Lamp"]}, False),
        ({"known_user": True}, True),
        ({"known_user": False}, False),
    ],
)
def test_conditions(conditions: dict[str, Any], met: bool) -> None:
    assert Targeting.model_validate(conditions).matches(PHONE) is met


@pytest.mark.parametrize("name", ["category", "platform", "country", "except_country", "language"])
def test_what_is_unknown_meets_no_condition(name: str) -> None:
    targeting = Targeting.model_validate({name: ["de"]})
    assert not targeting.matches(ANY_CONTEXT)
    assert not targeting.everyone


def test_no_code_and_no_unknown_conditions() -> None:
    with pytest.raises(ValidationError, match=r"unknown key 'contry' \(did you mean 'country'"):
        Targeting.model_validate({"contry": ["DE"]})
    with pytest.raises(ValidationError, match="country"):
        Targeting.model_validate({"country": ["Germany"]})


@given(one=TARGETINGS, other=TARGETINGS, context=CONTEXTS)
def test_what_excludes_is_never_met_by_both(one: Targeting, other: Targeting, context: Context) -> None:
    assert one.excludes(other) == other.excludes(one)
    assert not (one.excludes(other) and one.matches(context) and other.matches(context))
