"""Search by words and by pictures, likeness by both, sessions with a picture, and lists page by page."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from recsys.bundle.store import current_version
from recsys.bundle.versions import versions

OpenShop = Callable[..., Any]


@pytest.fixture(scope="module")
def live_shop(open_shop: OpenShop) -> Any:
    return open_shop()


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["item"]["item_id"] for entry in answer.json()["items"]]


def photo(live_shop: Any, name: str = "1.jpg") -> bytes:
    return bytes((live_shop.project.root / name).read_bytes())


@pytest.mark.parametrize(("words", "odd"), [("floral", 1), ("something plain", 0)])
def test_words_find_what_looks_like_them(live_shop: Any, words: str, odd: int) -> None:
    answer = live_shop.client.post("/v1/search/style", params={"text": words, "limit": 8})
    assert all(int(item[1:]) % 2 == odd for item in ids(answer))
    body = answer.json()
    assert body["styles"][0]["style_id"] == ("floral" if odd else "plain")
    assert [word["word"] for word in body["words"]] == [words.split()[-1]]
    assert body["unknown"] == words.split()[:-1]


def test_a_picture_finds_the_same_as_its_own_style_vector(live_shop: Any) -> None:
    client, jpeg = live_shop.client, {"Content-Type": "image/jpeg"}
    answer = client.post("/v1/search/style", content=photo(live_shop), headers=jpeg, params={"limit": 6})
    assert len(ids(answer)) == 6
    assert answer.json()["words"] is None
    # A product with the very same picture looks most like it.
    body = {"category": "copy", "image_base64": base64.b64encode(photo(live_shop)).decode()}
    assert client.put("/v1/items/copy", json=body).status_code == 200
    until = time.monotonic() + 1
    while ids(client.post("/v1/search/style", content=photo(live_shop), headers=jpeg, params={"limit": 1})) != ["copy"]:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("options", "status", "slug"),
    [
        ({}, 422, "invalid-request"),
        (
            {"params": {"text": "plain"}, "content": b"x", "headers": {"Content-Type": "image/png"}},
            422,
            "invalid-request",
        ),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported-media-type"),
        ({"content": b"x", "headers": {"Content-Type": "image/png"}}, 422, "bad-image"),
    ],
)
def test_a_search_that_cannot_be_is_refused(live_shop: Any, options: Any, status: int, slug: str) -> None:
    answer = live_shop.client.post("/v1/search/style", **options)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")


def test_likeness_by_both_is_between_the_two(live_shop: Any) -> None:
    found = {}
    for by in ("style", "taste", "both"):
        answer = live_shop.client.get("/v1/items/p03/similar", params={"by": by, "limit": 10})
        found[by] = ids(answer)
        assert answer.json()["by"] == by
    assert all(int(item[1:]) % 2 for item in found["style"])
    assert "p03" not in found["both"]
    assert set(found["both"]) <= set(found["style"]) | set(found["taste"]) | set(
        ids(live_shop.client.get("/v1/items/p03/similar", params={"by": "style", "limit": 60}))
    )
    assert found["both"] != found["style"] or found["both"] != found["taste"]


def test_similar_items_leave_out_what_the_user_touched(live_shop: Any) -> None:
    client = live_shop.client
    first = ids(client.get("/v1/items/p05/similar", params={"limit": 1}))[0]
    event = {"event_id": "s-1", "user_id": "seer", "item_id": first, "event": "click"}
    assert client.post("/v1/events", json=[event]).json()["accepted"] == 1
    assert first not in ids(client.get("/v1/items/p05/similar", params={"limit": 60, "user_id": "seer"}))


def test_a_session_with_a_picture_has_a_taste(live_shop: Any) -> None:
    body = {"image_base64": base64.b64encode(photo(live_shop)).decode(), "limit": 5}
    answer = live_shop.client.post("/v1/recommendations", json=body)
    assert len(ids(answer)) == 5
    assert answer.json()["basis"] != "popular"
    broken = live_shop.client.post("/v1/recommendations", json={"image_base64": "AAAA"})
    assert (broken.status_code, broken.json()["type"]) == (422, "/problems/bad-image")


def pages(client: httpx.Client, path: str, **options: object) -> list[list[str]]:
    found, cursor = [], None
    for _ in range(30):
        answer = client.get(path, params={**options, **({} if cursor is None else {"cursor": cursor})})
        found.append(ids(answer))
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found
    pytest.fail("the pages never end")


def test_pages_repeat_nothing_and_end_with_everything(live_shop: Any) -> None:
    client, path = live_shop.client, "/v1/users/u02/recommendations"
    found = pages(client, path, limit=7)
    flat = [item for page in found for item in page]
    assert len(flat) == len(set(flat))
    assert set(flat) == set(ids(client.get(path, params={"limit": 100})))
    assert all(len(page) == 7 for page in found[:-1])
    assert len(found[-1]) < 7


def test_pages_hold_while_items_come(live_shop: Any) -> None:
    """A page's cursor stands for items, whatever is put in the meantime."""
    client, path = live_shop.client, "/v1/users/u04/recommendations"
    client.put("/v1/items/zz-last", json={"category": "late"})
    until = time.monotonic() + 1
    while client.get("/v1/items/zz-last").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.02)
    first = client.get(path, params={"category": "late", "limit": 1}).json()
    assert first["items"][0]["item"]["item_id"] == "zz-last"
    client.put("/v1/items/aa-first", json={"category": "late"})
    while client.get("/v1/items/aa-first").status_code != 200:
        assert time.monotonic() < until + 1
        time.sleep(0.02)
    second = client.get(path, params={"category": "late", "limit": 1, "cursor": first["next_cursor"]})
    assert second.status_code == 410 or ids(second) == ["aa-first"]


def test_a_foreign_or_changed_cursor_is_refused(live_shop: Any) -> None:
    client = live_shop.client
    cursor = client.get("/v1/users/u02/recommendations", params={"limit": 5}).json()["next_cursor"]
    for path, options in [
        ("/v1/users/u04/recommendations", {"cursor": cursor}),
        ("/v1/users/u02/recommendations", {"cursor": cursor, "category": "lamp"}),
        ("/v1/users/u02/recommendations", {"cursor": cursor[:-4] + "AAAA"}),
        ("/v1/users/u02/recommendations", {"cursor": "A"}),
    ]:
        answer = client.get(path, params=options)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-cursor")
    # A page may be longer than the one before.
    assert len(ids(client.get("/v1/users/u02/recommendations", params={"cursor": cursor, "limit": 9}))) == 9


def test_another_model_makes_cursors_stale_and_a_damaged_one_changes_nothing(open_shop: OpenShop) -> None:
    shop = open_shop()
    client, bundles = shop.client, shop.project.bundles
    listed = client.get("/v1/models").json()
    assert (len(listed["models"]), listed["rejected"]) == (2, None)
    serving = current_version(bundles)
    assert [one["version"] for one in listed["models"] if one["serving"]] == [serving]
    (other,) = [one.version for one in versions(bundles) if not one.current]
    cursor = client.get("/v1/users/u02/recommendations", params={"limit": 5}).json()["next_cursor"]

    file = bundles / other / "trend.npy"
    sound = file.read_bytes()
    file.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    refused = client.post(f"/v1/admin/models/{other}:activate")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/model-rejected")
    assert str(shop.project.root) not in refused.text
    assert refused.headers["Model-Version"] == client.get("/readyz").headers["Model-Version"] == serving
    told = client.get("/v1/models")
    assert told.json()["rejected"]["version"] == other
    assert str(shop.project.root) not in told.text
    assert ids(client.get("/v1/users/u02/recommendations", params={"cursor": cursor, "limit": 5}))
    assert client.post(f"/v1/admin/models/{'0' * 16}:activate").status_code == 409
    assert client.post("/v1/admin/models/..%2F..:activate").status_code in {404, 422}

    file.write_bytes(sound)
    assert client.post(f"/v1/admin/models/{other}:activate").json() == {"model_version": other}
    assert current_version(bundles) == other
    answer = client.get("/v1/users/u02/recommendations")
    assert answer.headers["Model-Version"] == answer.json()["model_version"] == other
    stale = client.get("/v1/users/u02/recommendations", params={"cursor": cursor, "limit": 5})
    assert (stale.status_code, stale.json()["type"]) == (410, "/problems/stale-cursor")


def test_a_picture_goes_toward_words(live_shop: Any) -> None:
    def near(**query: str) -> dict[str, float]:
        answer = live_shop.client.get("/v1/items/p03/image", params=query)
        assert answer.status_code == 200
        named = (one.split(";q=") for one in answer.headers.get("Restyle-Near", "").split(", ") if one)
        return {style_id: float(cosine) for style_id, cosine in named}

    assert next(iter(near(text="floral"))) == "floral"
    assert next(iter(near(text="plain"))) == "plain"
    # u00 likes plain things: from there, halfway.
    halfway = near(text="floral", user="u00")
    assert near(text="floral")["plain"] < halfway["plain"]
    assert near(text="plain")["floral"] < halfway["floral"]
    assert near(user="u00") == {}


@pytest.mark.parametrize("query", [{"text": "xyzzy"}, {"text": "plain", "style": "floral"}])
def test_words_that_say_nothing_or_too_much_are_refused(live_shop: Any, query: dict[str, str]) -> None:
    assert live_shop.client.get("/v1/items/p03/image", params=query).status_code == 422
