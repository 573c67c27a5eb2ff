"""The door: scopes, keys that come and go, rate limits, overload, sizes of bodies."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import httpx
import pytest

from recsys.api.auth.security import Security
from recsys.api.limits import MAX_BODY_BYTES, MAX_IMAGE_BYTES
from recsys.api.route_table import match_route
from recsys.config import ServiceSettings
from recsys.errors import StorageFullError
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Answer, Request
from recsys.schema import Scope

Serve = Callable[..., httpx.Client]
READER, ADMIN = "a key that may read", "a key that may do all"


def with_key(key: str) -> dict[str, str]:
    return {"X-API-Key": key}


@dataclass(frozen=True)
class Key:
    name: str
    hash: bytes
    scopes: frozenset[Scope]

    @classmethod
    def of(cls, key: str, *scopes: Scope) -> Key:
        return cls(key[:5], sha256(key.encode()).digest(), frozenset(scopes))


def problem(answer: httpx.Response, status: int, slug: str) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{slug}"
    assert answer.headers["X-Request-ID"]
    assert answer.headers["Model-Version"]
    return answer.json()


def test_a_key_opens_what_its_scopes_say(serve: Serve) -> None:
    client = serve(Security([READER], admin_keys=[ADMIN]))
    for key in (READER, ADMIN):
        assert client.get("/v1/styles", headers=with_key(key)).status_code == 200
    body = problem(client.post("/v1/admin:drain", headers=with_key(READER)), 403, "missing-scope")
    assert "admin" in body["detail"]
    problem(client.post("/v1/admin:drain"), 401, "missing-key")
    assert client.post("/v1/admin:drain", headers=with_key(ADMIN)).status_code == 202


def test_a_key_without_read_may_not_read(serve: Serve) -> None:
    key = "a key for events only"
    client = serve(Security(stored=lambda: [Key.of(key, Scope.EVENTS)]))
    problem(client.get("/v1/styles", headers=with_key(key)), 403, "missing-scope")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "Origin", "X-Forwarded-Host"])
def test_without_keys_admin_routes_answer_to_the_own_machine_alone(serve: Serve, header: str) -> None:
    client = serve()
    assert client.get("/v1/styles", headers={header: "127.0.0.1"}).status_code == 200
    body = problem(client.post("/v1/admin:drain", headers={header: "127.0.0.1"}), 403, "missing-scope")
    assert "RECSYS_ADMIN_KEYS" in body["detail"]
    assert client.post("/v1/admin:drain").status_code == 202


def test_keys_of_the_database_count_within_a_second(serve: Serve) -> None:
    key = "a key of the database"
    stored: list[Key] = []
    client = serve(Security([READER], stored=lambda: tuple(stored)))
    assert client.get("/v1/styles", headers=with_key(key)).status_code == 401
    for change, status in ((lambda: stored.append(Key.of(key, Scope.READ)), 200), (stored.clear, 401)):
        change()
        time.sleep(0.9)
        assert client.get("/v1/styles", headers=with_key(key)).status_code == status
        assert client.get("/v1/styles", headers=with_key(READER)).status_code == 200


def test_every_answer_tells_what_is_left_and_the_next_one_is_refused(serve: Serve) -> None:
    client = serve(Security([READER, ADMIN]), settings=ServiceSettings(rate=0.5, burst=3))
    left = []
    for _ in range(3):
        answer = client.get("/v1/styles", headers=with_key(READER))
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Policy"] == '"requests";q=3;w=6'
        left.append(re.fullmatch(r'"requests";r=(\d+);t=(\d+)', answer.headers["RateLimit"]))
    assert [match and match[1] for match in left] == ["2", "1", "0"]
    answer = client.get("/v1/styles", headers=with_key(READER))
    problem(answer, 429, "too-many-requests")
    assert answer.headers["Retry-After"] == "2"
    # Another key has its own bucket, and so has whoever has no key, wrong ones included.
    assert client.get("/v1/styles", headers=with_key(ADMIN)).status_code == 200
    assert [client.get("/v1/styles", headers=with_key(f"guess {n}")).status_code for n in range(4)] == [401] * 3 + [429]
    for path in ("/livez", "/readyz", "/metrics"):
        assert [client.get(path).status_code for _ in range(5)] == [200] * 5


def test_links_that_were_given_are_not_counted_again(serve: Serve) -> None:
    client = serve(Security([READER]), settings=ServiceSettings(rate=0.1, burst=1))
    image = client.get("/v1/items/p00", headers=with_key(READER)).json()["image"]
    assert [client.get(image).status_code for _ in range(3)] == [200] * 3


class Slow(Recommender):
    """Ranks nothing before its gate opens."""

    gate: threading.Event
    begun: threading.Semaphore

    def recommend(self, request: Request) -> Answer:
        self.begun.release()
        assert self.gate.wait(20)
        return super().recommend(request)


@pytest.fixture
def slow(recommender: Recommender) -> Iterator[Slow]:
    made = Slow(recommender.bundle)
    made.gate, made.begun = threading.Event(), threading.Semaphore(0)
    yield made
    made.gate.set()


def test_what_would_wait_too_long_is_refused_at_once_and_the_rest_is_served(serve: Serve, slow: Slow) -> None:
    client = serve(served=slow, settings=ServiceSettings(ranking_threads=2, max_waiting=3))
    with ThreadPoolExecutor(5) as pool:
        admitted = [pool.submit(client.get, "/v1/users/u00/recommendations") for _ in range(5)]
        assert slow.begun.acquire(timeout=10)
        assert slow.begun.acquire(timeout=10)
        until = time.monotonic() + 10
        while "recsys_ranking_waiting 3.0" not in client.get("/metrics").text:
            assert time.monotonic() < until
            time.sleep(0.02)
        for path in ("/v1/users/u00/recommendations", "/v1/items/p00/similar", "/v1/users/u00/recommendations?x=1"):
            answer = client.get(path)
            problem(answer, 503, "overloaded")
            assert answer.headers["Retry-After"] == "1"
        # Neither keys nor bodies are looked at.
        problem(client.post("/v1/recommendations", content=b"{"), 503, "overloaded")
        for path in ("/livez", "/readyz", "/v1/items/p00", "/v1/items/p00/image"):
            assert client.get(path).status_code == 200
        slow.gate.set()
        assert [one.result().status_code for one in admitted] == [200] * 5
    numbers = client.get("/metrics").text
    assert 'recsys_rejections_total{reason="overloaded"} 4.0' in numbers
    assert "recsys_ranking_waiting 0.0" in numbers
    assert client.get("/v1/items/p00/similar").status_code == 200


def test_a_connection_outlives_a_refusal(serve: Serve, slow: Slow) -> None:
    client = serve(served=slow, settings=ServiceSettings(ranking_threads=1, max_waiting=0))
    head = "Host: shop\r\nX-Request-ID: mine\r\n"
    path = "/v1/users/u00/recommendations?limit=1"
    with ThreadPoolExecutor(1) as pool, socket.create_connection((client.base_url.host, client.base_url.port)) as line:
        held = pool.submit(client.get, path)
        assert slow.begun.acquire(timeout=10)
        # Two at once, and then one in pieces, all on one connection.
        line.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\nGET {path} HTTP/1.1\r\n{head}\r\n".encode())
        refused = [_answer(line) for _ in range(2)]
        line.sendall(f"GET {path} HTTP/1.1\r\nHo".encode())
        time.sleep(0.05)
        line.sendall(f"{head[2:]}\r\n".encode())
        refused.append(_answer(line))
        for status, headers, body in refused:
            assert (status, headers["x-request-id"], headers["retry-after"]) == (503, "mine", "1")
            assert headers["model-version"] == slow.version
            assert headers["content-type"] == "application/problem+json"
            assert json.loads(body)["type"] == "/problems/overloaded"
        slow.gate.set()
        assert held.result().status_code == 200
        line.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        assert _answer(line)[0] == 200
    assert 'recsys_http_requests_total{method="GET",route="-",status="503"} 3.0' in client.get("/metrics").text


def test_a_refusal_closes_the_connection_if_asked_to(serve: Serve, slow: Slow) -> None:
    client = serve(served=slow, settings=ServiceSettings(ranking_threads=1, max_waiting=0))
    with ThreadPoolExecutor(1) as pool, socket.create_connection((client.base_url.host, client.base_url.port)) as line:
        pool.submit(client.get, "/v1/items/p00/similar").result()
        held = pool.submit(client.get, "/v1/users/u00/recommendations")
        assert slow.begun.acquire(timeout=10)
        line.sendall(b"GET /v1/items/p00/similar HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        status, headers, _ = _answer(line)
        assert (status, headers["connection"]) == (503, "close")
        assert line.recv(1) == b""
        slow.gate.set()
        assert held.result().status_code == 200


def _answer(line: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer from a connection that stays open."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += line.recv(1)
    first, *lines = got.decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in lines)}
    body = b""
    while len(body) < int(headers["content-length"]):
        body += line.recv(int(headers["content-length"]) - len(body))
    return int(first.split()[1]), headers, body


class Full(Recommender):
    """Has no room left."""

    def recommend(self, request: Request) -> Answer:
        raise StorageFullError("a path that is nobody's business")


def test_a_full_disk_has_its_own_answer(serve: Serve, recommender: Recommender) -> None:
    answer = serve(served=Full(recommender.bundle)).get("/v1/users/u00/recommendations")
    assert "nobody" not in str(problem(answer, 507, "storage-full"))


def test_each_route_has_its_own_limit_of_bytes() -> None:
    json, png = b"application/json", b"image/png"
    megabyte = 1024 * 1024

    def body_limit(path: str, content_type: bytes, method: str = "POST") -> int:
        return match_route(method, path)[0].body_limit(content_type)

    assert body_limit("/v1/users/u/feedback", json) == MAX_BODY_BYTES == 256 * 1024
    assert body_limit("/v1/restyle", png) == body_limit("/v1/search/style", png) == MAX_IMAGE_BYTES == 12 * megabyte
    assert body_limit("/v1/restyle", json) == MAX_BODY_BYTES
    for method, path in (("PUT", "/v1/items/a/b"), ("POST", "/v1/recommendations")):
        assert 16 * megabyte < body_limit(path, json, method) < 17 * megabyte, "a picture in base64"
    assert body_limit("/v1/events", json) == 2 * megabyte
    assert body_limit("/v1/items:batch", json) == 32 * megabyte
    assert body_limit("/v1/users/u/v1/events", json) == MAX_BODY_BYTES


class Swapping:
    """A host whose model changes in the middle of each request."""

    def __init__(self, recommender: Recommender) -> None:
        self.served = [recommender]

    @property
    def current(self) -> Any:
        return Snapshot(self.served[-1])


@dataclass(frozen=True)
class Snapshot:
    recommender: Recommender


def test_an_answer_is_of_one_model_header_and_all(serve: Serve, recommender: Recommender) -> None:
    models = Swapping(recommender)

    class Changed(Recommender):
        def recommend(self, request: Request) -> Answer:
            models.served.append(recommender)
            return super().recommend(request)

    client = serve(served=models)
    changed = Changed(recommender.bundle)
    changed.version = "another"
    models.served.append(changed)
    answer = client.get("/v1/users/u00/recommendations?limit=1")
    assert models.current.recommender is recommender
    assert answer.headers["Model-Version"] == answer.json()["model_version"] == "another"
    assert client.get("/readyz").json()["model_version"] == recommender.version
    assert client.get("/livez").headers["Model-Version"] == recommender.version
