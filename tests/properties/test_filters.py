"""Filters hold for any request, and the list is filled wherever enough items pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.dataset import sample
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request
from recsys.schema import ItemId, UserId

PRICES = st.one_of(st.none(), st.floats(0, 300))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    low, high = draw(PRICES), draw(PRICES)
    if low is not None and high is not None and low > high:
        low, high = high, low
    items = [f"p{n:04d}" for n in range(1, 401)]
    user = draw(st.one_of(st.none(), st.just("nobody"), st.integers(1, 600).map(lambda n: f"u{n:03d}")))
    return Request(
        user_id=None if user is None else UserId(user),
        items={
            ItemId(i): w
            for i, w in draw(
                st.dictionaries(st.sampled_from(items), st.sampled_from([1.0, 5.0, -5.0]), max_size=4)
            ).items()
        },
        limit=draw(st.integers(1, 60)),
        diversity=draw(st.one_of(st.none(), st.floats(0, 1))),
        calibration=draw(st.one_of(st.none(), st.floats(0, 1))),
        exploration=draw(st.one_of(st.none(), st.floats(0, 1))),
        shown=frozenset(ItemId(i) for i in draw(st.sets(st.sampled_from(items), max_size=30))),
        filters=Filters(
            categories=frozenset(draw(st.sets(st.sampled_from(categories()), max_size=2))),
            price_min=low,
            price_max=high,
            exclude=frozenset(ItemId(i) for i in draw(st.sets(st.sampled_from(items), max_size=30))),
            seen=draw(st.booleans()),
            unavailable=draw(st.booleans()),
        ),
    )


def categories() -> list[str]:
    return sorted(pd.read_csv(sample.items_file())["category"].unique())


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(request=requests())
def test_no_filter_leaks_and_the_list_is_full(recommender: Recommender, request: Request) -> None:
    answer = recommender.recommend(request)
    ids = [r.item_id for r in answer.recommendations]
    cards = [recommender.catalog.card(item_id) for item_id in ids]
    asked = request.filters
    profile = recommender.profile(request)
    touched = set(recommender.bundle.catalog.ids.ids(profile.interacted))
    assert len(ids) == len(set(ids))
    assert not asked.exclude & set(ids)
    assert asked.seen or not touched & set(ids)
    assert asked.unavailable or all(card.available for card in cards)
    assert not asked.categories or {card.category for card in cards} <= asked.categories
    assert asked.price_min is None or all(
        card.price is not None and card.price >= asked.price_min - 0.005 for card in cards
    )
    assert asked.price_max is None or all(
        card.price is not None and card.price <= asked.price_max + 0.005 for card in cards
    )
    assert len(ids) == min(request.limit, int(recommender.catalog.filter_items(asked, profile).sum()))
    fresh = [item_id not in request.shown for item_id in ids]
    assert fresh == sorted(fresh, reverse=True)
    assert all(0 < found.propensity <= 1 for found in answer.recommendations)
    scores = np.array([sum(r.contributions.values()) for r in answer.recommendations])
    assert np.allclose(scores, [r.score for r in answer.recommendations], atol=1e-4)
