"""Events that take others back, what is seen, and dislikes; over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import httpx
import pytest

OpenShop = Callable[..., Any]
_numbers = count()


@pytest.fixture(scope="module")
def client(open_shop: OpenShop) -> httpx.Client:
    shop: Any = open_shop()
    return shop.client  # type: ignore[no-any-return]


def _send(client: httpx.Client, user: str, *events: tuple[str, str]) -> None:
    body = [
        {"event_id": f"m-{next(_numbers)}", "user_id": user, "item_id": item, "event": event} for item, event in events
    ]
    report = client.post("/v1/events", json=body).json()
    assert report["accepted"] == len(events), report


def _ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["item"]["item_id"] for entry in answer.json()["items"]]


def _list(client: httpx.Client, user: str, **options: object) -> list[str]:
    return _ids(client.get(f"/v1/users/{user}/recommendations", params={"limit": 100, **options}))


def test_live_events_are_taken_back(client: httpx.Client) -> None:
    _send(client, "undo", ("p02", "AddToCart"), ("p03", "follow"), ("p04", "buy"), ("p05", "dislike"))
    assert not {"p02", "p03", "p04", "p05"} & set(_list(client, "undo"))
    _send(client, "undo", ("p02", "remove_from_cart"), ("p03", "unsubscribe"), ("p04", "Refund"), ("p05", "like"))
    _send(client, "undo", ("p05", "unlike"))
    assert {"p02", "p03", "p04", "p05"} <= set(_list(client, "undo"))


def test_an_unknown_event_names_the_known_ones(client: httpx.Client) -> None:
    body = [{"event_id": "m-x", "user_id": "u", "item_id": "p02", "event": "stare"}]
    (result,) = client.post("/v1/events", json=body).json()["results"]
    assert "'stare' is not an event; use one of view, click" in result["reason"]


def test_what_is_seen_may_be_asked_for_but_no_disliked_item(client: httpx.Client) -> None:
    _send(client, "seer", ("p02", "view"), ("p03", "purchase"), ("p04", "like"), ("p04", "dislike"))
    assert not {"p02", "p03", "p04"} & set(_list(client, "seer"))
    bought = set(_list(client, "seer", seen="purchase"))
    assert "p02" in bought
    assert not {"p03", "p04"} & bought
    everything = set(_list(client, "seer", include_seen=True))
    assert {"p02", "p03"} <= everything
    assert "p04" not in everything
    similar = client.get("/v1/items/p02/similar", params={"user_id": "seer", "include_seen": True, "limit": 100})
    assert "p03" in _ids(similar)
    assert "p04" not in _ids(similar)


def test_sessions_follow_the_order_of_events(client: httpx.Client) -> None:
    def listed(*events: tuple[str, str]) -> list[str]:
        items = [{"item_id": item, "event": event} for item, event in events]
        return _ids(client.post("/v1/recommendations", json={"items": items, "include_seen": True, "limit": 100}))

    assert "p02" not in listed(("p02", "like"), ("p02", "dislike"))
    assert "p02" in listed(("p02", "dislike"), ("p02", "like"))
    assert "p02" in listed(("p02", "dislike"), ("p02", "undislike"))


def test_an_empty_list_says_why(client: httpx.Client) -> None:
    everything = _list(client, "omni")
    _send(client, "omni", *((item, "view") for item in everything))
    answer = client.get("/v1/users/omni/recommendations").json()
    assert answer["items"] == []
    assert "has seen each item" in answer["empty_text"]
    assert client.get("/v1/users/nobody-else/recommendations").json()["empty_text"] is None
