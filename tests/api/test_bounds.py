"""Bounds before any work: heads, fields, lines, errors, time to send, connections, and keys before bodies."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from recsys.api.auth.security import Security
from recsys.api.limits import MAX_BODY_BYTES, MAX_ERRORS
from recsys.api.overload import bounds

Serve = Callable[..., httpx.Client]
READER = "a key that may read"


@contextmanager
def connection(client: httpx.Client) -> Iterator[socket.socket]:
    address = urlsplit(str(client.base_url))
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10) as made:
        yield made


def answer_of(made: socket.socket) -> bytes:
    """Return what the service sends until it closes the connection."""
    parts = []
    while True:
        try:
            part = made.recv(65_536)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


def kind_of(answer: bytes) -> str:
    """Return the type of a problem in a raw answer."""
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["type"])


@pytest.mark.parametrize(
    "body", [json.dumps({f"k{i}": 1 for i in range(20_000)}), json.dumps({"items": [{"a": 1}] * 200})]
)
def test_junk_fields_get_a_short_answer(shop: httpx.Client, body: str) -> None:
    answer = shop.post("/v1/recommendations", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) <= MAX_ERRORS
    assert len(answer.content) < 20_000


def test_some_unknown_fields_are_still_named(shop: httpx.Client) -> None:
    errors = shop.post("/v1/recommendations", json={"a": 1, "b": 2}).json()["errors"]
    assert {error["pointer"] for error in errors} == {"#/a", "#/b"}


def test_an_event_of_many_fields_is_rejected_in_one_sentence(shop: httpx.Client) -> None:
    report = shop.post("/v1/events", json=[{f"k{i}": 1 for i in range(50_000)}]).json()
    assert report["rejected"] == 1
    assert len(report["results"][0]["reason"]) < 500


def test_lines_are_read_up_to_the_limit(shop: httpx.Client) -> None:
    answer = shop.post("/v1/events", content=b"x\n" * 500_000, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 413


def test_text_of_a_body_is_bounded_and_its_image_is_not_counted(shop: httpx.Client) -> None:
    fields = b'{"items": [' + b'{"item_id": "p00"},' * (MAX_BODY_BYTES // 10) + b'{"item_id": "p00"}]}'
    json_type = {"Content-Type": "application/json"}
    answer = shop.post("/v1/recommendations", content=fields, headers=json_type)
    assert answer.status_code == 413
    assert "without its images" in answer.json()["detail"]
    image = json.dumps({"image_base64": "A" * (4 * MAX_BODY_BYTES)})
    assert shop.post("/v1/recommendations", content=image, headers=json_type).status_code == 422


def test_a_key_is_checked_before_the_body(serve: Serve) -> None:
    client = serve(Security([READER]))
    for headers, status in (({}, b"401"), ({"X-API-Key": READER}, b"403")):
        with connection(client) as made:
            lines = [
                f"{name}: {value}" for name, value in {"Host": "shop", "Content-Length": "1000000", **headers}.items()
            ]
            made.sendall(("POST /v1/admin/experiments HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode())
            # The body never comes.
            assert made.recv(65_536).split()[1] == status


def test_each_head_has_a_limit(shop: httpx.Client) -> None:
    for head in (
        b"GET /livez HTTP/1.1\r\nHost: shop\r\nX-Long: " + b"a" * (4 * bounds.MAX_HEAD_BYTES),
        b"GET /livez HTTP/1.1\r\nHost: shop\r\n" + b"X-Many: a\r\n" * bounds.MAX_HEAD_BYTES + b"\r\n",
        b"GET /livez?" + b"a" * (4 * bounds.MAX_HEAD_BYTES),
    ):
        with connection(shop) as made:
            try:
                made.sendall(head)
            except (ConnectionResetError, BrokenPipeError):
                continue
            answer = answer_of(made)
            assert not answer or answer.split()[1] in (b"431", b"414")
    assert shop.get("/livez", headers={"X-Long": "a" * 60_000}).status_code == 200


def test_frames_of_chunks_have_a_limit(shop: httpx.Client) -> None:
    start = b"POST /v1/events HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n"
    for frame in (b"1;" + b"e" * 65_536 * 20, b"0\r\n" + b"X-Trailer: a\r\n" * 200_000):
        with connection(shop) as made:
            try:
                made.sendall(start + frame)
            except (ConnectionResetError, BrokenPipeError):
                continue
            answer = answer_of(made)
            assert not answer or answer.split()[1] in (b"431", b"400")


@pytest.mark.parametrize(
    ("sent", "slug"),
    [
        (b"", None),
        (b"GET /live", "too-slow"),
        (b"POST /v1/events HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000\r\n\r\n[", "too-slow"),
    ],
)
def test_a_request_that_does_not_come_is_dropped(
    shop: httpx.Client, monkeypatch: pytest.MonkeyPatch, sent: bytes, slug: str | None
) -> None:
    monkeypatch.setattr(bounds, "HEAD_TIMEOUT_S", 0.2)
    monkeypatch.setattr(bounds, "BODY_TIMEOUT_S", 0.2)
    with connection(shop) as made:
        made.sendall(sent)
        answer = answer_of(made)
    assert (kind_of(answer) if answer else None) == (slug and f"/problems/{slug}")


def test_a_slow_body_that_goes_on_is_read(shop: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "HEAD_TIMEOUT_S", 0.3)
    monkeypatch.setattr(bounds, "BODY_TIMEOUT_S", 0.3)
    body = b"[" + b" " * 1_500 + b"]"
    with connection(shop) as made:
        made.sendall(
            b"POST /v1/events HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Type: application/json\r\n"
        )
        made.sendall(b"Content-Length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 300):
            made.sendall(body[start : start + 300])
            time.sleep(0.1)
        assert answer_of(made).split()[1] == b"200"


def test_idle_callers_do_not_take_all_connections(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "max_connections", lambda: 16)
    client = serve()
    idle: list[Any] = []
    try:
        for _ in range(30):
            address = urlsplit(str(client.base_url))
            idle.append(socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10))
            idle[-1].sendall(b"GET /live")
        assert client.get("/v1/styles").status_code == 200
    finally:
        for made in idle:
            made.close()
