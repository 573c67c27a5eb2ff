"""Keys and signed links: who may ask, and what stays secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from recsys.api.auth.security import Security, load_link_key
from recsys.errors import ConfigError

Serve = Callable[..., httpx.Client]
KEYS = ("first key of the shop", "second key of the shop")
LINK_KEY = "a key that signs links"


@pytest.fixture(scope="module")
def guarded(serve: Serve) -> httpx.Client:
    return serve(Security(KEYS, LINK_KEY))


@pytest.fixture(scope="module")
def unkeyed(serve: Serve) -> httpx.Client:
    return serve(Security())


PROTECTED = ["/v1/styles", "/v1/items/p00", "/v1/items/p00/image", "/v1/users/u00/taste", "/v1/items/p00/similar"]


@pytest.mark.parametrize("path", [*PROTECTED, "/v1/users/u00/recommendations"])
@pytest.mark.parametrize("key", [None, "", "wrong", KEYS[0][:-1], KEYS[0] + "x", ",".join(KEYS)])
def test_without_a_key_nothing_is_told(guarded: httpx.Client, path: str, key: str | None) -> None:
    answer = guarded.get(path, headers={} if key is None else {"X-API-Key": key})
    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/missing-key"
    assert answer.headers["WWW-Authenticate"] == "ApiKey"


@pytest.mark.parametrize("key", KEYS)
def test_each_key_opens(guarded: httpx.Client, key: str) -> None:
    assert all(guarded.get(path, headers={"X-API-Key": key}).status_code == 200 for path in PROTECTED)
    assert guarded.post("/v1/recommendations", json={}, headers={"X-API-Key": key}).status_code == 200


def test_a_session_needs_a_key_too(guarded: httpx.Client) -> None:
    assert guarded.post("/v1/recommendations", json={}).status_code == 401


def test_health_and_documentation_need_no_key(guarded: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/problems", "/openapi.json", "/docs"):
        assert guarded.get(path).status_code == 200


def test_readiness_says_who_may_ask_and_how_links_are_signed(guarded: httpx.Client, unkeyed: httpx.Client) -> None:
    open_to_all = unkeyed.get("/readyz").json()
    assert (open_to_all["access"], open_to_all["links_survive_restart"]) == ("open", False)
    keyed = guarded.get("/readyz").json()
    assert (keyed["access"], keyed["links_survive_restart"]) == ("api_key", True)


def test_a_link_needs_no_key_as_long_as_it_is_not_changed(guarded: httpx.Client) -> None:
    answer = guarded.get("/v1/users/u00/recommendations?limit=1", headers={"X-API-Key": KEYS[0]}).json()
    entry = answer["items"][0]
    for url in (entry["restyled"]["url"], entry["item"]["image"]):
        assert guarded.get(url).status_code == 200
        other = "p35" if entry["item"]["item_id"] != "p35" else "p34"
        changed = [
            url.replace("width=64", "width=65"),
            url.replace(f"/items/{entry['item']['item_id']}/", f"/items/{other}/"),
            url.replace("width=64", "width=64&user=u01"),
            url.replace("width=64", "width=64&width=64"),
            url[:-1] + ("0" if url[-1] != "0" else "1"),
            url.partition("signature=")[0] + "signature=",
            url + "&signature=x",
        ]
        for link in changed:
            refused = guarded.get(link)
            assert refused.status_code == 403, link
            assert refused.json()["type"] == "/problems/bad-signature"
        # A wrong signature is refused even with a key: the link is broken, and silence would hide it.
        assert guarded.get(changed[0], headers={"X-API-Key": KEYS[0]}).status_code == 403
    unsigned = entry["item"]["image"].partition("&signature")[0]
    assert guarded.get(unsigned).status_code == 401


def test_a_link_holds_however_a_proxy_writes_it(guarded: httpx.Client) -> None:
    image = guarded.get("/v1/items/AB%2F12%20%C3%BC", headers={"X-API-Key": KEYS[0]}).json()["image"]
    path, _, query = image.partition("?")
    rewritten = path.replace("AB", "%41B").replace("%2F", "/") + "?" + "&".join(reversed(query.split("&")))
    assert guarded.get(rewritten).status_code == 200


def test_links_of_one_key_hold_in_another_process(guarded: httpx.Client, unkeyed: httpx.Client, serve: Serve) -> None:
    image = guarded.get("/v1/items/p00", headers={"X-API-Key": KEYS[0]}).json()["image"]
    assert serve(Security((), LINK_KEY)).get(image).status_code == 200
    assert unkeyed.get(image).status_code == 403


def test_behind_a_prefix_links_have_it_and_hold(serve: Serve) -> None:
    client = serve(Security(KEYS, LINK_KEY), root_path="/shop")
    image = client.get("/v1/items/p00", headers={"X-API-Key": KEYS[0]}).json()["image"]
    assert image.startswith("/shop/v1/items/p00/image?")
    # The proxy strips the prefix again.
    assert client.get(image.removeprefix("/shop")).status_code == 200


def test_pictures_behind_a_key_are_private_and_behind_a_link_public(guarded: httpx.Client) -> None:
    with_key = guarded.get("/v1/items/p00/image?style=plain", headers={"X-API-Key": KEYS[0]})
    assert with_key.headers["Cache-Control"] == "private, max-age=86400"
    link = guarded.get("/v1/items/p00", headers={"X-API-Key": KEYS[0]}).json()["image"]
    assert guarded.get(link).headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_keys_are_not_kept_in_clear() -> None:
    security = Security(KEYS, LINK_KEY)
    assert not any(key in repr(vars(security)) for key in KEYS)


def test_keys_come_from_the_environment() -> None:
    security = Security.from_environment({"RECSYS_API_KEYS": f" {KEYS[0]} ,{KEYS[1]},"})
    callers = [security.keys.caller(key) for key in (KEYS[0].encode(), KEYS[1].encode(), None, b"", b"none of them ")]
    assert [caller is not None for caller in callers] == [True, True, False, False, False]
    assert Security.from_environment({}).is_open


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"RECSYS_API_KEYS": ""}, "unset it to leave the service open"),
        ({"RECSYS_API_KEYS": " , "}, "unset it"),
        ({"RECSYS_API_KEYS": "short"}, "RECSYS_API_KEYS: a key needs at least 16 characters"),
        ({"RECSYS_LINK_KEY": "short"}, "RECSYS_LINK_KEY: a key needs at least 16 characters"),
    ],
)
def test_weak_or_blank_keys_are_refused_without_being_repeated(environment: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        Security.from_environment(environment)
    assert "short" not in str(caught.value)


def test_the_load_link_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    key = load_link_key(tmp_path)
    assert len(key) >= 32
    assert load_link_key(tmp_path) == key
    assert (tmp_path / "link.key").stat().st_mode & 0o077 == 0
