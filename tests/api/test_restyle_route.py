"""Own pictures over HTTP: restyled like the shop's, and nothing of them stays."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from recsys.api.limits import MAX_IMAGE_BYTES
from recsys.ranking.recommender import Recommender
from recsys.restyling.renderer import Renderer
from recsys.restyling.target import EncodedStyle
from style.images import decode_image, read_image, to_pixels
from style.provenance.mark import read_mark

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def photo(recommender: Recommender) -> bytes:
    return (recommender.bundle.image_root / "3.jpg").read_bytes()


def encoded(name: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (60, 50, 3), dtype=np.uint8)).save(buffer, name)
    return buffer.getvalue()


@pytest.mark.parametrize("toward", [{"user": "u00"}, {"style": "floral"}, {"item": "p07"}, {"scene": "everyday"}])
def test_it_is_the_picture_that_an_item_with_this_photo_has(
    client: httpx.Client, photo: bytes, toward: dict[str, str]
) -> None:
    own = client.post("/v1/restyle", params=toward, content=photo, headers=JPEG)
    item = client.get("/v1/items/p03/image", params=toward)
    assert own.content == item.content
    for name in ("Restyle-Strength", "Restyle-Engine", "ETag", "Content-Type"):
        assert own.headers[name] == item.headers[name]
    assert own.headers["Restyle-Status"] == "computed"
    assert read_mark(own.content) is not None
    assert b"Jane" not in own.content


def test_a_style_vector_is_taken_too(client: httpx.Client, photo: bytes, recommender: Recommender) -> None:
    vector = EncodedStyle.from_vector(recommender.catalog.style("p07")).text  # type: ignore[arg-type]
    query = {"vector": vector, "strength": "0.2", "mode": "full", "keep_color": "true", "width": "40"}
    answer = client.post("/v1/restyle", params={**query, "format": "png"}, content=photo, headers=JPEG)
    assert decode_image(answer.content).size == (40, 53)
    assert answer.headers["Content-Type"] == "image/png"


def test_nothing_of_it_is_kept(client: httpx.Client, restyler: Renderer, photo: bytes) -> None:
    folder: Path = restyler.cache.folder  # type: ignore[attr-defined]
    for _ in range(2):
        answer = client.post("/v1/restyle?style=floral", content=photo, headers=JPEG)
        assert answer.headers["Restyle-Status"] == "computed"
        assert answer.headers["Cache-Control"] == "private, no-store"
    assert not list(folder.iterdir())


def test_without_a_style_it_is_the_picture_without_its_metadata(
    client: httpx.Client, photo: bytes, recommender: Recommender
) -> None:
    answer = client.post("/v1/restyle?format=png&width=90", content=photo, headers=JPEG)
    assert answer.headers["Restyle-Status"] == "original"
    np.testing.assert_array_equal(
        to_pixels(decode_image(answer.content)), read_image(recommender.bundle.image_root / "3.jpg")
    )


@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
def test_every_type_is_taken_and_the_bytes_count(client: httpx.Client, name: str) -> None:
    for said in ("image/jpeg", "image/png; charset=binary", "IMAGE/WEBP"):
        answer = client.post("/v1/restyle?style=plain&mode=full", content=encoded(name), headers={"Content-Type": said})
        assert answer.status_code == 200, answer.text


def test_after_the_deadline_the_original_is_served(client: httpx.Client, engine: Any, photo: bytes) -> None:
    engine.gate.clear()
    started = time.monotonic()
    late = client.post("/v1/restyle?style=floral&deadline_ms=50", content=photo, headers=JPEG)
    assert time.monotonic() - started < 2
    assert late.headers["Restyle-Status"] == "original"
    assert late.content == client.get("/v1/items/p03/image").content


@pytest.mark.parametrize(
    ("query", "media_type", "body", "status", "slug"),
    [
        ("style=plain", "text/plain", b"x", 415, "unsupported-media-type"),
        ("style=plain", "image/svg+xml", b"<svg/>", 415, "unsupported-media-type"),
        ("style=plain", "application/json", b"{}", 415, "unsupported-media-type"),
        ("style=plain", "", b"x", 415, "unsupported-media-type"),
        ("style=plain", "image/jpeg", b"", 422, "bad-image"),
        ("style=plain", "image/jpeg", b"<svg/>", 422, "bad-image"),
        ("", "image/jpeg", b"http://127.0.0.1/a.jpg", 422, "bad-image"),
        ("style=plain", "image/png", encoded("png")[:200], 422, "bad-image"),
        ("style=plain&strength=0", "image/png", encoded("png")[:200], 422, "bad-image"),
        ("style=absent", "image/png", encoded("png"), 422, "unknown-reference"),
        ("style=plain&item=p00", "image/png", encoded("png"), 422, "invalid-request"),
        ("style=plain&signature=1", "image/png", encoded("png"), 422, "invalid-request"),
        ("style=plain&width=5", "image/png", encoded("png"), 422, "invalid-request"),
        ("url=http://127.0.0.1/a.jpg", "image/png", encoded("png"), 422, "invalid-request"),
    ],
)
def test_what_is_wrong_is_a_problem(
    client: httpx.Client, query: str, media_type: str, body: bytes, status: int, slug: str
) -> None:
    answer = client.post(f"/v1/restyle?{query}", content=body, headers={"Content-Type": media_type})
    assert answer.status_code == status
    assert answer.json()["type"] == f"/problems/{slug}"


def test_the_body_is_bounded_also_without_a_length(client: httpx.Client) -> None:
    large = encoded("png") + bytes(MAX_IMAGE_BYTES)
    for content in (large, iter([large[:1000], large[1000:]])):
        answer = client.post("/v1/restyle?style=plain", content=content, headers=JPEG)
        assert answer.status_code == 413
        assert "12582912" in answer.json()["detail"]
    assert client.post("/v1/users/u/feedback", content=bytes(300_000), headers=JPEG).status_code == 413
