"""Pictures go toward no style whose license forbids it, by whatever way they are asked for."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest

from recsys.config import RightsSettings, UnknownLicense
from recsys.ranking.recommender import Recommender
from style.provenance.mark import read_mark
from tests.api.conftest import Serve

JPEG = {"Content-Type": "image/jpeg"}


def with_license(recommender: Recommender, license: str, uses: str = "", **rights: object) -> Recommender:
    """The drawn shop, where the style floral has this license."""
    bundle = recommender.bundle
    styles = tuple(
        replace(card, license=license, uses=uses) if card.style_id == "floral" else card for card in bundle.styles
    )
    settings = bundle.settings.model_copy(update={"rights": RightsSettings.model_validate(rights)})
    return Recommender(replace(bundle, styles=styles, settings=settings))


@pytest.fixture(scope="module")
def forbidding(serve: Serve, recommender: Recommender) -> httpx.Client:
    return serve(served=with_license(recommender, "CC-BY-NC-4.0"))


def refused(answer: httpx.Response) -> bool:
    if answer.status_code != 403:
        return False
    problem = answer.json()
    assert problem["type"].endswith("/license-forbids")
    assert "'CC-BY-NC-4.0' does not allow commercial use" in problem["detail"]
    return True


def test_every_way_to_ask_for_it_is_refused(forbidding: httpx.Client, recommender: Recommender) -> None:
    photo = (recommender.bundle.image_root / "3.jpg").read_bytes()
    assert refused(forbidding.post("/v1/restyle", params={"style": "floral"}, content=photo, headers=JPEG))
    assert refused(forbidding.get("/v1/items/p01/image", params={"style": "floral"}))
    assert refused(forbidding.put("/v1/users/u00/taste", json={"styles": ["floral"]}))
    assert refused(forbidding.post("/v1/recommendations", json={"styles": ["floral"]}))
    # Its own scene is gone with it.
    assert forbidding.post("/v1/recommendations", json={"items": [], "scene": "floral day"}).status_code == 422


def test_a_scene_falls_to_the_styles_that_may_be_used(forbidding: httpx.Client) -> None:
    # Whose taste is floral would get floral.
    shown = forbidding.get("/v1/users/u01/recommendations", params={"scene": "everyday"}).json()["items"]
    pictures = [
        forbidding.get(urlsplit(item["restyled"]["url"])._replace(scheme="", netloc="").geturl()) for item in shown[:2]
    ]
    credited = [mark.credit for picture in pictures if (mark := read_mark(picture.content)) is not None]
    assert credited
    assert {credit.style_id for credit in credited if credit is not None} == {"plain"}


def test_the_list_of_styles_says_so(forbidding: httpx.Client) -> None:
    assert [style["restyle"] for style in forbidding.get("/v1/styles").json()["styles"]] == [True, False]


def test_what_is_allowed_depends_on_trade_uses_and_how_careful_one_is(recommender: Recommender) -> None:
    assert not with_license(recommender, "CC-BY-NC-4.0").styles.may_restyle("floral")
    assert with_license(recommender, "CC-BY-NC-4.0", trade=False).styles.may_restyle("floral")
    assert with_license(recommender, "CC-BY-NC-4.0", "show|adapt|trade").styles.may_restyle("floral")
    assert not with_license(recommender, "CC-BY-ND-4.0", trade=False).styles.may_restyle("floral")
    assert with_license(recommender, "A contract").styles.may_restyle("floral")
    assert not with_license(recommender, "A contract", unknown=UnknownLicense.REFUSE).styles.may_restyle("floral")


def test_a_taste_chosen_before_is_left_aside(serve: Serve, recommender: Recommender, open_live: object) -> None:
    live = open_live()  # type: ignore[operator]
    chosen = serve(live=live).put("/v1/users/u00/taste", json={"styles": ["floral"]})
    assert chosen.json()["components"][0]["styles"][0]["style_id"] == "floral"
    later = serve(served=with_license(recommender, "CC-BY-ND-4.0"), live=live)
    assert later.get("/v1/users/u00/recommendations").status_code == 200
    assert later.get("/v1/users/u00/taste").json()["components"][0]["styles"][0]["style_id"] == "plain"
