"""A visitor who logs in: both histories count, exposures stay, and erasure covers both ids; over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

OpenShop = Callable[..., Any]


@pytest.fixture(scope="module")
def live_shop(open_shop: OpenShop) -> Any:
    return open_shop()


def _send(client: httpx.Client, user: str, item: str, event: str) -> None:
    body = [{"event_id": f"{user}-{item}-{event}", "user_id": user, "item_id": item, "event": event}]
    report = client.post("/v1/events", json=body).json()
    assert report["accepted"] == 1, report


def _list(client: httpx.Client, user: str, **options: object) -> dict[str, Any]:
    answer = client.get(f"/v1/users/{user}/recommendations", params={"limit": 40, **options})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _ids(listed: dict[str, Any]) -> list[str]:
    return [entry["item"]["item_id"] for entry in listed["items"]]


def test_a_visitor_becomes_a_user(live_shop: Any) -> None:
    client = live_shop.client
    _send(client, "visitor", "p02", "purchase")
    _send(client, "visitor", "p03", "dislike")
    _send(client, "buyer", "p04", "purchase")
    chosen = client.put("/v1/users/visitor/taste", json={"styles": ["floral"]})
    assert chosen.status_code == 200
    for status in ("merged", "known"):
        answer = client.post("/v1/users/buyer:merge", json={"old_id": "visitor"})
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"user_id": "buyer", "ids": ["buyer", "visitor"], "status": status}
    assert not {"p02", "p03", "p04"} & set(_ids(_list(client, "buyer")))
    assert _ids(_list(client, "visitor")) == _ids(_list(client, "buyer"))
    assert "p03" not in _ids(_list(client, "buyer", include_seen=True))
    assert client.get("/v1/users/buyer/taste").json()["chosen"] == ["floral"]
    # An event that arrives late under the old id counts, too.
    _send(client, "visitor", "p05", "purchase")
    assert "p05" not in _ids(_list(client, "buyer"))


def test_known_histories_count_together(live_shop: Any) -> None:
    client = live_shop.client
    bundle = live_shop.host.current.recommender.bundle
    one, other = bundle.user_ids.values[:2].tolist()
    seen = {
        item
        for user in (one, other)
        for item in bundle.catalog.ids.ids(bundle.interacted[bundle.user_ids.row(user)].indices)
    }
    assert client.post(f"/v1/users/{one}:merge", json={"old_id": other}).status_code == 200
    listed = _list(client, other)
    assert listed["basis"] == "history"
    assert not seen & set(_ids(listed))


@pytest.mark.parametrize("old_id", ["taken", "owner-2"])
def test_ids_of_other_users_and_the_own_id_are_rejected(live_shop: Any, old_id: str) -> None:
    client = live_shop.client
    client.post("/v1/users/owner:merge", json={"old_id": "taken"})
    answer = client.post("/v1/users/owner-2:merge", json={"old_id": old_id})
    assert answer.status_code == 422
    assert old_id in answer.text
    assert client.post("/v1/users/owner-2:merge", json={}).status_code == 422


def test_erasing_one_id_erases_all(live_shop: Any) -> None:
    client = live_shop.client
    _send(client, "gone-visitor", "p02", "purchase")
    _send(client, "gone", "p04", "purchase")
    client.post("/v1/users/gone:merge", json={"old_id": "gone-visitor"})
    erased = client.delete("/v1/users/gone-visitor").json()
    assert erased["rows"]["events"] == 2
    for user in ("gone", "gone-visitor"):
        assert _list(client, user)["basis"] == "popular"
        assert {"p02", "p04"} <= set(_ids(_list(client, user)))
