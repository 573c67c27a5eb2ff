"""Pictures over HTTP: status, caching, formats, and what they say of themselves."""

from __future__ import annotations

import os
import time
from typing import Any

import httpx
import numpy as np
import pytest

from recsys.ranking.recommender import Recommender
from recsys.restyling.target import EncodedStyle
from style.fidelity import Limit
from style.images import decode_image, read_image, to_pixels
from style.modes import PaintMode, Strength
from style.provenance.mark import read_mark

STYLES = [{"user": "u00"}, {"user": "u00", "taste_component": 0}, {"style": "floral"}, {"item": "p07"}]


def test_without_a_style_it_is_the_original(client: httpx.Client, recommender: Recommender) -> None:
    answer = client.get("/v1/items/p00/image", params={"format": "png", "width": 90})
    assert answer.headers["Restyle-Status"] == "original"
    assert "Restyle-Engine" not in answer.headers
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    np.testing.assert_array_equal(
        to_pixels(decode_image(answer.content)), read_image(recommender.bundle.image_root / "0.jpg")
    )


@pytest.mark.parametrize("toward", STYLES)
def test_computed_then_cached_then_not_sent_again(client: httpx.Client, toward: dict[str, str]) -> None:
    first, second = (client.get("/v1/items/p03/image", params=toward) for _ in range(2))
    assert (first.headers["Restyle-Status"], second.headers["Restyle-Status"]) == ("computed", "cached")
    assert first.content == second.content
    assert first.headers["ETag"] == second.headers["ETag"]
    assert second.headers["Restyle-Engine"] == "negative-1"
    for tag in (first.headers["ETag"], f'"other", W/{first.headers["ETag"]}', "*"):
        third = client.get("/v1/items/p03/image", params=toward, headers={"If-None-Match": tag})
        assert (third.status_code, third.content) == (304, b"")
        assert third.headers["ETag"] == first.headers["ETag"]
        assert third.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert client.get("/v1/items/p03/image", params=toward, headers={"If-None-Match": '"x"'}).status_code == 200


def test_the_same_style_is_rendered_once_however_it_is_named(client: httpx.Client, recommender: Recommender) -> None:
    client.get("/v1/items/p03/image", params={"item": "p07"})
    vector = EncodedStyle.from_vector(recommender.catalog.style("p07")).text  # type: ignore[arg-type]
    assert client.get("/v1/items/p03/image", params={"vector": vector}).headers["Restyle-Status"] == "cached"


@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
def test_formats_are_marked_and_hold_no_metadata_of_the_photo(client: httpx.Client, name: str) -> None:
    answer = client.get("/v1/items/p03/image", params={"style": "floral", "format": name, "strength": 0.25})
    assert answer.headers["Content-Type"] == f"image/{name}"
    mark = read_mark(answer.content)
    assert mark is not None
    assert (mark.version, mark.strength) == ("negative-1", Strength(0.25, 0.25))
    assert mark.credit is not None
    assert (mark.credit.style_id, mark.credit.license) == ("floral", "CC0-1.0")
    assert b"Jane" not in answer.content


def test_the_headers_say_what_fidelity_has_made_of_the_strength(client: httpx.Client) -> None:
    for status in ("computed", "cached"):
        answer = client.get("/v1/items/p03/image", params={"style": "floral", "strength": 0.9})
        assert answer.headers["Restyle-Status"] == status
        used = float(answer.headers["Restyle-Strength"])
        assert 0 < used < 0.9
        assert set(answer.headers["Restyle-Limited-By"].split(", ")) <= set(Limit)
        mark = read_mark(answer.content)
        assert mark is not None
        assert mark.strength.color == pytest.approx(used, abs=1e-3)
    kept = client.get("/v1/items/p03/image", params={"style": "floral", "strength": 0.05}).headers
    assert (kept["Restyle-Strength"], kept.get("Restyle-Limited-By")) == ("0.05", None)
    assert client.get("/v1/items/p03/image").headers["Restyle-Strength"] == "0"


def test_modes_paint_what_they_say(client: httpx.Client, recommender: Recommender) -> None:
    original = read_image(recommender.bundle.image_root / "3.jpg")

    def changed(mode: str) -> tuple[bool, bool]:
        """Whether the corner of the backdrop and the middle of the product are other than in the photo."""
        query = {"style": "floral", "mode": mode, "format": "png", "width": 90, "strength": 0.3}
        answer = client.get("/v1/items/p03/image", params=query)
        mark = read_mark(answer.content)
        assert mark is not None
        assert mark.mode == mode
        difference = np.abs(to_pixels(decode_image(answer.content)) - original)
        return bool(difference[:10, :10].max() > 0.02), bool(difference[55:65, 40:50].max() > 0.02)

    assert changed("product") == changed("tone") == (False, True)
    assert changed("full") == (True, True)
    assert changed("background") == (True, False)


def test_an_unknown_mode_is_answered_with_the_known_ones(client: httpx.Client) -> None:
    (error,) = client.get("/v1/items/p03/image?style=floral&mode=oil").json()["errors"]
    assert error["parameter"] == "mode"
    assert all(mode in error["detail"] for mode in PaintMode)


def test_kept_color_is_lightness_alone(client: httpx.Client, recommender: Recommender) -> None:
    query = {"style": "floral", "keep_color": "true", "format": "png", "width": 90, "strength": 0.2}
    picture = to_pixels(decode_image(client.get("/v1/items/p03/image", params=query).content))
    added = picture - read_image(recommender.bundle.image_root / "3.jpg")
    assert np.abs(added - added.mean(axis=2, keepdims=True)).max() < 3 / 255
    assert np.abs(added[55:65, 40:50]).max() > 0.02


def test_a_scene_is_the_first_style_of_it_or_the_nearest_to_a_user(client: httpx.Client) -> None:
    def credited(**query: str) -> str:
        mark = read_mark(client.get("/v1/items/p03/image", params=query).content)
        assert mark is not None
        assert mark.credit is not None
        return mark.credit.style_id

    assert credited(scene="everyday") == credited(scene="everyday", user="nobody") == "plain"
    assert credited(scene="floral day") == credited(scene="floral day", user="u00") == "floral"
    assert credited(scene="everyday", user="u00") == "plain"
    assert credited(scene="everyday", user="u01") == "floral"


def test_an_unknown_scene_is_answered_with_the_known_ones(client: httpx.Client) -> None:
    (error,) = client.get("/v1/items/p03/image?scene=wedding").json()["errors"]
    assert error == {
        "detail": "unknown scene 'wedding'; known ones: everyday, plain day, floral day",
        "parameter": "scene",
    }


def test_strength_0_is_the_original_unmarked(client: httpx.Client) -> None:
    plain = client.get("/v1/items/p03/image")
    zero = client.get("/v1/items/p03/image", params={"style": "floral", "strength": 0})
    assert zero.content == plain.content
    assert zero.headers["Restyle-Status"] == "original"
    assert read_mark(zero.content) is None


def test_width_is_kept(client: httpx.Client) -> None:
    assert decode_image(client.get("/v1/items/p03/image", params={"width": 30}).content).size == (30, 40)
    assert decode_image(client.get("/v1/items/p03/image", params={"width": 2000}).content).size == (90, 120)


def test_after_the_deadline_the_original_is_served_and_later_the_picture(client: httpx.Client, engine: Any) -> None:
    engine.gate.clear()
    started = time.monotonic()
    late = client.get("/v1/items/p03/image", params={"style": "floral", "deadline_ms": 50})
    assert time.monotonic() - started < 2
    assert late.headers["Restyle-Status"] == "original"
    assert late.headers["Cache-Control"] == "no-cache"
    assert late.content == client.get("/v1/items/p03/image").content
    engine.gate.set()
    answer = client.get(
        "/v1/items/p03/image", params={"style": "floral"}, headers={"If-None-Match": late.headers["ETag"]}
    )
    assert answer.status_code == 200
    assert answer.headers["Restyle-Status"] in ("computed", "cached")


def test_a_users_picture_is_private_and_a_links_is_public(client: httpx.Client) -> None:
    assert client.get("/v1/items/p03/image", params={"user": "u00"}).headers["Cache-Control"] == "private, max-age=300"
    entry = client.get("/v1/users/u00/recommendations", params={"limit": 1}).json()["items"][0]
    for url in (entry["restyled"]["url"], entry["item"]["image"]):
        assert client.get(url).headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_a_link_is_immutable_only_while_the_photo_is_the_same(client: httpx.Client, recommender: Recommender) -> None:
    def cached_for() -> list[str]:
        return [client.get(url).headers["Cache-Control"] for url in (entry["restyled"]["url"], entry["item"]["image"])]

    entry = client.get("/v1/users/u00/recommendations", params={"limit": 1}).json()["items"][0]
    photo = recommender.catalog.card(entry["item"]["item_id"]).image
    assert photo is not None
    before = photo.stat()
    os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    try:
        assert cached_for() == ["public, max-age=86400"] * 2
    finally:
        os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cached_for() == ["public, max-age=31536000, immutable"] * 2


def test_a_user_without_a_taste_gets_the_original(client: httpx.Client) -> None:
    answer = client.get("/v1/items/p03/image", params={"user": "nobody"})
    assert (answer.status_code, answer.headers["Restyle-Status"]) == (200, "original")


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [
        ("/v1/items/absent/image", 404, "unknown-item"),
        ("/v1/items/bare/image", 404, "no-image"),
        ("/v1/items/torn/image", 404, "unreadable-image"),
        ("/v1/items/torn/image?style=floral", 404, "unreadable-image"),
        ("/v1/items/p00/image?style=absent", 422, "unknown-reference"),
        ("/v1/items/p00/image?item=absent", 422, "unknown-reference"),
        ("/v1/items/p00/image?item=bare", 422, "invalid-request"),
        ("/v1/items/p00/image?style=plain&item=p01", 422, "invalid-request"),
        ("/v1/items/p00/image?style=plain&taste_component=1", 422, "invalid-request"),
        ("/v1/items/p00/image?user=u00&taste_component=3", 422, "invalid-request"),
        ("/v1/items/p00/image?user=u00&scene=everyday&taste_component=3", 422, "invalid-request"),
        ("/v1/items/p00/image?style=plain&mode=0", 422, "invalid-request"),
        ("/v1/items/p00/image?style=plain&scene=everyday", 422, "invalid-request"),
        ("/v1/items/p00/image?scene=wedding", 422, "invalid-request"),
        ("/v1/items/p00/image?style=plain&keep_color=perhaps", 422, "invalid-request"),
        ("/v1/items/p00/image?vector=abc", 422, "invalid-request"),
        ("/v1/items/p00/image?vector=" + "A" * 171, 422, "invalid-request"),
        ("/v1/items/p00/image?format=gif", 422, "invalid-request"),
        ("/v1/items/p00/image?width=0", 422, "invalid-request"),
        ("/v1/items/p00/image?width=100000", 422, "invalid-request"),
        ("/v1/items/p00/image?strength=nan", 422, "invalid-request"),
    ],
)
def test_what_is_wrong_is_a_problem(client: httpx.Client, path: str, status: int, slug: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{slug}"


def test_no_path_of_the_server_is_told(client: httpx.Client, recommender: Recommender) -> None:
    text = client.get("/v1/items/torn/image").text
    assert "torn.jpg" not in text
    assert str(recommender.bundle.image_root) not in text
