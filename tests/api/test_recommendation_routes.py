"""Lists over HTTP: what is in them, in which order, and why."""

from __future__ import annotations

import base64
import random
import time
from typing import Any

import httpx
import pytest

from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request
from recsys.schema import ItemId, UserId
from style.images import decode_image
from style.modes import PaintMode, Strength
from style.provenance.mark import Mark, read_mark


def get(client: httpx.Client, path: str, **query: Any) -> Any:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer: Any) -> list[str]:
    return [entry["item"]["item_id"] for entry in answer["items"]]


def number(item_id: str) -> int:
    return int(item_id[1:])


def test_a_user_gets_what_the_recommender_says(client: httpx.Client, recommender: Recommender) -> None:
    answer = get(client, "/v1/users/u03/recommendations", limit=8, diversity=0.3, explain=True)
    expected = recommender.recommend(Request(user_id=UserId("u03"), limit=8, diversity=0.3))
    assert ids(answer) == [one.item_id for one in expected.recommendations]
    assert [entry["rank"] for entry in answer["items"]] == list(range(1, 9))
    assert answer["basis"] == "history"
    assert answer["basis_text"] == "Based on this user's history."
    assert answer["model_version"] == recommender.version
    for entry, one in zip(answer["items"], expected.recommendations, strict=True):
        assert entry["reason"] == one.reason
        assert entry["contributions"] == pytest.approx(one.contributions)


def test_exploration_and_calibration_are_asked_for_and_propensities_told(
    client: httpx.Client, recommender: Recommender
) -> None:
    options: dict[str, Any] = {"limit": 8, "exploration": 0.5, "calibration": 0.4, "exploration_seed": "s7-2"}
    answer = get(client, "/v1/users/u03/recommendations", shown=["p04", "p06"], **options)
    shown = frozenset({ItemId("p04"), ItemId("p06")})
    expected = recommender.recommend(Request(user_id=UserId("u03"), shown=shown, **options)).recommendations
    assert ids(answer) == [one.item_id for one in expected]
    assert [entry["propensity"] for entry in answer["items"]] == [one.propensity for one in expected]
    assert [entry["explored"] for entry in answer["items"]] == [one.explored for one in expected]
    assert {entry["explored"] for entry in answer["items"]} == {True, False}
    again = client.post("/v1/recommendations", json={"styles": ["plain"], "shown": ["p04"], **options}).json()
    session = Request(styles=("plain",), shown=frozenset({ItemId("p04")}), **options)
    assert ids(again) == [one.item_id for one in recommender.recommend(session).recommendations]


def test_nothing_is_random_unless_asked_for(client: httpx.Client) -> None:
    for entry in get(client, "/v1/users/u03/recommendations")["items"]:
        assert (entry["propensity"], entry["explored"]) == (1.0, False)


@pytest.mark.parametrize(("user", "parity"), [("u00", 0), ("u01", 1), ("u12", 0), ("u13", 1)])
def test_people_who_buy_one_look_get_that_look(client: httpx.Client, user: str, parity: int) -> None:
    found = ids(get(client, f"/v1/users/{user}/recommendations", limit=5, diversity=0))
    assert [number(item_id) % 2 for item_id in found] == [parity] * 5


def test_an_unknown_user_gets_popular_items_and_is_told(client: httpx.Client, recommender: Recommender) -> None:
    answer = get(client, "/v1/users/nobody@example.org/recommendations")
    expected = recommender.recommend(Request())
    assert answer["basis"] == "popular"
    assert "most popular" in answer["basis_text"]
    assert ids(answer) == [one.item_id for one in expected.recommendations]
    assert all(entry["restyled"] is None for entry in answer["items"])


def test_filters_never_leak(client: httpx.Client, recommender: Recommender) -> None:
    rng = random.Random(3)  # noqa: S311
    everything = [str(item_id) for item_id in recommender.bundle.items["item_id"]]
    seen_somewhere = set()
    for _ in range(25):
        user = f"u{rng.randrange(22):02}"
        low = rng.choice([None, 12.0, 20.0])
        high = rng.choice([None, 30.0, 40.0])
        categories = rng.sample(["chair", "lamp", "vase"], rng.randrange(3))
        exclude = rng.sample(everything, 6)
        query = {"limit": 36, "category": categories, "exclude": exclude, "restyle": "off"}
        query |= {name: value for name, value in {"price_min": low, "price_max": high}.items() if value is not None}
        answer = get(client, f"/v1/users/{user}/recommendations", **query)
        touched = {row.item_id for row in _purchases(recommender, user)}
        for entry in answer["items"]:
            item = entry["item"]
            assert item["item_id"] not in exclude
            assert item["item_id"] not in touched
            assert item["available"]
            assert not categories or item["category"] in categories
            assert (low is None and high is None) or item["price"] is not None
            assert low is None or item["price"] >= low
            assert high is None or item["price"] <= high
            seen_somewhere.add(item["item_id"])
        # Nothing that passes is missing: the list is long enough for the whole catalog.
        filters = Filters(frozenset(categories), low, high, frozenset(map(ItemId, exclude)))
        allowed = recommender.catalog.filter_items(filters, recommender.profile(Request(user_id=UserId(user))))
        assert len(answer["items"]) == allowed.sum()
    assert len(seen_somewhere) > 25


def _purchases(recommender: Recommender, user: str) -> list[Any]:
    users = recommender.bundle.user_ids
    row = users.find([user])[0]
    if row < 0:
        return []
    columns = recommender.bundle.interacted[int(row)].indices
    return list(recommender.bundle.items.iloc[columns].itertuples())


def test_seen_items_come_when_asked_for(client: httpx.Client) -> None:
    fresh = ids(get(client, "/v1/users/u00/recommendations", limit=100))
    everything = ids(get(client, "/v1/users/u00/recommendations", limit=100, include_seen=True))
    assert len(everything) == 35
    assert len(everything) - len(fresh) == 6


def test_a_session_counts_by_events_and_weights(client: httpx.Client) -> None:
    bodies: list[dict[str, Any]] = [
        {"items": [{"item_id": "p01", "event": "cart"}, {"item_id": "p03"}]},
        {"items": [{"item_id": "p01", "weight": 5}, {"item_id": "p03", "weight": 2}]},
        {"items": [{"item_id": "p01", "weight": 3}, {"item_id": "p03", "event": "click"}, {"item_id": "p01"}]},
    ]
    first, *others = (client.post("/v1/recommendations", json=body | {"limit": 6}).json() for body in bodies)
    assert first["basis"] == "session"
    assert [number(item_id) % 2 for item_id in ids(first)] == [1] * 6
    assert "p01" not in ids(first)
    assert others == [first, first]


def test_a_chosen_style_leads(client: httpx.Client) -> None:
    answer = client.post("/v1/recommendations", json={"styles": ["plain"], "limit": 5, "diversity": 0}).json()
    assert answer["basis"] == "styles"
    assert answer["basis_text"] == "Based on the chosen styles."
    assert [number(item_id) % 2 for item_id in ids(answer)] == [0] * 5


@pytest.mark.parametrize(
    "body", [{}, {"items": [{"item_id": "p01", "event": "like"}, {"item_id": "p01", "event": "dislike"}]}]
)
def test_an_empty_session_gets_popular_items(client: httpx.Client, body: dict[str, Any]) -> None:
    assert client.post("/v1/recommendations", json=body).json()["basis"] == "popular"


def test_similar_items_share_the_look_or_the_people(client: httpx.Client) -> None:
    for by in ("style", "taste", "both"):
        answer = get(client, "/v1/items/p04/similar", by=by, limit=5)
        assert answer["by"] == by
        assert "p04" not in ids(answer)
        assert [number(item_id) % 2 for item_id in ids(answer)] == [0] * 5
    vases = get(client, "/v1/items/p04/similar", category="vase", limit=4)["items"]
    assert [entry["item"]["category"] for entry in vases] == ["vase"] * 4


def test_similar_items_leave_out_what_a_user_has_touched(client: httpx.Client, recommender: Recommender) -> None:
    touched = {row.item_id for row in _purchases(recommender, "u00")}
    found = set(ids(get(client, "/v1/items/p01/similar", user_id="u00", limit=100)))
    assert found
    assert not found & touched


def test_an_item_is_shown_whole(client: httpx.Client) -> None:
    item = get(client, "/v1/items/p05")
    image = item.pop("image")
    assert item == {
        "item_id": "p05",
        "title": "Product 5",
        "category": "vase",
        "price": None,
        "available": True,
    }
    assert client.get(image).headers["Restyle-Status"] == "original"
    assert get(client, "/v1/items/bare")["image"] is None


def test_an_id_may_hold_slashes_and_spaces(client: httpx.Client) -> None:
    item = get(client, "/v1/items/AB%2F12%20%C3%BC")
    assert item["item_id"] == "AB/12 ü"
    assert client.get(item["image"]).headers["Content-Type"] == "image/jpeg"
    assert ids(get(client, "/v1/items/AB%2F12%20%C3%BC/similar", limit=2))


def test_a_taste_is_explained(client: httpx.Client) -> None:
    taste = get(client, "/v1/users/u00/taste")
    assert taste["basis"] == "history"
    assert taste["events"] == 6
    (mode,) = taste["components"]
    assert mode["share"] == pytest.approx(1)
    assert mode["styles"][0]["style_id"] == "plain"
    assert mode["text"] == "100% of this taste: near Plain."
    assert all(number(item["item_id"]) % 2 == 0 for item in mode["items"])


def test_a_user_without_a_taste_is_told_how_to_begin(client: httpx.Client) -> None:
    taste = get(client, "/v1/users/nobody/taste")
    assert (taste["components"], taste["events"], taste["basis"]) == ([], 0, "popular")
    assert "a few clicks or a chosen style" in taste["basis_text"]


def test_styles_are_listed_with_their_license(client: httpx.Client) -> None:
    styles = get(client, "/v1/styles")["styles"]
    assert [style["style_id"] for style in styles] == ["plain", "floral"]
    assert styles[0]["license"] == "CC0-1.0"


def test_links_give_restyled_pictures_and_no_user_id(client: httpx.Client) -> None:
    answer = get(client, "/v1/users/u00/recommendations", limit=3, strength=0.4)
    for entry in answer["items"]:
        url = entry["restyled"]["url"]
        assert "u00" not in url
        picture = client.get(url)
        assert picture.headers["Restyle-Status"] == "computed"
        mark = read_mark(picture.content)
        assert mark is not None
        assert mark.strength == Strength(0.4, 0.4)


def linked_mark(client: httpx.Client, entry: Any) -> Mark:
    mark = read_mark(client.get(entry["restyled"]["url"]).content)
    assert mark is not None
    return mark


def test_links_carry_the_mode_whatever_it_is(client: httpx.Client) -> None:
    (entry,) = get(client, "/v1/users/u00/recommendations", limit=1)["items"]
    assert "&mode=product&keep_color=false&" in entry["restyled"]["url"]
    assert linked_mark(client, entry).mode is PaintMode.PRODUCT
    (entry,) = get(client, "/v1/users/u00/recommendations", limit=1, mode="tone", keep_color="true")["items"]
    mark = linked_mark(client, entry)
    assert (mark.mode, mark.keep_color, mark.strength.texture) == (PaintMode.TONE, True, 0.0)
    changed = entry["restyled"]["url"].replace("mode=tone", "mode=full")
    assert client.get(changed).json()["type"] == "/problems/bad-signature"


def test_a_scene_restyles_a_list_for_people_and_strangers(client: httpx.Client) -> None:
    for user, scene, style_id in (("u01", "everyday", "floral"), ("u00", "floral day", "floral")):
        (entry,) = get(client, f"/v1/users/{user}/recommendations", limit=1, scene=scene)["items"]
        credit = linked_mark(client, entry).credit
        assert credit is not None
        assert (credit.style_id, credit.license) == (style_id, "CC0-1.0")
    (entry,) = get(client, "/v1/users/nobody/recommendations", limit=1, scene="everyday", restyle="inline")["items"]
    mark = read_mark(base64.b64decode(entry["restyled"]["data"].partition(",")[2]))
    assert mark is not None
    assert mark.credit is not None
    assert mark.credit.style_id == "plain"


@pytest.mark.parametrize("restyle", ["link", "inline", "off"])
def test_a_scene_that_no_style_has_is_refused(client: httpx.Client, restyle: str) -> None:
    query = {"scene": "wedding", "restyle": restyle}
    answer = client.get("/v1/users/u00/recommendations", params=query)
    assert answer.status_code == 422
    assert "known ones: everyday, plain day, floral day" in answer.json()["detail"]


def test_inline_pictures_say_what_strength_was_used(client: httpx.Client) -> None:
    (much,) = get(client, "/v1/users/u00/recommendations", limit=1, restyle="inline", strength=0.95)["items"]
    (little,) = get(client, "/v1/users/u00/recommendations", limit=1, restyle="inline", strength=0.05)["items"]
    assert 0 < much["restyled"]["strength"] < 0.95
    assert much["restyled"]["limited_by"]
    assert (little["restyled"]["strength"], little["restyled"]["limited_by"]) == (0.05, [])


def test_restyling_can_be_off(client: httpx.Client) -> None:
    answer = get(client, "/v1/users/u00/recommendations", restyle="off")
    assert all(entry["restyled"] is None and entry["item"]["image"] for entry in answer["items"])


def test_inline_brings_the_first_pictures_within_the_answer(client: httpx.Client) -> None:
    answer = get(client, "/v1/users/u00/recommendations", limit=10, restyle="inline", exclude=["torn", "bare"])
    pictures = [entry["restyled"] for entry in answer["items"]]
    assert [picture["status"] for picture in pictures] == ["computed"] * 8 + [None] * 2
    for picture in pictures[:8]:
        kind, _, data = picture["data"].partition(",")
        assert kind == "data:image/jpeg;base64"
        assert decode_image(base64.b64decode(data)).width <= 64
        assert read_mark(base64.b64decode(data)) is not None


def test_inline_pictures_share_one_deadline(client: httpx.Client, engine: Any) -> None:
    engine.gate.clear()
    started = time.monotonic()
    answer = get(client, "/v1/users/u00/recommendations", limit=8, restyle="inline", deadline_ms=200, category="lamp")
    assert time.monotonic() - started < 2
    assert {entry["restyled"]["status"] for entry in answer["items"] if entry["restyled"]} == {"original"}
    assert ids(answer) == ids(get(client, "/v1/users/u00/recommendations", limit=8, restyle="off", category="lamp"))


def test_a_torn_picture_does_not_cost_the_list(client: httpx.Client) -> None:
    answer = get(client, "/v1/users/u00/recommendations", limit=100, restyle="inline", category="chair")
    assert {"torn"} <= set(ids(answer))
    body = {
        "items": [{"item_id": "p00"}],
        "restyle": "inline",
        "price_min": 20,
        "price_max": 20,
        "include_seen": True,
    }
    answer = client.post("/v1/recommendations", json=body).json()
    torn = next(entry for entry in answer["items"] if entry["item"]["item_id"] == "torn")
    assert torn["restyled"]["data"] is None
    assert client.get(torn["restyled"]["url"]).status_code == 404
