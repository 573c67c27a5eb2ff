"""Users visit at skewed rates and by the rhythm of the week, and each likes images at a strength of its own."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import ConfigError, DataError
from recsys.schema import UserId
from recsys.simulation.activity import VISITS_PER_DAY, WEEK, draw_visits
from recsys.simulation.behavior import BehaviorParams, Draws, VisitLists, respond
from recsys.simulation.clicks import PositionBased
from recsys.simulation.tastes import Tastes
from recsys.simulation.users import draw_users, strength_closeness

MONDAY = 1_789_948_800 // (7 * SECONDS_PER_DAY) * 7 * SECONDS_PER_DAY + 4 * SECONDS_PER_DAY


def tastes(count: int) -> Tastes:
    accounts = tuple(UserId(f"u{number}") for number in range(count))
    return Tastes(accounts, ({},) * count, np.ones((count, 3), np.float32), np.zeros((count, 1, 2), np.float32))


def test_each_taste_once_or_as_many_users_as_requested() -> None:
    assert draw_users(tastes(3), None, 0).ids == ("u0", "u1", "u2")
    many = draw_users(tastes(3), 50, 0)
    assert len(set(many.ids)) == 50
    assert {unit.split("~")[0] for unit in many.ids} == {"u0", "u1", "u2"}
    with pytest.raises(ConfigError, match="users is 1"):
        draw_users(tastes(3), 1, 0)
    with pytest.raises(DataError, match="no users to simulate"):
        tastes(0)


def test_visits_are_skewed_and_follow_the_week() -> None:
    users = draw_users(tastes(2_000), None, 0)
    visits = draw_visits(users.rate, MONDAY, 70, 0)
    assert len(visits) / (70 * 2_000) == pytest.approx(VISITS_PER_DAY, rel=0.1)
    per_user = np.sort(np.bincount(visits.user, minlength=2_000))[::-1]
    assert per_user[:200].sum() > 0.3 * len(visits)
    weekday = (visits.time - MONDAY) // SECONDS_PER_DAY % 7
    shares = np.bincount(weekday, minlength=7) / len(visits)
    assert shares == pytest.approx(np.array(WEEK) / sum(WEEK), abs=0.01)
    assert np.all(np.diff(visits.time) >= 0)
    last = int(visits.user[-1])
    assert visits.number[visits.user == last].tolist() == list(range(visits_of(visits.user, last)))


def visits_of(user: np.ndarray, row: int) -> int:
    return int((user == row).sum())


def test_the_same_seed_gives_the_same_users_and_visits() -> None:
    one, two = (draw_visits(draw_users(tastes(20), None, 3).rate, MONDAY, 7, 3) for _ in range(2))
    assert np.array_equal(one.time, two.time)
    assert np.array_equal(one.user, two.user)


def test_restyled_images_attract_most_at_the_strength_that_is_liked() -> None:
    visits, positions = 20_000, 4
    shape = (visits, positions)

    def clicks(image_factor: float, lift: float = 0.0) -> float:
        filled = np.ones(shape, dtype=np.bool_)
        lists = VisitLists(
            relevance=np.full(shape, 0.4),
            prices=np.ones(shape),
            buyable=filled,
            filled=filled,
            image_factor=np.full(visits, image_factor),
            lift=np.full(visits, lift),
            closeness=np.full(visits, np.nan),
        )
        responses = respond(lists, Draws.from_seed(visits, positions, 0), PositionBased(), BehaviorParams())
        assert not responses.rated.any()
        assert not (responses.bought & ~responses.carted).any()
        assert not (responses.carted & ~responses.clicked).any()
        return float(responses.clicked.mean())

    assert strength_closeness(0.4, np.array([0.4]))[0] == 1.0
    assert strength_closeness(0.9, np.array([0.4]))[0] < strength_closeness(0.5, np.array([0.4]))[0]
    assert clicks(1.2) / clicks(1.0) == pytest.approx(1.2, rel=0.03)
    assert clicks(1.0, lift=0.3) / clicks(1.0) == pytest.approx(1.3, rel=0.03)
