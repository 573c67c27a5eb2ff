"""Which pictures were made for whom: of lists and on request, until a person is erased."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from recsys.cli.main import app
from recsys.ranking.recommender import Recommender
from style.provenance.mark import read_mark

OpenShop = Callable[..., Any]
JPEG = {"Content-Type": "image/jpeg"}


def entries(shop: Any, *options: str) -> list[dict[str, Any]]:
    shop.live.exposures.flush()
    ran = CliRunner().invoke(app, ["audit", str(shop.project.root), "--json", *options])
    assert ran.exit_code == 0, ran.output
    return [json.loads(line) for line in ran.output.splitlines()]


def waited(shop: Any, count: int, *options: str) -> list[dict[str, Any]]:
    until = time.monotonic() + 10
    while len(found := entries(shop, *options)) < count and time.monotonic() < until:
        time.sleep(0.02)
    return found


@pytest.fixture
def shop(open_shop: OpenShop) -> Any:
    return open_shop()


def test_pictures_of_lists_are_there_with_style_and_license(shop: Any) -> None:
    shop.client.get("/v1/users/u00/recommendations", params={"limit": 3})
    answer = shop.client.get("/v1/users/u01/recommendations", params={"limit": 2, "scene": "everyday"})
    assert [len(entries(shop, "--user", user)) for user in ("u00", "u01", "u02")] == [3, 2, 0]
    (entry, _) = entries(shop, "--style", "floral")
    assert (entry["kind"], entry["user_id"], entry["license"]) == ("shown", "u01", "CC0-1.0")
    assert entry["request_id"] == answer.headers["X-Request-ID"]
    assert {one["toward"] for one in entries(shop, "--user", "u00")} == {""}


def test_what_was_asked_for_is_logged_as_it_was_done_and_erased(shop: Any, recommender: Recommender) -> None:
    photo = (recommender.bundle.image_root / "3.jpg").read_bytes()
    own = shop.client.post("/v1/restyle", params={"style": "floral"}, content=photo, headers=JPEG)
    item = shop.client.get("/v1/items/p05/image", params={"user": "u04", "strength": 0.4})
    shop.client.get("/v1/items/p05/image")
    newest, oldest = sorted(waited(shop, 2), key=lambda entry: entry["item_id"], reverse=True)
    mark = read_mark(item.content)
    assert mark is not None
    assert (newest["user_id"], newest["item_id"], newest["toward"]) == ("u04", "p05", "")
    assert newest["engine"] == mark.version
    assert newest["strength"] == pytest.approx(mark.strength.largest, abs=1e-3)
    assert newest["sha256"] == item.headers["ETag"].strip('"')
    assert (oldest["item_id"], oldest["toward"], oldest["license"]) == ("", "floral", "CC0-1.0")
    assert oldest["request_id"] == own.headers["X-Request-ID"]

    erased = shop.client.request("DELETE", "/v1/users/u04").json()
    assert erased["rows"]["renders"] == 1
    assert [entry["user_id"] for entry in entries(shop)] == [""]


def test_the_table_is_for_people(shop: Any) -> None:
    empty = CliRunner().invoke(app, ["audit", str(shop.project.root)])
    assert "No restyled image" in empty.output
    shop.client.get("/v1/users/u00/recommendations", params={"limit": 1})
    shop.live.exposures.flush()
    ran = CliRunner().invoke(app, ["audit", str(shop.project.root)], env={"COLUMNS": "160"})
    assert "their taste" in ran.output
