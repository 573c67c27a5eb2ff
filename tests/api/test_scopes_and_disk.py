"""Every route with every kind of key; and a database without room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from recsys.api.auth.security import Security
from recsys.schema import Scope
from tests.faults.test_disk_full import SmallDisk, small_disk

__all__ = ["small_disk"]
OpenShop = Callable[..., Any]

KEYS = {scope: f"a key for {scope} alone" for scope in Scope}
ROUTES = [
    ("GET", "/v1/users/u01/recommendations", Scope.READ),
    ("POST", "/v1/recommendations", Scope.READ),
    ("GET", "/v1/items/p01/similar", Scope.READ),
    ("GET", "/v1/items/p01/image", Scope.READ),
    ("GET", "/v1/item-image?item_id=p01", Scope.READ),
    ("GET", "/v1/items/p01", Scope.READ),
    ("GET", "/v1/users/u01/taste", Scope.READ),
    ("GET", "/v1/styles", Scope.READ),
    ("POST", "/v1/search/style", Scope.READ),
    ("POST", "/v1/restyle", Scope.READ),
    ("POST", "/v1/events", Scope.EVENTS),
    ("PUT", "/v1/items/p01", Scope.EVENTS),
    ("DELETE", "/v1/items/none", Scope.EVENTS),
    ("PATCH", "/v1/items/p01", Scope.EVENTS),
    ("POST", "/v1/items:batch", Scope.EVENTS),
    ("PATCH", "/v1/items:batch", Scope.EVENTS),
    ("PUT", "/v1/users/u01/taste", Scope.EVENTS),
    ("DELETE", "/v1/users/u01/taste", Scope.EVENTS),
    ("POST", "/v1/users/u01/feedback", Scope.EVENTS),
    ("POST", "/v1/users/u01:merge", Scope.EVENTS),
    ("DELETE", "/v1/users/u01", Scope.ADMIN),
    ("GET", "/v1/models", Scope.ADMIN),
    ("POST", "/v1/admin/models/0000000000000000:activate", Scope.ADMIN),
    ("GET", "/v1/experiments", Scope.READ),
    ("GET", "/v1/experiments/none", Scope.READ),
    ("GET", "/v1/experiments/none/assignment", Scope.READ),
    ("GET", "/v1/experiments/none/results", Scope.ADMIN),
    ("POST", "/v1/experiments:plan", Scope.ADMIN),
    ("POST", "/v1/admin/experiments", Scope.ADMIN),
    ("POST", "/v1/admin/experiments/none:start", Scope.ADMIN),
    ("POST", "/v1/admin/experiments/none:ramp", Scope.ADMIN),
    ("POST", "/v1/admin/experiments/none:stop", Scope.ADMIN),
    ("POST", "/v1/admin:drain", Scope.ADMIN),
]


@dataclass(frozen=True)
class Stored:
    name: str
    hash: bytes
    scopes: frozenset[Scope]


@pytest.fixture(scope="module")
def closed(open_shop: OpenShop) -> Any:
    keys = [Stored(scope, sha256(key.encode()).digest(), frozenset({scope})) for scope, key in KEYS.items()]
    return open_shop(Security(stored=lambda: keys))


def test_the_table_has_every_route(closed: Any) -> None:
    described = closed.client.get("/openapi.json").json()["paths"]
    count = sum(len(operations) for path, operations in described.items() if path.startswith("/v1/"))
    assert count == len(ROUTES)


@pytest.mark.parametrize(("method", "path", "needed"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES])
def test_a_route_opens_to_its_scope_alone(closed: Any, method: str, path: str, needed: Scope) -> None:
    # Scopes are looked at before the body, hence a wrong one does: whoever may ask is told about it.
    def status(key: str | None) -> int:
        headers = {} if key is None else {"X-API-Key": key}
        return int(closed.client.request(method, path, headers=headers).status_code)

    assert status(None) == status("nobody's key at all") == 401
    for scope, key in KEYS.items():
        if scope is needed:
            assert status(key) not in {401, 403}
        else:
            assert status(key) == 403, scope


def test_a_full_disk_is_said_and_over_once_there_is_room(open_shop: OpenShop, small_disk: SmallDisk) -> None:
    shop = open_shop(database=f"sqlite:///{small_disk.folder / 'live.db'}")
    client, user = shop.client, "u" * 500

    def batch(number: int) -> list[dict[str, str]]:
        return [
            {"event_id": f"full-{number}-{n}", "user_id": user, "item_id": "p01", "event": "click"} for n in range(200)
        ]

    stored = 0
    while (answer := client.post("/v1/events", json=batch(stored))).status_code == 200:
        assert answer.json()["accepted"] == 200
        stored += 1
        assert stored < 100, "the disk is never full"
    assert stored > 0
    assert (answer.status_code, answer.json()["type"]) == (507, "/problems/storage-full")
    keyed = client.post("/v1/events", json=batch(stored), headers={"Idempotency-Key": "k" * 255})
    assert (keyed.status_code, keyed.json()["type"]) == (507, "/problems/storage-full")
    assert client.get("/v1/users/u01/recommendations").status_code == 200, "lists are served on"
    assert client.get("/readyz").status_code == 200
    small_disk.resize(16)
    assert client.post("/v1/events", json=batch(stored)).json()["accepted"] == 200
    assert client.post("/v1/events", json=batch(0)).json()["duplicate"] == 200, "what was acknowledged is there"
