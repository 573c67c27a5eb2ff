"""The page: what it shows is what the system answers, every text is escaped, and nothing is fetched."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recsys.config import RestyleSettings
from recsys.dataset.importers import import_data
from recsys.dataset.project import Project
from recsys.dataset.sample import load_user_truth
from recsys.errors import ProjectError
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Recommendation, Request
from recsys.reports.example_users import clear_tastes, liked_items
from recsys.reports.inline_images import InlineImages, load_renderer, typical_aspect_ratio
from recsys.reports.labels import EVENT_WORDS, FEATURE_WORDS
from recsys.reports.page import render, write_page
from recsys.reports.shop_view import STRENGTHS, Component, Part, Recommended, Shopper, Shown, Strip, score_parts
from recsys.restyling.renderer import Renderer
from recsys.restyling.target import StyleTarget
from recsys.schema import BASIS_TEXTS, FEATURES, Basis, EventKind, ItemId, UserId
from recsys.storage.cache import DiskCache
from recsys.training.build import build
from style.errors import WeightsError
from style.provenance.mark import read_mark
from style.transfer.color import ColorStylizer
from style.vector import StyleVector
from tests.render_requests import request_for

USER = UserId("u001")
STRANGER = UserId("<b>nobody</b>")
VOID = {"meta", "img", "link", "br"}


class _Reader(HTMLParser):
    """Collects tags, sources and text; fails on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.images: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        values = dict(attrs)
        if tag == "img":
            self.images.append((values["src"] or "", values["alt"] or ""))
        self.links += [values[name] or "" for name in ("href", "srcset", "action") if name in values]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def _bytes(source: str) -> bytes:
    return base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))


@pytest.fixture(scope="module")
def restyler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Renderer]:
    """Restyles with the engine that needs no network, at a small size."""
    cache = DiskCache(tmp_path_factory.mktemp("restyled"), 2**26)
    settings = RestyleSettings(engine="color", size=96)
    with Renderer(settings, cache, load_engine=lambda _: ColorStylizer.load()) as made:
        yield made


@pytest.fixture(scope="module")
def html(sample_project: Project, restyler: Renderer, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("page") / "new" / "index.html"
    write_page(sample_project, out, users=[USER, STRANGER], restyler=restyler, note="A <note>.")
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> _Reader:
    return _Reader(html)


class TestPage:
    def test_nothing_is_fetched_and_nothing_runs(self, page: _Reader, html: str) -> None:
        assert page.tags["script"] == page.tags["link"] == page.tags["iframe"] == 0
        assert all(source.startswith("data:image/jpeg;base64,") for source, _ in page.images)
        assert page.links == ["#shopper-1", "#shopper-2"]
        assert "url(" not in html
        assert "@import" not in html
        assert "default-src 'none'" in html
        assert len(html) < 8_000_000

    def test_recommendations_are_the_recommender_s_in_its_order(self, page: _Reader, recommender: Recommender) -> None:
        titles = [recommender.catalog.card(found.item_id).title for found in _six(recommender)]
        restyled = [alt.removesuffix(", restyled") for _, alt in page.images if alt.endswith(", restyled")]
        assert restyled == titles
        for found in _six(recommender):
            assert found.reason in page.text

    def test_the_taste_is_the_recommender_s(self, page: _Reader, recommender: Recommender) -> None:
        for mode in recommender.taste(Request(user_id=USER)).components:
            assert f"{100 * mode.share:.0f} %" in page.text
            assert mode.styles[0].title in page.text

    def test_restyled_pictures_are_marked_and_originals_are_not(self, page: _Reader) -> None:
        restyled = [source for source, alt in page.images if alt.endswith(", restyled")]
        assert len(restyled) == 6
        assert all(read_mark(_bytes(source)) is not None for source in restyled)
        thumbnails = [source for source, alt in page.images if alt.startswith("the style reference")]
        assert thumbnails
        assert all(read_mark(_bytes(source)) is None for source in thumbnails)
        assert page.text.count("restyled · synthetic") == 6

    def test_a_stranger_gets_popular_items_and_is_told_so(self, page: _Reader) -> None:
        assert BASIS_TEXTS[Basis.POPULAR] in page.text
        assert "Nothing is known yet." in page.text

    def test_the_strength_strip_begins_with_the_photo(
        self, sample_project: Project, restyler: Renderer, tmp_path: Path
    ) -> None:
        write_page(sample_project, tmp_path / "one.html", users=[USER], restyler=restyler)
        page = _Reader((tmp_path / "one.html").read_text(encoding="utf-8"))
        strip = [_bytes(source) for source, alt in page.images if alt.endswith("%")]
        marks = [read_mark(data) for data in strip]
        used = [0.0 if mark is None else mark.strength.largest for mark in marks]
        assert used[0] == 0.0 < used[1]
        assert used == sorted(used)
        assert all(strength <= asked for strength, asked in zip(used, STRENGTHS, strict=True))
        limited = sum(strength < asked for strength, asked in zip(used, STRENGTHS, strict=True))
        assert page.text.count("limited to") == limited

    def test_footer_names_model_and_metric(self, page: _Reader, recommender: Recommender) -> None:
        assert recommender.version in page.text
        for name, value in recommender.bundle.metrics.items():
            assert f"{name} {value:.3f}" in page.text

    def test_texts_are_escaped(self, html: str, recommender: Recommender, restyler: Renderer) -> None:
        assert "A &lt;note&gt;." in html
        evil = '"><script>alert(1)</script>'
        shown = Shown("", evil, evil, "")
        shopper = Shopper(
            user_id=evil,
            basis=evil,
            events=1,
            history=[shown],
            components=[Component(1.0, [shown], [shown])],
            recommendations=[Recommended(shown, "", evil, [Part("style", evil, 1.0)])],
        )
        named = Recommender(
            replace(recommender.bundle, settings=recommender.bundle.settings.model_copy(update={"name": evil}))
        )
        written = render(named, restyler, [shopper], [Strip(evil, evil, [shown])], evil)
        assert _Reader(written).tags["script"] == 0
        assert "alert(1)" in _Reader(written).text

    def test_a_page_that_cannot_be_written(self, sample_project: Project, restyler: Renderer, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ProjectError, match="cannot be written"):
            write_page(sample_project, tmp_path / "file" / "x.html", users=[STRANGER], restyler=restyler)

    def test_an_engine_without_weights_stops_the_page(
        self, sample_project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def missing() -> ColorStylizer:
            raise WeightsError("weights are missing")

        monkeypatch.setattr("style.transfer.registry.ENGINES", {"color": missing})
        settings = sample_project.settings.model_copy(update={"restyle": RestyleSettings(engine="color")})
        plain = replace(sample_project, settings=settings)
        with pytest.raises(WeightsError, match="missing"):
            write_page(plain, tmp_path / "x.html")
        assert not (tmp_path / "x.html").exists()


def _six(recommender: Recommender) -> tuple[Recommendation, ...]:
    return recommender.recommend(Request(user_id=USER, limit=6)).recommendations


class TestInlineImages:
    def test_a_damaged_or_absent_photo_costs_only_itself(self, restyler: Renderer, tmp_path: Path) -> None:
        (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")
        images, target = InlineImages(restyler), StyleTarget(StyleVector.from_values(np.ones(128)))
        for image in (tmp_path / "torn.jpg", tmp_path / "none.jpg", None):
            assert images.original(image) == ""
            assert images.restyle(image, target) == ""

    def test_a_failing_engine_is_an_error_not_a_plain_photo(self, tmp_path: Path) -> None:
        class Broken(ColorStylizer):
            def __init__(self) -> None:
                self.version = "broken"

        Image.new("RGB", (40, 60), "white").save(tmp_path / "photo.png")
        cache = DiskCache(tmp_path / "cache", 2**20)
        with (
            Renderer(RestyleSettings(), cache, load_engine=lambda _: Broken()) as restyler,
            pytest.raises(ProjectError, match="could not be restyled"),
        ):
            restyler.render_or_raise(
                request_for(restyler, tmp_path / "photo.png", StyleVector.from_values(np.ones(128)))
            )

    def test_an_engine_given_replaces_the_setting(self, sample_project: Project) -> None:
        with load_renderer(sample_project, "color") as restyler:
            assert restyler.settings.engine == "color"

    @pytest.mark.parametrize(("size", "ratio"), [((100, 150), 2 / 3), ((100, 400), 0.6), ((400, 100), 1.5)])
    def test_frames_take_the_usual_shape_of_photos(self, size: tuple[int, int], ratio: float, tmp_path: Path) -> None:
        Image.new("RGB", size).save(tmp_path / "a.png")
        (tmp_path / "torn.png").write_bytes(b"no picture")
        assert typical_aspect_ratio([tmp_path / "a.png", tmp_path / "torn.png"]) == pytest.approx(ratio, abs=0.01)

    def test_frames_are_square_without_photos(self) -> None:
        assert typical_aspect_ratio([]) == 1.0


class TestShoppers:
    def test_people_shown_have_different_hidden_tastes(self, recommender: Recommender) -> None:
        users = clear_tastes(recommender, 5)
        truth = load_user_truth().set_index("user_id")["style"]
        assert len(users) == 5
        assert len({truth[user] for user in users}) == 5

    def test_their_tastes_are_far_apart(self, recommender: Recommender) -> None:
        styles = [recommender.style_for(Request(user_id=user)) for user in clear_tastes(recommender, 5)]
        similarities = [a.similarity(b) for a, b in combinations(styles, 2) if a is not None and b is not None]
        assert len(similarities) == 10
        everybody = [recommender.style_for(Request(user_id=user)) for user in recommender.bundle.user_ids.values[:20]]
        usual = [a.similarity(b) for a, b in combinations(everybody, 2) if a is not None and b is not None]
        assert np.mean(similarities) < np.mean(usual)

    def test_the_choice_is_the_same_again(self, recommender: Recommender) -> None:
        assert clear_tastes(recommender, 3) == clear_tastes(recommender, 5)[:3]

    def test_history_puts_acts_before_looks_and_late_before_early(self) -> None:
        rows = [
            ("a", "seen late", "view", 1.0, 90), ("a", "bought early", "view", 1.0, 10),
            ("a", "bought early", "purchase", 10.0, 11), ("a", "clicked", "click", 2.0, 50),
            ("a", "disliked", "dislike", -5.0, 95), ("b", "of another", "purchase", 10.0, 99),
        ]  # fmt: skip
        frame = pd.DataFrame(rows, columns=["user_id", "item_id", "event", "weight", "timestamp"])
        expected = [("clicked", EventKind.CLICK), ("bought early", EventKind.PURCHASE), ("seen late", EventKind.VIEW)]
        assert liked_items(frame, UserId("a"), 8) == [(ItemId(item), kind) for item, kind in expected]
        assert len(liked_items(frame, UserId("a"), 2)) == 2
        assert liked_items(frame, UserId("nobody"), 2) == []


class TestWords:
    def test_parts_are_shares_of_what_lifts_the_score(self) -> None:
        parts = score_parts({"factors": 1.0, "style": 3.0, "popularity": -2.0, "price": 0.001})
        assert [part.feature for part in parts] == ["style", "factors"]
        assert sum(part.share for part in parts) == pytest.approx(1.0, abs=0.01)
        assert score_parts({"factors": -1.0, "style": 0.0}) == []

    def test_every_code_has_words(self) -> None:
        assert tuple(FEATURE_WORDS) == FEATURES
        assert set(BASIS_TEXTS) == set(Basis)
        assert set(EVENT_WORDS) == set(EventKind)


def test_a_shop_without_photos_has_a_page_without_them(tmp_path: Path, restyler: Renderer) -> None:
    rows = [f"i{index},Thing {index},{index + 1}.5\n" for index in range(12)]
    (tmp_path / "i.csv").write_text("item_id,title,price\n" + "".join(rows))
    events = [f"u{user},i{(user + step) % 12},like,{1700000000 + step}\n" for user in range(8) for step in range(5)]
    (tmp_path / "e.csv").write_text("user_id,item_id,event,timestamp\n" + "".join(events))
    project = Project.init(tmp_path / "shop", "bare")
    import_data(project, items=tmp_path / "i.csv", interactions=tmp_path / "e.csv")
    build(project)
    write_page(project, tmp_path / "page.html", restyler=restyler)
    html = (tmp_path / "page.html").read_text()
    assert "Thing 3" in html
    assert "data:image" not in html
