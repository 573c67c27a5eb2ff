"""Products that come, change and go over real HTTP, and what lists make of them a moment later."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image

OpenShop = Callable[..., Any]


@pytest.fixture(scope="module")
def live_shop(open_shop: OpenShop) -> Any:
    return open_shop()


def picture(color: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), color).save(buffer, "PNG")
    return buffer.getvalue()


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def listed(client: httpx.Client, **options: object) -> list[str]:
    answer = client.get("/v1/users/nobody/recommendations", params={"limit": 60, **options})
    # A category that no item has yet is refused.
    return [entry["item"]["item_id"] for entry in answer.json().get("items", [])]


def within_a_second(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 1
    while not holds():
        assert time.monotonic() < until, "not within a second"
        time.sleep(0.02)


def test_an_item_is_recommendable_within_a_second(live_shop: Any) -> None:
    client = live_shop.client
    assert client.get("/v1/items/new-1").status_code == 404
    put = client.put("/v1/items/new-1", json={"title": "New", "category": "stool", "price": 12.5})
    assert put.json() == {"item_id": "new-1", "status": "stored", "reason": None}
    within_a_second(lambda: listed(client, category="stool") == ["new-1"])
    item = client.get("/v1/items/new-1").json()
    assert (item["title"], item["category"], item["price"], item["available"]) == ("New", "stool", 12.5, True)
    assert item["image"] is None


def test_a_picture_is_stored_described_and_shown(live_shop: Any) -> None:
    client = live_shop.client
    body = {"title": "With a picture", "category": "bench", "image_base64": in_base64(picture())}
    assert client.put("/v1/items/pictured", json=body).json()["status"] == "stored"
    within_a_second(lambda: listed(client, category="bench") == ["pictured"])
    link = client.get("/v1/items/pictured").json()["image"]
    shown = client.get(link)
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/jpeg")
    red, green, blue = Image.open(io.BytesIO(shown.content)).convert("RGB").getpixel((20, 20))  # type: ignore[misc]
    assert red > 150 > 60 > max(green, blue)
    alike = client.get("/v1/items/pictured/similar", params={"limit": 3})
    assert len(alike.json()["items"]) == 3, "its look is known without a build"


def test_a_picture_stays_where_an_item_is_put_without_one(live_shop: Any) -> None:
    client = live_shop.client
    put = {"category": "rug", "image_base64": in_base64(picture((20, 180, 40)))}
    assert client.put("/v1/items/kept", json=put).status_code == 200
    within_a_second(lambda: client.get("/v1/items/kept").status_code == 200)
    first = client.get(client.get("/v1/items/kept").json()["image"]).content
    assert client.put("/v1/items/kept", json={"category": "rug", "title": "Renamed"}).status_code == 200
    within_a_second(lambda: client.get("/v1/items/kept").json()["title"] == "Renamed")
    assert client.get(client.get("/v1/items/kept").json()["image"]).content == first
    # So it does for one that was imported.
    imported = client.get(client.get("/v1/items/p04").json()["image"]).content
    assert client.put("/v1/items/p04", json={"title": "Cheaper", "category": "lamp", "price": 1}).status_code == 200
    within_a_second(lambda: client.get("/v1/items/p04").json()["price"] == 1)
    assert client.get(client.get("/v1/items/p04").json()["image"]).content == imported


def test_a_deleted_item_is_never_shown_again(live_shop: Any) -> None:
    client = live_shop.client
    (first, *_) = listed(client)
    assert client.delete(f"/v1/items/{first}").json() == {"item_id": first, "status": "deleted"}
    within_a_second(lambda: first not in listed(client))
    assert client.get(f"/v1/items/{first}").status_code == 404
    assert client.get(f"/v1/items/{first}/image").status_code == 404
    assert client.get(f"/v1/items/{first}/similar").status_code == 404
    liked = {"items": [{"item_id": "p02"}], "limit": 60}
    session = client.post("/v1/recommendations", json=liked).json()["items"]
    assert first not in [entry["item"]["item_id"] for entry in session]
    alike = client.get("/v1/items/p02/similar", params={"limit": 60}).json()["items"]
    assert first not in [entry["item"]["item_id"] for entry in alike]
    assert client.delete(f"/v1/items/{first}").status_code == 404
    assert client.put(f"/v1/items/{first}", json={"category": "lamp"}).status_code == 200
    within_a_second(lambda: first in listed(client))


def test_deleting_what_nobody_knows_is_404(live_shop: Any) -> None:
    answer = live_shop.client.delete("/v1/items/nowhere")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-item")


def test_a_batch_stores_what_it_can(live_shop: Any) -> None:
    client = live_shop.client
    items = [
        {"item_id": "b-1", "category": "batch", "image_base64": in_base64(picture())},
        {"item_id": "b-2", "category": "batch", "image_base64": in_base64(b"no picture at all")},
        {"item_id": "b-3", "category": "batch", "image_base64": "http://example.com/a.jpg"},
        {"item_id": "b-4", "category": "other"},
        {"item_id": "b-4", "category": "batch"},
    ]
    report = client.post("/v1/items:batch", json={"items": items}).json()
    assert [one["status"] for one in report["results"]] == ["stored", "rejected", "rejected", "superseded", "stored"]
    assert (report["stored"], report["superseded"], report["rejected"]) == (2, 1, 2)
    assert report["results"][3]["reason"] == "items[4] has the same id and was stored"
    assert "base64" in report["results"][2]["reason"]
    within_a_second(lambda: sorted(listed(client, category="batch")) == ["b-1", "b-4"])
    assert client.get("/v1/items/b-2").status_code == 404


@pytest.mark.parametrize("items", [[], [{"item_id": f"x{n}"} for n in range(101)], [{"title": "no id"}]])
def test_a_batch_has_1_to_100_items_with_ids(live_shop: Any, items: list[object]) -> None:
    answer = live_shop.client.post("/v1/items:batch", json={"items": items})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


def test_a_broken_picture_stores_nothing_of_the_item(live_shop: Any) -> None:
    client = live_shop.client
    answer = client.put("/v1/items/broken", json={"image_base64": in_base64(picture()[:60])})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/bad-image")
    assert live_shop.live.items.get("broken") is None


@pytest.mark.parametrize("price", [-1, 1e13, 1.7e308, "cheap"])
def test_a_price_is_a_number_that_can_be_one(live_shop: Any, price: object) -> None:
    answer = live_shop.client.put("/v1/items/priced", json={"price": price})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/price"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("ending", ["image", "similar"])
def test_longer_paths_are_no_items(live_shop: Any, method: str, ending: str) -> None:
    answer = live_shop.client.request(method, f"/v1/items/p01/{ending}", json={})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert live_shop.live.items.get(f"p01/{ending}") is None


def test_the_header_allow_names_all_methods_of_a_path(live_shop: Any) -> None:
    for path, allowed in [
        ("/v1/items/a/b", "DELETE, GET, HEAD, PATCH, PUT"),
        ("/v1/users/u/taste", "DELETE, GET, HEAD, PUT"),
        ("/v1/users/u/feedback", "POST"),
        ("/v1/users/u", "DELETE"),
        ("/v1/events", "POST"),
        ("/problems/rejected", "GET, HEAD"),
    ]:
        answer = live_shop.client.request("TRACE", path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed), path


def test_an_event_of_an_item_that_was_just_put_is_accepted(live_shop: Any) -> None:
    client = live_shop.client
    client.put("/v1/items/just-now", json={"category": "vase"})
    event = {"event_id": "just", "user_id": "early", "item_id": "just-now", "event": "click"}
    assert client.post("/v1/events", json=[event]).json()["accepted"] == 1
