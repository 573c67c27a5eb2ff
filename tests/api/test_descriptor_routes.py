"""Similar by color and a color filter over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import numpy as np
import pytest

from recsys.profiles.product_descriptors import ProductDescriptors
from recsys.ranking.recommender import Recommender
from recsys.schema import ItemId
from style.descriptors.words import lab_of_hex

Colors = Callable[[httpx.Response], set[str]]
RED, BLUE = "#c83232", "#2832a0"


@pytest.fixture(scope="module")
def colored(recommender: Recommender, serve: Callable[..., httpx.Client]) -> httpx.Client:
    """The shop with items red and blue in turns."""
    count = len(recommender.bundle.catalog)
    labs = np.array([lab_of_hex((RED, BLUE)[row % 2]) for row in range(count)])
    found = np.column_stack([labs, np.ones(count)]).astype(np.float32)
    return serve(
        served=Recommender(replace(recommender.bundle, descriptors=ProductDescriptors({"dominant-color": found})))
    )


@pytest.fixture(scope="module")
def colors(recommender: Recommender) -> Colors:
    """The colors of the items in an answer."""

    def of(answer: httpx.Response) -> set[str]:
        assert answer.status_code == 200, answer.text
        found = [ItemId(entry["item"]["item_id"]) for entry in answer.json()["items"]]
        return {(RED, BLUE)[recommender.catalog.row(item) % 2] for item in found}

    return of


def test_similar_by_color(colored: httpx.Client, colors: Colors, recommender: Recommender) -> None:
    answer = colored.get("/v1/items/p00/similar", params={"by": "color", "limit": 5})
    own = (RED, BLUE)[recommender.catalog.row(ItemId("p00")) % 2]
    assert colors(answer) == {own}
    assert answer.json()["by"] == "color"
    assert answer.json()["items"][0]["reason"].startswith("Same ")


def test_every_list_takes_a_color(colored: httpx.Client, colors: Colors) -> None:
    wish = {"color": BLUE, "color_tolerance": 3, "limit": 6, "restyle": "off"}
    user = colored.get("/v1/users/u03/recommendations", params=wish)
    session = colored.post("/v1/recommendations", json=wish)
    similar = colored.get("/v1/items/p00/similar", params={"color": BLUE, "limit": 6})
    for answer in (user, session, similar):
        assert colors(answer) == {BLUE}


@pytest.mark.parametrize("wish", [{"color": "red"}, {"color": "#12345"}, {"color": RED, "color_tolerance": -1}])
def test_what_is_no_color_is_422(colored: httpx.Client, wish: dict[str, str]) -> None:
    assert colored.get("/v1/users/u03/recommendations", params=wish).status_code == 422


def test_a_shop_without_descriptors_says_so(shop: httpx.Client) -> None:
    for path, wish in (("items/p00/similar", {"by": "shape"}), ("users/u03/recommendations", {"color": RED})):
        answer = shop.get(f"/v1/{path}", params=wish)
        assert answer.status_code == 422
        assert "[descriptors] of recsys.toml" in answer.text
