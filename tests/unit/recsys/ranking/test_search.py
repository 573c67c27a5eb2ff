"""Search by a style and by words, likeness by both, and tastes that are chosen, shown or reset; on the sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recsys.bundle.types import Bundle
from recsys.errors import RequestError, UnknownIdError
from recsys.models.base import keep_entries
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.text_style import TextStyleMap
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Answer, Filters, Request
from recsys.ranking.similar import SimilarBy
from recsys.schema import Basis, ItemId, UserId

USER = UserId("u005")


def ids(answer: Answer) -> list[ItemId]:
    return [found.item_id for found in answer.recommendations]


def titles(recommender: Recommender, answer: Answer) -> list[str]:
    return [recommender.catalog.card(found.item_id).title for found in answer.recommendations]


def without_picture(bundle: Bundle, row: int) -> Recommender:
    vectors = bundle.space.vectors.copy()
    vectors[row] = 0.0
    return Recommender(replace(bundle, space=StyleSpace.from_vectors(vectors, bundle.catalog.category_codes)))


def without_events(bundle: Bundle, row: int) -> Recommender:
    learned = bundle.neighbors.history
    others = keep_entries(learned, learned.indices != row)
    return Recommender(replace(bundle, neighbors=bundle.neighbors.with_users(others, np.arange(learned.shape[0]))))


class TestWords:
    @pytest.mark.parametrize(
        ("text", "title"),
        [("marble", "marble"), ("Tartan!", "tartan"), ("terazzo", "terrazzo"), ("delft tile", "delft tile")],
    )
    def test_what_has_the_look_comes_first(self, recommender: Recommender, text: str, title: str) -> None:
        found = titles(
            recommender, recommender.similar.to_style(recommender.similar.style_of_text(text).style, limit=10)
        )
        assert sum(title in name.casefold() for name in found) >= 9

    def test_the_look_is_found_on_other_kinds_of_things(self, recommender: Recommender) -> None:
        answer = recommender.similar.to_style(recommender.similar.style_of_text("marble vase").style)
        assert len({recommender.catalog.card(item).category for item in ids(answer)}) >= 4

    def test_references_near_to_the_words_are_named(self, recommender: Recommender) -> None:
        for text, title in (("tartan", "Highland tartan"), ("cobalt tile", "Cobalt tiles")):
            assert recommender.similar.style_of_text(text).styles[0].title == title
        holiday = recommender.similar.style_of_text("holiday").styles
        scenes = {card.style_id: card.scenes for card in recommender.styles.cards}
        assert all("holiday" in scenes[near.style_id] for near in holiday)

    def test_nothing_is_moved_by_words_for_kinds_of_things(self, recommender: Recommender) -> None:
        marble, mug = (
            recommender.similar.style_of_text("marble"),
            recommender.similar.style_of_text("marble mug for xyzzy"),
        )
        assert np.array_equal(marble.style.values, mug.style.values)
        assert {share.word: share.share for share in mug.words} == pytest.approx({"marble": 1.0, "mug": 0.0})
        assert mug.unknown == ("for", "xyzzy")

    def test_more_like_words_is_between_a_taste_and_the_words(self, recommender: Recommender) -> None:
        base, words = recommender.styles.reference("delft"), recommender.similar.style_of_text("tartan").style
        between = recommender.similar.style_of_text("tartan", base)
        for end in (base, words):
            assert between.style.similarity(end) > base.similarity(words) + 0.1
        assert {near.style_id for near in between.styles[:2]} == {"delft", "tartan-red"}

    def test_the_bundle_keeps_the_map(self, recommender: Recommender) -> None:
        text_style = recommender.bundle.text_style
        assert len(text_style.terms) == len(text_style.weights) > 100
        assert text_style.weights.dtype == np.float32

    def test_a_bundle_without_words_says_what_to_do(self, recommender: Recommender) -> None:
        silent = Recommender(replace(recommender.bundle, text_style=TextStyleMap.none(128)))
        with pytest.raises(RequestError, match=r"Search by an image; or .*recsys build"):
            silent.similar.style_of_text("marble")


class TestSearchByStyle:
    def test_scores_are_cosines_in_order_with_a_plain_reason(self, recommender: Recommender) -> None:
        style = recommender.styles.reference("tartan-red")
        answer = recommender.similar.to_style(style, limit=200)
        direction = recommender.bundle.space.to_direction(style.values)
        rows = recommender.bundle.catalog.ids.rows(ids(answer))
        scores = [found.score for found in answer.recommendations]
        np.testing.assert_allclose(scores, recommender.bundle.space.directions[rows] @ direction, atol=1e-5)
        assert scores == sorted(scores, reverse=True)
        assert len(answer.recommendations) == 200
        told = {found.reason for found in answer.recommendations}
        assert {"Very close to this look", "The nearest that is left"} <= told
        assert all(found.contributions == {"style": found.score} for found in answer.recommendations)

    def test_filters_people_and_the_item_itself(self, recommender: Recommender) -> None:
        item = ItemId("p0001")
        style = recommender.catalog.style(item)
        assert item in ids(recommender.similar.to_style(style))
        assert item not in ids(recommender.similar.to_style(style, exclude_item=item))
        category = recommender.catalog.card(item).category
        among = recommender.similar.to_style(style, filters=Filters(categories=frozenset({category})), user_id=USER)
        assert {recommender.catalog.card(found).category for found in ids(among)} == {category}
        bundle = recommender.bundle
        touched = set(bundle.catalog.ids.ids(bundle.interacted[bundle.user_ids.row(USER)].indices))
        assert not touched & set(ids(recommender.similar.to_style(style, limit=200, user_id=USER)))
        assert among.basis is Basis.HISTORY

    def test_what_has_no_picture_has_no_look(self, recommender: Recommender) -> None:
        blind = without_picture(recommender.bundle, 0)
        style = recommender.styles.reference("tartan-red")
        few = Filters(exclude=frozenset(recommender.bundle.catalog.ids.values[3:]), unavailable=True)
        assert set(ids(recommender.similar.to_style(style, filters=few))) == set(
            recommender.bundle.catalog.ids.values[:3]
        )
        assert set(ids(blind.similar.to_style(style, filters=few))) == set(recommender.bundle.catalog.ids.values[1:3])

    @pytest.mark.parametrize("limit", [0, -1, 201])
    def test_wrong_limits(self, recommender: Recommender, limit: int) -> None:
        with pytest.raises(RequestError, match=r"limit: must lie in 1 \.\. 200"):
            recommender.similar.to_style(recommender.styles.reference("linen"), limit=limit)

    def test_unknown_items(self, recommender: Recommender) -> None:
        with pytest.raises(UnknownIdError):
            recommender.similar.to_style(recommender.styles.reference("linen"), exclude_item=ItemId("gone"))


class TestSimilarByBoth:
    ITEM = ItemId("p0001")

    def _mean_rank(self, recommender: Recommender, found: list[ItemId], by: SimilarBy) -> float:
        order = {item: rank for rank, item in enumerate(ids(recommender.similar.to_item(self.ITEM, by=by, limit=400)))}
        return float(np.mean([order.get(item, len(order)) for item in found]))

    def test_the_list_is_near_by_look_and_by_people(self, recommender: Recommender) -> None:
        asked = (SimilarBy.STYLE, SimilarBy.TASTE, SimilarBy.BOTH)
        style, taste, both = (ids(recommender.similar.to_item(self.ITEM, by=by)) for by in asked)
        for by, other in ((SimilarBy.STYLE, taste), (SimilarBy.TASTE, style)):
            assert self._mean_rank(recommender, both, by) < self._mean_rank(recommender, other, by)
        assert self.ITEM not in both

    def test_contributions_are_shown_and_sum_up(self, recommender: Recommender) -> None:
        answer = recommender.similar.to_item(self.ITEM, by=SimilarBy.BOTH, limit=30)
        scores = [found.score for found in answer.recommendations]
        assert scores == sorted(scores, reverse=True)
        for found in answer.recommendations:
            assert set(found.contributions) == {"style", "taste"}
            assert sum(found.contributions.values()) == pytest.approx(found.score)
            if found.reason.endswith("is liked by the same people"):
                assert min(found.contributions.values()) >= 0.5
            else:
                assert found.reason.startswith(("Looks like", "Liked by the same people as"))

    def test_an_item_without_a_picture_is_compared_by_people(self, recommender: Recommender) -> None:
        blind = without_picture(recommender.bundle, 0)
        both, taste = (blind.similar.to_item(self.ITEM, by=by, limit=20) for by in (SimilarBy.BOTH, SimilarBy.TASTE))
        assert all(found.contributions["style"] == 0 for found in both.recommendations)
        assert ids(both) == ids(taste)

    def test_an_item_that_nobody_has_touched_is_compared_by_look(self, recommender: Recommender) -> None:
        new = without_events(recommender.bundle, 0)
        both, style = (new.similar.to_item(self.ITEM, by=by, limit=20) for by in (SimilarBy.BOTH, SimilarBy.STYLE))
        assert all(found.contributions["taste"] == 0 for found in both.recommendations)
        assert ids(both) == ids(style)

    def test_candidates_may_lack_either(self, recommender: Recommender) -> None:
        nearest = ids(recommender.similar.to_item(self.ITEM, by=SimilarBy.BOTH))[0]
        row = recommender.bundle.catalog.ids.row(nearest)
        for shop, lacks in (
            (without_picture(recommender.bundle, row), "style"),
            (without_events(recommender.bundle, row), "taste"),
        ):
            answer = shop.similar.to_item(self.ITEM, by=SimilarBy.BOTH, limit=200)
            found = next(found for found in answer.recommendations if found.item_id == nearest)
            assert found.contributions[lacks] == 0
            assert found.score > 0

    def test_with_neither_it_is_refused(self, recommender: Recommender) -> None:
        nothing = without_events(without_picture(recommender.bundle, 0).bundle, 0)
        with pytest.raises(RequestError, match="no photo and no interactions"):
            nothing.similar.to_item(self.ITEM, by=SimilarBy.BOTH)


class TestTaste:
    def test_a_liked_picture_is_the_taste_like_a_chosen_style(self, recommender: Recommender) -> None:
        style = recommender.styles.reference("tartan-red")
        shown, chosen = Request(USER, liked_styles=(style,)), Request(USER, styles=("tartan-red",))
        assert recommender.recommend(shown) == recommender.recommend(chosen)
        assert recommender.recommend(Request(liked_styles=(style,))).basis is Basis.STYLES
        two = recommender.profile(Request(styles=("linen",), liked_styles=(style,))).taste
        assert two.shares.tolist() == [0.5, 0.5]
        top = recommender.recommend(Request(liked_styles=(style,), diversity=0.0, calibration=0.0))
        assert sum("artan" in title for title in titles(recommender, top)) >= 5

    def test_a_reset_taste_forgets_the_history_and_no_more(self, recommender: Recommender) -> None:
        usual, reset = (recommender.profile(Request(USER, ignore_style_history=fresh)) for fresh in (False, True))
        assert usual.taste
        assert not reset.taste
        assert not len(reset.taste_items)
        assert recommender.taste(Request(USER, ignore_style_history=True)).components == ()
        for part in ("liked", "weights", "interacted", "factors", "neighbors"):
            assert np.array_equal(getattr(usual, part), getattr(reset, part))
        answer = recommender.recommend(Request(USER, ignore_style_history=True))
        assert answer.basis is Basis.HISTORY
        assert not any("taste" in found.reason for found in answer.recommendations)
        assert {found.component for found in answer.recommendations} == {None}

    def test_after_a_reset_the_session_is_the_taste(self, recommender: Recommender) -> None:
        session = {ItemId("p0001"): 3.0, ItemId("p0010"): -2.0}
        reset = recommender.profile(Request(USER, items=session, ignore_style_history=True))
        stranger = recommender.profile(Request(items=session))
        assert np.array_equal(reset.taste.directions, stranger.taste.directions)
        assert np.array_equal(reset.taste_items, stranger.liked)
        assert len(reset.liked) > len(stranger.liked)
        answer = recommender.recommend(Request(USER, items=session, ignore_style_history=True))
        named = {found.because for found in answer.recommendations if found.reason.startswith("Matches your taste")}
        assert named <= {ItemId("p0001")}

    def test_after_a_reset_chosen_styles_are_the_taste(self, recommender: Recommender) -> None:
        reset = recommender.profile(Request(USER, styles=("linen",), ignore_style_history=True))
        assert np.array_equal(reset.taste.directions, recommender.profile(Request(styles=("linen",))).taste.directions)

    def test_an_answer_brings_the_taste_so_that_pictures_need_no_second_profile(
        self, recommender: Recommender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        request = Request(USER)
        taste = recommender.recommend(request).taste
        assert taste is not None
        expected = [recommender.style_for(request, mode) for mode in range(len(taste.shares))]
        scene = recommender.styles.card_for_scene("holiday", recommender.profile(request).taste, 0)
        monkeypatch.delattr(type(recommender._profiler), "profile")
        for mode, style in enumerate(expected):
            found = recommender.styles.style_of_taste(taste, mode)
            assert found is not None
            assert style is not None
            assert np.array_equal(found.values, style.values)
        assert recommender.styles.card_for_scene("holiday", taste, 0) == scene
        with pytest.raises(RequestError, match="taste_component"):
            recommender.styles.style_of_taste(taste, len(expected))
