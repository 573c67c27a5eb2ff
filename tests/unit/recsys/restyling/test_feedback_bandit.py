"""The bandit of restyled pictures: known answers by hand, and what holds whatever people say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.config import FeedbackSettings
from recsys.errors import RequestError
from recsys.restyling.feedback_bandit import NO_RATINGS, TASTE, Policy, RestyleBandit, count_ratings
from recsys.restyling.feedback_text import explain
from recsys.restyling.satisfaction_model import ORIGINAL, Action, Ratings, estimate_satisfaction

BANDIT = RestyleBandit(FeedbackSettings(), 0.6)
ACTIONS = BANDIT.actions(["marble", "ukiyo-e"])
DEFAULT, MILD, STRONG, PHOTO = Action(TASTE, 0.6), Action(TASTE, 0.3), Action(TASTE, 0.9), Action(ORIGINAL, 0.0)
MARBLE = Action("style:marble", 0.6)


@dataclass(frozen=True)
class Said:
    action: str
    strength: float
    satisfied: bool


def said(action: Action, *answers: bool) -> list[Said]:
    return [Said(action.target, action.strength, answer) for answer in answers]


def after(*own: Said) -> Policy:
    return BANDIT.policy(ACTIONS, own)


VERDICTS = st.lists(st.builds(lambda action, answer: said(action, answer)[0], st.sampled_from(ACTIONS), st.booleans()))
EVERYBODY = st.dictionaries(
    st.sampled_from([(action.target, action.strength) for action in ACTIONS] + [("style:other", 0.45)]),
    st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda two: (min(two), max(two))),
).map(Ratings.from_counts)


def test_arms_are_the_default_first_then_looks_by_strengths_and_the_photo() -> None:
    assert ACTIONS[0] == DEFAULT
    assert ACTIONS[-1] == PHOTO
    assert len(ACTIONS) == len(set(ACTIONS)) == 3 * 3 + 1
    assert len(BANDIT.actions(list("abcde"))) == 4 * 3 + 1
    own_strength = RestyleBandit(FeedbackSettings(strengths=(0.0, 0.5)), 0.45).actions()
    assert own_strength == (Action(TASTE, 0.45), Action(TASTE, 0.5), PHOTO)
    assert RestyleBandit(FeedbackSettings(), 0.0).actions()[0] == PHOTO


@pytest.mark.parametrize(("look", "strength"), [(TASTE, 1.1), (TASTE, float("nan")), (TASTE, 0.0), (ORIGINAL, 0.5)])
def test_arms_that_cannot_be_shown_are_refused(look: str, strength: float) -> None:
    with pytest.raises(RequestError, match=r"strength|action"):
        Action(look, strength)


def test_a_policy_needs_actions_each_once() -> None:
    for actions in ([], [DEFAULT, DEFAULT]):
        with pytest.raises(RequestError, match="actions"):
            BANDIT.policy(actions, [])


def test_posteriors_by_hand() -> None:
    told = Ratings.from_counts({(TASTE, 0.6): (1, 3), ("style:marble", 0.3): (1, 1)})
    found = estimate_satisfaction([DEFAULT, MILD, STRONG, MARBLE, PHOTO], told, np.full(5, 0.5), 2.0)
    # 1 good and 2 bad at 0.6 of taste; 1 good at 0.3 of marble. Ratios are squared but for bad ones on milder
    # pictures; looks count half.
    np.testing.assert_allclose(
        found.satisfied, [1 + 1 + 0.5 / 4, 1 + 1 / 4 + 0.5, 1 + 4 / 9 + 0.5 / 9, 1 + 0.5 + 1 / 4, 1]
    )
    np.testing.assert_allclose(found.dissatisfied, [1 + 2, 1 + 2 / 4, 1 + 2 * 2 / 3, 1 + 0.5 * 2, 1])
    np.testing.assert_allclose(found.mean + found.dissatisfied / (found.satisfied + found.dissatisfied), 1)


def test_what_other_actions_tell_is_bounded_so_that_an_action_ends_at_its_own_rate() -> None:
    told = Ratings.from_counts({(TASTE, 0.6): (0, 100_000), (TASTE, 0.9): (900, 1_000)})
    assert estimate_satisfaction([STRONG], told, np.array([0.5]), 2.0).mean[0] == pytest.approx(0.9, abs=0.01)


def test_who_said_nothing_gets_the_default_for_certain() -> None:
    policy = after()
    assert policy.best == DEFAULT
    assert policy.probabilities.max() == 1
    assert {policy.choose(0, "u", str(item)).action for item in range(50)} == {DEFAULT}
    assert policy.choose(0, "u", "i").propensity == 1


@pytest.mark.parametrize(
    ("own", "best"),
    [
        (said(DEFAULT, True), DEFAULT),
        (said(DEFAULT, False), MILD),
        (said(DEFAULT, True, True, False), DEFAULT),
        (said(DEFAULT, False) + said(MILD, False), PHOTO),
        (said(DEFAULT, False, False, False), PHOTO),
        (said(DEFAULT, False) + said(MILD, True), MILD),
        (said(STRONG, False, False), MILD),
        (said(STRONG, True, True, True), STRONG),
        (said(DEFAULT, False) + said(MARBLE, True), MARBLE),
        (said(PHOTO, True, True, True), PHOTO),
    ],
)
def test_few_verdicts_move_pictures_where_a_person_would_expect(own: list[Said], best: Action) -> None:
    assert after(*own).best == best


def test_a_dissatisfied_verdict_says_most_of_stronger_pictures_and_nothing_of_the_photo() -> None:
    before, now = BANDIT.policy(ACTIONS, []).rates.mean, after(*said(DEFAULT, False)).rates.mean
    lost = dict(zip(ACTIONS, 1 - now / before, strict=True))
    assert lost[DEFAULT] > lost[STRONG] > lost[MILD] > 0
    assert lost[DEFAULT] > lost[MARBLE] > 0
    assert lost[PHOTO] == 0


def test_epsilon_greedy_probabilities() -> None:
    policy = after(*said(DEFAULT, False))
    assert policy.probabilities[ACTIONS.index(MILD)] == pytest.approx(0.9 + 0.1 / 10)
    others = np.delete(policy.probabilities, ACTIONS.index(MILD))
    np.testing.assert_allclose(others, 0.1 / 10)


def test_everybody_moves_who_said_nothing_only_where_it_is_clear() -> None:
    def shown(**told: tuple[int, int]) -> Policy:
        return BANDIT.policy(
            ACTIONS, [], Ratings.from_counts({(TASTE, float(f"0.{key[1:]}")): two for key, two in told.items()})
        )

    assert shown(s6=(0, 3)).best == DEFAULT
    assert shown(s6=(10, 50), s3=(18, 20)).best == MILD
    assert shown(s6=(10, 50), s3=(18, 20)).probabilities.max() == 1


def test_everybodys_verdicts_are_the_prior_of_ones_own() -> None:
    most_like_marble = Ratings.from_counts({(TASTE, 0.6): (60, 100), ("style:marble", 0.6): (90, 100)})
    one = BANDIT.policy(ACTIONS, said(DEFAULT, False), most_like_marble)
    assert one.best == MARBLE
    assert BANDIT.policy(ACTIONS, said(DEFAULT, False) + said(MARBLE, False, False), most_like_marble).best != MARBLE


def test_without_exploration_nothing_is_random() -> None:
    bandit = RestyleBandit(FeedbackSettings(exploration=0.0), 0.6)
    assert sorted(bandit.policy(ACTIONS, said(DEFAULT, False)).probabilities) == [0.0] * 9 + [1.0]


def test_draws_are_as_frequent_as_their_propensities() -> None:
    policy = RestyleBandit(FeedbackSettings(exploration=0.6), 0.6).policy(ACTIONS, said(DEFAULT, False))
    drawn = [policy.choose(0, "u", str(item)) for item in range(4000)]
    found = np.array([sum(choice.action == action for choice in drawn) for action in ACTIONS]) / len(drawn)
    spread = np.sqrt(policy.probabilities * (1 - policy.probabilities) / len(drawn))
    assert (np.abs(found - policy.probabilities) < 4 * spread).all()
    assert all(choice.propensity == policy.probabilities[ACTIONS.index(choice.action)] for choice in drawn)


def test_another_refresh_or_person_is_another_draw() -> None:
    policy = RestyleBandit(FeedbackSettings(exploration=1.0), 0.6).policy(ACTIONS, said(DEFAULT, False))
    draws = [
        [policy.choose(0, user, str(i), refresh).action for i in range(20)] for user, refresh in ("ab", "ac", "db")
    ]
    assert draws[0] != draws[1]
    assert draws[0] != draws[2]


@given(VERDICTS, EVERYBODY, st.floats(0, 1), st.floats(0.1, 50))
def test_probabilities_are_a_distribution_with_a_floor(
    own: list[Said], everybody: Ratings, exploration: float, prior: float
) -> None:
    policy = RestyleBandit(FeedbackSettings(exploration=exploration, prior=prior), 0.6).policy(ACTIONS, own, everybody)
    assert policy.probabilities.sum() == pytest.approx(1, abs=1e-12)
    floor = exploration / len(ACTIONS) if own else 0.0
    assert (policy.probabilities >= floor).all()
    assert ((policy.rates.mean > 0) & (policy.rates.mean < 1)).all()


@given(VERDICTS.flatmap(lambda own: st.tuples(st.just(own), st.permutations(own))), EVERYBODY)
def test_the_order_of_verdicts_does_not_matter(orders: tuple[list[Said], list[Said]], everybody: Ratings) -> None:
    first, second = (BANDIT.policy(ACTIONS, own, everybody) for own in orders)
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    np.testing.assert_array_equal(first.rates.mean, second.rates.mean)
    assert first.choose(7, "u", "i", "r") == second.choose(7, "u", "i", "r")


@given(VERDICTS, st.sampled_from(ACTIONS), st.booleans())
def test_a_verdict_never_moves_a_rate_against_it(own: list[Said], action: Action, answer: bool) -> None:
    rates = [
        estimate_satisfaction(ACTIONS, Ratings.from_counts(count_ratings(list_)), np.full(len(ACTIONS), 0.5), 2.0).mean
        for list_ in (own, own + said(action, answer))
    ]
    change = (rates[1] - rates[0]) * (1 if answer else -1)
    assert (change >= -1e-12).all()
    assert change[ACTIONS.index(action)] > 0


@pytest.mark.parametrize(
    ("own", "text"),
    [
        ([], "You have not yet said"),
        (said(DEFAULT, True), "images stay as they are. 9% of images try something else."),
        (said(STRONG, False, False), "You were not satisfied with strong restyling: images are now milder."),
        (said(STRONG, True, True, True), "You were satisfied with strong restyling: images are now stronger."),
        (said(DEFAULT, False) + said(MILD, False), "not satisfied with restyling: images are now shown as they were"),
        (
            said(DEFAULT, False) + said(MARBLE, True),
            "You were satisfied with restyling in the style Carrara: images are now in the style Carrara.",
        ),
    ],
)
def test_people_are_told_what_was_learned(own: Sequence[Said], text: str) -> None:
    assert text in explain(after(*own), own, {"marble": "Carrara"})


def test_people_are_told_when_it_was_others_who_said_so() -> None:
    policy = BANDIT.policy(ACTIONS, [], Ratings.from_counts({(TASTE, 0.6): (10, 50), (TASTE, 0.3): (18, 20)}))
    assert explain(policy, []) == "Most people are more satisfied this way: images are now milder."


@given(VERDICTS, EVERYBODY)
def test_every_policy_has_an_explanation(own: list[Said], everybody: Ratings) -> None:
    text = explain(BANDIT.policy(ACTIONS, own, everybody), own)
    assert text[0].isupper()
    assert text.endswith(".")
    assert "style:" not in text


def test_the_order_of_counts_does_not_matter() -> None:
    random = np.random.default_rng(0)
    counts = {(f"style:{n}", s): (int(random.integers(5)), 5) for n in range(40) for s in (0.3, 0.45, 0.7)}
    orders = [dict(items) for items in (counts.items(), reversed(counts.items()))]
    first, second = (BANDIT.policy(ACTIONS, said(DEFAULT, False), Ratings.from_counts(order)) for order in orders)
    np.testing.assert_array_equal(first.rates.satisfied, second.rates.satisfied)


def test_no_verdicts_of_everybody_is_the_default() -> None:
    assert len(NO_RATINGS) == 0
    np.testing.assert_array_equal(BANDIT.policy(ACTIONS, [], NO_RATINGS).rates.mean, after().rates.mean)
