"""Lists of the sample: what calibration, exploration and what was shown change in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from recsys.dataset.categories import category_groups
from recsys.errors import RequestError
from recsys.evaluation.beyond_accuracy import calibration_error, style_diversity
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Answer, Filters, Recommendation, Request
from recsys.schema import IntArray, ItemId, Reranker, UserId

USERS = tuple(UserId(f"u{number:03d}") for number in range(1, 81))
USER = USERS[4]


def _with(recommender: Recommender, **rank: object) -> Recommender:
    """The same bundle with other settings of ranking."""
    settings = recommender.bundle.settings
    changed = settings.model_copy(update={"rank": settings.rank.model_copy(update=rank)})
    return Recommender(replace(recommender.bundle, settings=changed))


def _ids(answer: Answer) -> list[ItemId]:
    return [found.item_id for found in answer.recommendations]


def _lists(recommender: Recommender, **options: float) -> IntArray:
    answers = [recommender.recommend(Request(user, limit=10, **options)) for user in USERS]  # type: ignore[arg-type]
    return np.stack([recommender.bundle.catalog.ids.rows(_ids(answer)) for answer in answers])


class TestReranking:
    @pytest.mark.parametrize("reranker", [Reranker.MMR, Reranker.DPP])
    def test_diversity_varies_looks(self, recommender: Recommender, reranker: Reranker) -> None:
        varied, vectors = _with(recommender, reranker=reranker), recommender.bundle.space.directions
        least, more = (style_diversity(_lists(varied, diversity=d), vectors).mean() for d in (0.0, 0.4))
        assert more > least + 0.05

    def test_the_settings_are_the_defaults_of_requests(self, recommender: Recommender) -> None:
        shop = _with(recommender, reranker=Reranker.DPP, diversity=0.4, calibration=0.3, exploration=0.5)
        asked = Request(USER, diversity=0.4, calibration=0.3, exploration=0.5)
        assert shop.recommend(Request(USER)) == shop.recommend(asked)
        assert shop.recommend(Request(USER)) != shop.recommend(replace(asked, exploration=0.0))
        assert _ids(_with(recommender, reranker=Reranker.NONE).recommend(asked)) != _ids(shop.recommend(asked))


class TestCalibration:
    def test_the_mix_of_categories_comes_nearer_to_the_history(self, recommender: Recommender) -> None:
        bundle = recommender.bundle
        names = np.array(bundle.catalog.category_names, dtype=object)
        groups = category_groups(names[bundle.catalog.category_codes].tolist())
        history = bundle.recent[bundle.user_ids.rows(USERS)]
        errors = [
            float(np.nanmean(calibration_error(_lists(recommender, calibration=weight), history, groups)))
            for weight in (0.0, 0.2, 0.6)
        ]
        assert errors[0] > 1.1 * errors[1] > 1.25 * errors[2]

    def test_the_mix_of_modes_comes_nearer_to_the_taste(self, recommender: Recommender) -> None:
        assert self._mode_error(recommender, 0.6) < 0.7 * self._mode_error(recommender, 0.0)

    @staticmethod
    def _mode_error(recommender: Recommender, calibration: float) -> float:
        """The mean over people with several modes; a list of one person's groups at a time."""
        errors = []
        for user in USERS:
            taste = recommender.profile(Request(user)).taste
            if len(taste.shares) < 2:
                continue
            answer = recommender.recommend(Request(user, calibration=calibration))
            given = (
                np.bincount([found.component or 0 for found in answer.recommendations], minlength=len(taste.shares))
                / 10
            )
            mixed = 0.99 * given + 0.01 * taste.shares
            errors.append(float((taste.shares * np.log(taste.shares / mixed)).sum()))
        assert len(errors) > 20
        return float(np.mean(errors))

    def test_of_whom_nothing_is_known_gets_the_same_list(self, recommender: Recommender) -> None:
        assert recommender.recommend(Request(calibration=0.9)) == recommender.recommend(Request(calibration=0.0))


class TestExploration:
    def test_nothing_is_random_by_default(self, recommender: Recommender) -> None:
        for found in recommender.recommend(Request(USER)).recommendations:
            assert (found.propensity, found.explored) == (1.0, False)

    def test_the_same_request_gives_the_same_list_and_a_refresh_another(self, recommender: Recommender) -> None:
        request = Request(USER, exploration=0.4, exploration_seed="s1-1")
        assert recommender.recommend(request) == recommender.recommend(request)
        others = [recommender.recommend(replace(request, exploration_seed=f"s1-{count}")) for count in range(8)]
        assert len({tuple(_ids(answer)) for answer in others}) > 4

    def test_people_do_not_share_their_draws(self, recommender: Recommender) -> None:
        asked = [Request(user, exploration=0.5) for user in (*USERS[:30], None)]
        explored = [tuple(found.explored for found in recommender.recommend(one).recommendations) for one in asked]
        assert len(set(explored)) > 15

    def test_frequencies_are_the_logged_propensities(self, recommender: Recommender) -> None:
        draws, share = 400, 0.3
        counts: Counter[tuple[int, ItemId]] = Counter()
        logged: dict[tuple[int, ItemId], Recommendation] = {}
        for draw in range(draws):
            answer = recommender.recommend(Request(USER, exploration=share, exploration_seed=str(draw)))
            assert len(set(_ids(answer))) == 10
            for place, found in enumerate(answer.recommendations):
                counts[place, found.item_id] += 1
                assert logged.setdefault((place, found.item_id), found) == found
        pool = {item for (_, item), found in logged.items() if found.explored}
        usual = {item for (_, item), found in logged.items() if not found.explored}
        assert not pool & usual
        assert usual <= set(_ids(recommender.recommend(Request(USER))))
        for key, found in logged.items():
            spread = (found.propensity * (1 - found.propensity) / draws) ** 0.5
            assert abs(counts[key] / draws - found.propensity) < 5 * spread + 1 / draws
        explored = sum(count for key, count in counts.items() if logged[key].explored)
        assert explored / (10 * draws) == pytest.approx(share, abs=0.03)

    def test_what_nobody_knows_is_shown_at_last(self, recommender: Recommender) -> None:
        touched = np.bincount(recommender.bundle.interacted.indices, minlength=len(recommender.bundle.catalog))
        rare = touched <= np.quantile(touched, 0.2)
        shares = []
        for exploration in (0.0, 0.3):
            shown = np.bincount(_lists(recommender, exploration=exploration).ravel(), minlength=len(touched))
            shares.append(shown[rare].sum() / shown.sum())
        assert shares[1] > shares[0] + 0.15

    def test_filters_hold_for_what_is_explored(self, recommender: Recommender) -> None:
        category = recommender.bundle.catalog.category_names[0]
        request = Request(USER, filters=Filters(categories=frozenset({category})), exploration=1.0)
        answer = recommender.recommend(request)
        assert any(found.explored for found in answer.recommendations)
        assert {recommender.catalog.card(found.item_id).category for found in answer.recommendations} == {category}

    def test_no_reason_claims_what_is_not_so(self, recommender: Recommender) -> None:
        answer = recommender.recommend(Request(exploration=1.0))
        assert {found.reason for found in answer.recommendations} == {"New to most people here"}

    @pytest.mark.parametrize("name", ["exploration", "calibration", "diversity"])
    @pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
    def test_shares_lie_between_0_and_1(self, name: str, value: float) -> None:
        with pytest.raises(RequestError, match=name):
            Request(**{name: value})  # type: ignore[arg-type]


class TestShown:
    def test_refreshing_does_not_repeat(self, recommender: Recommender) -> None:
        shown: list[ItemId] = []
        for _ in range(5):
            found = _ids(recommender.recommend(Request(USER, shown=frozenset(shown))))
            assert len(found) == 10
            assert not set(found) & set(shown)
            shown += found

    def test_what_was_shown_comes_last_where_nothing_else_is_left(self, recommender: Recommender) -> None:
        everything = _ids(recommender.recommend(Request(USER, limit=200)))
        few = Filters(exclude=frozenset(recommender.bundle.catalog.ids.values) - frozenset(everything[:12]))
        shown = frozenset(everything[:5])
        answer = recommender.recommend(Request(USER, filters=few, shown=shown, exploration=0.5))
        assert len(_ids(answer)) == 10
        assert not set(_ids(answer)[:7]) & shown
        assert set(_ids(answer)[7:]) <= shown
        assert all(found.propensity == 1.0 for found in answer.recommendations[7:])

    def test_unknown_ids_are_ignored(self, recommender: Recommender) -> None:
        assert recommender.recommend(Request(USER, shown=frozenset({ItemId("gone")}))) == recommender.recommend(
            Request(USER)
        )
