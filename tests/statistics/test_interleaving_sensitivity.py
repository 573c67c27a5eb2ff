"""Interleaving keeps its error level, and finds the better ranker with far fewer users than an A/B test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from recsys.experiments.analysis.interleaving import Interleaved, Outcome, Team, credit, interleave, outcome, outcome_of
from recsys.experiments.stats.fixed import two_means
from recsys.experiments.stats.moments import Moments
from recsys.rng import generator

ITEMS, POSITIONS, REQUESTS = 20, 8, 4
ATTRACTION = np.linspace(0.35, 0.02, ITEMS)
EXAMINATION = 0.8 ** np.arange(POSITIONS)
Record = Callable[[str], None]


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Write measured values to the report of `pytest --junitxml`."""
    return lambda text: request.node.user_properties.append(("measured", text))


def ranking(noise: float, random: np.random.Generator) -> list[str]:
    """Return the items in the order of their attraction plus noise."""
    return [str(item) for item in np.argsort(-(ATTRACTION + noise * random.standard_normal(ITEMS)))]


def draw_clicks(items: tuple[str, ...], mood: float, random: np.random.Generator) -> list[int]:
    """Draw clicked positions from 1 under a position-based model; `mood` is a factor of the user's clicks."""
    rates = mood * EXAMINATION[: len(items)] * ATTRACTION[[int(item) for item in items]]
    return [int(position) + 1 for position in np.flatnonzero(random.random(len(items)) < rates)]


def simulate_interleaving(users: int, noises: tuple[float, float], seed: int) -> Outcome:
    random = generator(seed, "interleaved")
    units, scores = [], []
    for user in range(users):
        mood = random.gamma(2.0, 0.5)
        for request in range(REQUESTS):
            shown = interleave(*(ranking(noise, random) for noise in noises), POSITIONS, seed, user, request)
            units.append(str(user))
            scores.append(credit(shown, draw_clicks(shown.items, mood, random)))
    return outcome(units, scores)


def simulate_ab_test(users: int, noises: tuple[float, float], seed: int) -> float:
    """Return the p-value of clicks per user in an A/B test of as many users."""
    random = generator(seed, "split")
    arms = []
    for noise in noises:
        clicks: NDArray[np.float64] = np.zeros(users // 2)
        for user in range(users // 2):
            mood = random.gamma(2.0, 0.5)
            for _ in range(REQUESTS):
                clicks[user] += len(draw_clicks(tuple(ranking(noise, random)[:POSITIONS]), mood, random))
        arms.append(Moments.from_values(clicks))
    return two_means(arms[0], arms[1]).p_value


@pytest.mark.slow
def test_a_better_ranker_is_found_sooner_than_by_an_ab_test(record: Record) -> None:
    users, runs, noises = 200, 100, (0.02, 0.15)
    found = [simulate_interleaving(users, noises, seed) for seed in range(runs)]
    won = np.mean([one.wilcoxon_p < 0.05 and one.preference.value > 0 for one in found])
    signs = np.mean([one.sign_p < 0.05 and one.for_a > one.for_b for one in found])
    tested = np.mean([simulate_ab_test(users, noises, seed) < 0.05 for seed in range(runs)])
    record(f"{users} users: interleaving finds it in {won:.2f} (sign test {signs:.2f}), A/B in {tested:.2f}")
    assert won >= 0.8
    assert signs >= 0.7
    assert won >= tested + 0.25


@pytest.mark.slow
def test_equal_rankers_are_rarely_called_different(record: Record) -> None:
    """A/A over 20,000 runs of 100 users, drawn as winners of lists, which both teams win equally often."""
    random = generator(6, "A/A")
    runs, users, lists = 20_000, 100, 3
    units = np.repeat(np.arange(users), lists)
    errors = {"sign": 0, "Wilcoxon": 0, "interval": 0}
    for _ in range(runs):
        # users differ in how often a list is decided at all
        decided = random.random((users, lists)) < random.beta(2.0, 2.0, (users, 1))
        winners = np.where(decided, np.where(random.random((users, lists)) < 0.5, 1.0, -1.0), 0.0)
        one = outcome_of(units, winners.ravel())
        errors["sign"] += one.sign_p < 0.05
        errors["Wilcoxon"] += one.wilcoxon_p < 0.05
        errors["interval"] += not one.preference.low <= 0.0 <= one.preference.high
    shares = {name: count / runs for name, count in errors.items()}
    record(f"A/A: {shares}")
    # the exact sign test keeps below its level, as it has few values to take
    assert 0.02 <= shares["sign"] <= 0.05
    assert 0.045 <= shares["Wilcoxon"] <= 0.055
    assert 0.045 <= shares["interval"] <= 0.055


def test_identical_rankers_get_the_same_credit_for_any_clicks() -> None:
    """Each position belongs to either team with equal probability, so clicks that do not depend on teams are shared."""
    same = [str(item) for item in range(POSITIONS)]
    lists: list[Interleaved] = [interleave(same, same, POSITIONS, 2, number) for number in range(20_000)]
    shares = np.mean([[team is Team.A for team in one.teams] for one in lists], axis=0)
    assert {one.items for one in lists} == {tuple(same)}
    # standard error 0.0035
    np.testing.assert_allclose(shares, 0.5, atol=0.015)
