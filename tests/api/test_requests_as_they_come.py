"""Requests as browsers, forms, proxies and shops' pages send them."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from recsys.storage.live.items import LiveItem
from tests.api.test_catalog_routes import in_base64, listed, picture, within_a_second

LIST = "/v1/users/nobody/recommendations"


@pytest.fixture(scope="module")
def shop_now(open_shop: Any) -> Any:
    return open_shop()


@pytest.fixture
def web(shop_now: Any) -> httpx.Client:
    client: httpx.Client = shop_now.client
    return client


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["item"]["item_id"] for entry in answer.json()["items"]]


def test_items_that_are_gone_are_ignored_and_named(web: httpx.Client) -> None:
    body = {"items": [{"item_id": "went"}, {"item_id": "p02", "event": "cart"}], "exclude": ["old", "p01"], "limit": 5}
    answer = web.post("/v1/recommendations", json=body).json()
    alone = web.post("/v1/recommendations", json={**body, "items": body["items"][1:], "exclude": ["p01"]}).json()
    assert answer["unknown"] == ["went", "old"]
    assert answer["items"] == alone["items"]
    assert answer["basis"] == "session"
    nothing_known = web.post("/v1/recommendations", json={"items": [{"item_id": "went"}]}).json()
    assert (nothing_known["basis"], len(nothing_known["items"])) == ("popular", 10)
    alike = web.get("/v1/items/p02/similar", params={"exclude": ["old", "p04"]}).json()
    assert alike["unknown"] == ["old"]


def test_a_category_without_items_is_an_empty_list_with_a_hint(web: httpx.Client) -> None:
    answer = web.get(LIST, params={"category": "lamps"}).json()
    assert answer["items"] == []
    assert answer["hints"] == ["no item has the category 'lamps' at present; similar ones: 'lamp'"]
    assert ids(web.get(LIST, params={"category": ["lamps", "lamp"]})) == ids(web.get(LIST, params={"category": "lamp"}))
    other_case = web.get(LIST, params={"category": "LAMP"})
    assert ids(other_case) == ids(web.get(LIST, params={"category": "lamp"}))
    assert other_case.json()["hints"] == ["category 'LAMP' is read as 'lamp'"]
    assert ids(web.post("/v1/search/style", params={"text": "plain", "category": "boats"})) == []


def test_parameters_without_a_value_are_absent(web: httpx.Client) -> None:
    plain = web.get(LIST, params={"limit": 5})
    form = web.get(f"{LIST}?category=&price_min=&price_max=&limit=5&scene=&cursor=&exclude=")
    assert form.json()["items"] == plain.json()["items"]


def test_lists_may_be_separated_by_commas(web: httpx.Client) -> None:
    first, second, *_ = ids(web.get(LIST))
    left = ids(web.get(LIST, params={"exclude": f"{first},{second}", "limit": 60}))
    assert not {first, second} & set(left)
    both = ids(web.get(LIST, params={"category": "lamp,vase", "limit": 60}))
    assert both == ids(web.get(LIST, params={"category": ["lamp", "vase"], "limit": 60}))


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/items/zz1/", "/v1/users/eve/taste/", "/v1/users/eve/", "/v1/items/p01%2F/"])
def test_a_slash_at_the_end_is_404_and_changes_nothing(shop_now: Any, method: str, path: str) -> None:
    answer = shop_now.client.request(method, path, json={})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-path")
    assert "%2F" in answer.json()["detail"]
    assert shop_now.live.items.get("zz1/") is None


def test_an_id_that_ends_in_a_slash_is_written_with_its_code(web: httpx.Client) -> None:
    assert web.put("/v1/items/zz2%2F", json={"title": "Slash"}).json()["item_id"] == "zz2/"
    within_a_second(lambda: web.get("/v1/items/zz2%2F").status_code == 200)
    assert web.get("/v1/items/zz2").status_code == 404
    assert web.delete("/v1/items/zz2%2F").json() == {"item_id": "zz2/", "status": "deleted"}


def test_an_erasure_says_if_the_user_was_known(web: httpx.Client) -> None:
    web.post("/v1/events", json=[{"event_id": "er-1", "user_id": "eve", "item_id": "p01", "event": "view"}])
    assert web.delete("/v1/users/nobody-here").json()["known"] is False
    assert web.delete("/v1/users/eve").json()["known"] is True
    assert web.delete("/v1/users/eve").json()["known"] is False


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/v1/styles", "/v1/items/p01", "/v1/items/p01/image", LIST])
def test_head_is_answered_like_get_without_a_body(shop_now: Any, path: str) -> None:
    before = shop_now.live.exposures.waiting
    head = shop_now.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert shop_now.live.exposures.waiting <= before
    assert head.headers["Content-Type"] == shop_now.client.get(path).headers["Content-Type"]
    assert shop_now.client.head("/v1/items/nowhere").status_code == 404


def test_links_of_ids_that_paths_cannot_hold_work(shop_now: Any) -> None:
    client = shop_now.client
    for item_id in (".", ".."):
        body = {"items": [{"item_id": item_id, "category": "dots", "image_base64": in_base64(picture())}]}
        assert client.post("/v1/items:batch", json=body).json()["stored"] == 1
        within_a_second(lambda wanted=item_id: wanted in listed(client, category="dots"))
        entries = client.get(LIST, params={"category": "dots"}).json()["items"]
        (entry,) = [one for one in entries if one["item"]["item_id"] == item_id]
        link = entry["item"]["image"]
        assert link.startswith("/v1/item-image?item_id=")
        assert client.get(link).headers["Content-Type"] == "image/jpeg"
        assert client.get(link.replace(f"item_id={item_id}", "item_id=p01")).status_code == 403


@pytest.mark.parametrize(
    "timestamp", [1_790_000_000, 1_790_000_000_123, 1_790_000_000.25, "1790000000123", "2026-09-21T14:13:20.5Z"]
)
def test_events_take_the_times_of_browsers(shop_now: Any, timestamp: Any) -> None:
    event = {
        "event_id": f"t-{timestamp!r}".replace("'", "_"),
        "user_id": "tia",
        "item_id": "p01",
        "event": "view",
        "timestamp": timestamp,
    }
    assert shop_now.client.post("/v1/events", json=[event]).json()["accepted"] == 1
    stored = shop_now.live.events.user_events("tia")[-1]
    assert stored.timestamp == 1_790_000_000


def test_an_id_of_another_event_is_rejected_and_a_retry_is_not(web: httpx.Client) -> None:
    first = {"event_id": "count-1", "user_id": "anna", "item_id": "p01", "event": "view"}
    other = {**first, "user_id": "ben", "event": "purchase"}
    assert web.post("/v1/events", json=[first, other]).json()["results"][1]["status"] == "rejected"
    again = web.post("/v1/events", json=[first, other]).json()["results"]
    assert [one["status"] for one in again] == ["duplicate", "rejected"]
    assert "it differs in user_id, event" in again[1]["reason"]
    assert "UUID" in again[1]["reason"]


def test_a_change_in_part_keeps_the_rest_and_follows_later_imports(shop_now: Any) -> None:
    client = shop_now.client
    before = client.get("/v1/items/p05").json()
    assert client.patch("/v1/items/p05", json={"price": 3.5}).json()["status"] == "stored"
    within_a_second(lambda: client.get("/v1/items/p05").json()["price"] == 3.5)
    after = client.get("/v1/items/p05").json()
    assert {**after, "price": 0, "image": 0} == {**before, "price": 0, "image": 0}
    assert client.get(after["image"]).status_code == 200
    assert shop_now.live.items.get("p05").fields == {"price"}
    merge = {"Content-Type": "application/merge-patch+json"}
    assert client.patch("/v1/items/p05", content=b'{"title": null, "price": null}', headers=merge).status_code == 200
    within_a_second(lambda: client.get("/v1/items/p05").json()["price"] is None)
    assert client.get("/v1/items/p05").json()["title"] == ""
    assert client.patch("/v1/items/p05", json={"image_base64": None}).status_code == 200
    within_a_second(lambda: client.get("/v1/items/p05").json()["image"] is None)
    assert shop_now.live.items.get("p05").fields == {"price", "title", "image"}
    for body in ({"price": -1}, {"price": "3"}, {"color": "red"}, {"available": 1}, []):
        assert client.patch("/v1/items/p05", json=body).status_code == 422
    assert client.patch("/v1/items/p05", json={"image_base64": "no picture"}).json()["type"] == "/problems/bad-image"
    assert client.patch("/v1/items/nowhere", json={"price": 1}).json()["type"] == "/problems/unknown-item"


def test_a_batch_of_changes_is_applied_in_order(shop_now: Any) -> None:
    client = shop_now.client
    client.put("/v1/items/q1", json={"title": "One", "category": "parts", "price": 1})
    changes = [
        {"item_id": "q1", "price": 2},
        {"item_id": "nowhere", "price": 2},
        {"item_id": "q1", "available": False},
        {"item_id": "q1", "price": 3},
    ]
    report = client.patch("/v1/items:batch", json={"items": changes}).json()
    assert [one["status"] for one in report["results"]] == ["stored", "rejected", "stored", "stored"]
    assert (report["stored"], report["superseded"], report["rejected"]) == (3, 0, 1)
    stored: LiveItem = shop_now.live.items.get("q1")
    assert (stored.title, stored.category, stored.price, stored.available) == ("One", "parts", 3.0, False)
    assert stored.fields is None
    client.delete("/v1/items/q1")
    assert client.patch("/v1/items/q1", json={"price": 9}).status_code == 404


def test_a_photo_may_be_a_data_uri_and_lack_its_end_marker(shop_now: Any) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 48, 3), dtype=np.uint8)).save(buffer, "JPEG")
    uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()[:-2]).decode()
    answer = shop_now.client.put("/v1/items/uri1", json={"title": "Data", "image_base64": uri})
    assert answer.json()["status"] == "stored"
    assert shop_now.live.items.get("uri1").image
