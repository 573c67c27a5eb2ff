"""Simulated interactions follow from the seed and the catalog, and show the hidden truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import ConfigError, DataError
from recsys.schema import INTERACTION_COLUMNS
from recsys.simulation.interactions import Simulation, simulate_interactions

END = 1_700_000_000
CATEGORIES = ("bowl", "mug", "rug")
STYLES = ("deco", "linen", "tartan", "wood")


def shop(per_pair: int = 4) -> tuple[pd.DataFrame, pd.Series]:
    pairs = [(category, style) for category in CATEGORIES for style in STYLES for _ in range(per_pair)]
    ids = [f"p{k:03d}" for k in range(len(pairs))]
    items = pd.DataFrame({"item_id": ids, "category": [category for category, _ in pairs], "available": True})
    return items, pd.Series([style for _, style in pairs], index=ids)


def draw(seed: int = 3, users: int = 200, **settings: float) -> Simulation:
    items, labels = shop()
    return simulate_interactions(items, labels, users=users, end=END, seed=seed, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def drawn() -> Simulation:
    return draw()


def in_taste(simulation: Simulation) -> pd.Series:
    _, labels = shop()
    truth = simulation.truth.set_index("user_id")
    style = simulation.interactions["item_id"].map(labels)
    user = simulation.interactions["user_id"]
    return (style == user.map(truth["style"])) | (style == user.map(truth["second_style"]))


def test_frames_have_the_columns_of_the_schema(drawn: Simulation) -> None:
    assert tuple(drawn.interactions.columns) == INTERACTION_COLUMNS
    assert drawn.interactions["timestamp"].dtype == np.int64
    assert drawn.interactions["weight"].dtype == np.float32
    assert list(drawn.users.columns) == ["user_id", "country"]
    assert list(drawn.truth.columns) == ["user_id", "style", "second_style", "style_share"]
    assert len(drawn.users) == len(drawn.truth) == drawn.users["user_id"].nunique() == 200


def test_same_seed_same_events_other_seed_others(drawn: Simulation) -> None:
    again = draw()
    pd.testing.assert_frame_equal(drawn.interactions, again.interactions)
    pd.testing.assert_frame_equal(drawn.users, again.users)
    pd.testing.assert_frame_equal(drawn.truth, again.truth)
    assert not drawn.interactions.equals(draw(seed=4).interactions)


def test_row_order_of_the_catalog_does_not_matter(drawn: Simulation) -> None:
    items, labels = shop()
    shuffled = simulate_interactions(
        items.sample(frac=1, random_state=1), labels.sample(frac=1, random_state=2), users=200, end=END, seed=3
    )
    pd.testing.assert_frame_equal(drawn.interactions, shuffled.interactions)


def test_events_lie_within_the_days_and_in_order() -> None:
    events = draw(days=7).interactions
    assert events["timestamp"].min() >= END - 7 * SECONDS_PER_DAY
    assert events["timestamp"].max() < END
    order = events.sort_values(["timestamp", "user_id", "item_id", "event"], ignore_index=True)
    pd.testing.assert_frame_equal(events, order)


def test_the_funnel_narrows(drawn: Simulation) -> None:
    counts = drawn.interactions["event"].value_counts()
    assert counts["view"] > counts["click"] > counts["cart"] > counts["purchase"] > 0


def test_every_purchase_follows_its_cart_click_and_view(drawn: Simulation) -> None:
    pairs = drawn.interactions.groupby(["user_id", "item_id"])["event"].agg(set)
    for later, earlier in (("purchase", "cart"), ("cart", "click"), ("click", "view")):
        assert all(earlier in kinds for kinds in pairs if later in kinds)


def test_the_log_shows_fidelity() -> None:
    # Of the rest, 1 or 2 of 4 styles are the user's own by chance.
    assert in_taste(draw(fidelity=1.0)).all()
    loyal, fickle = in_taste(draw(fidelity=0.7)).mean(), in_taste(draw(fidelity=0.0)).mean()
    assert loyal > 0.75
    assert fickle < 0.5


def test_the_requested_share_has_two_styles(drawn: Simulation) -> None:
    two = drawn.truth["second_style"] != ""
    assert 0.3 < two.mean() < 0.5
    assert (drawn.truth.loc[~two, "style_share"] == 1).all()
    assert drawn.truth.loc[two, "style_share"].between(0.55, 0.75).all()
    assert (drawn.truth["style"] != drawn.truth["second_style"]).all()
    assert (draw(second_share=0.0).truth["second_style"] == "").all()


def test_activity_and_popularity_have_heavy_tails() -> None:
    events = draw(users=500).interactions
    per_user = events.groupby("user_id").size()
    assert per_user.max() > 6 * per_user.median()
    # Popularity differs between runs of the same shop only through the exponent.
    flat = draw(users=500, popularity_exponent=0.0).interactions["item_id"].value_counts(normalize=True)
    steep = events["item_id"].value_counts(normalize=True)
    assert steep.iloc[:5].sum() > 1.5 * flat.iloc[:5].sum()


def test_unavailable_items_are_viewed_but_not_bought() -> None:
    items, labels = shop()
    gone = items["item_id"].isin(["p000", "p020"])
    events = simulate_interactions(items.assign(available=~gone), labels, users=300, end=END, seed=1).interactions
    kinds = set(events.loc[events["item_id"].isin(["p000", "p020"]), "event"])
    assert kinds == {"view", "click"}


def test_a_style_missing_from_a_category_is_still_found() -> None:
    items, labels = shop()
    only_mugs = items[(items["category"] == "mug") | (items["item_id"].map(labels) != "deco")]
    events = simulate_interactions(only_mugs, labels, users=50, end=END, seed=1, fidelity=1.0).interactions
    assert set(events["item_id"]) <= set(only_mugs["item_id"])


def test_a_shop_of_one_item_works() -> None:
    items = pd.DataFrame({"item_id": ["only"], "category": [""], "available": [True]})
    drawn = simulate_interactions(items, pd.Series({"only": "plain"}), users=3, end=END, seed=0)
    assert set(drawn.interactions["item_id"]) == {"only"}
    assert (drawn.truth["second_style"] == "").all()


def test_wrong_catalogs_are_named() -> None:
    items, labels = shop()
    with pytest.raises(DataError, match="'p000' has no style label"):
        simulate_interactions(items, labels.drop("p000"), users=1, end=END, seed=0)
    with pytest.raises(DataError, match="'p000' occurs twice"):
        simulate_interactions(pd.concat([items, items[:1]]), labels, users=1, end=END, seed=0)
    with pytest.raises(DataError, match="two labels"):
        simulate_interactions(items, pd.concat([labels, labels[:1]]), users=1, end=END, seed=0)
    with pytest.raises(DataError, match="empty"):
        simulate_interactions(items[:0], labels, users=1, end=END, seed=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("users", 0),
        ("days", 0),
        ("fidelity", 1.1),
        ("second_share", -0.1),
        ("mean_views", 1.0),
        ("popularity_exponent", -1.0),
        ("fidelity", float("nan")),
        ("mean_views", float("nan")),
        ("popularity_exponent", float("inf")),
    ],
)
def test_numbers_out_of_range_are_rejected(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        draw(**{name: value})  # type: ignore[arg-type]
