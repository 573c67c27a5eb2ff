"""People visit at skewed rates and by the rhythm of the week, and like pictures each at their own strength."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import ConfigError, DataError
from recsys.schema import UserId
from recsys.simulation.behavior import BehaviorParams, Draws, Scene, respond
from recsys.simulation.clicks import PositionBased
from recsys.simulation.people import VISITS_PER_DAY, WEEK, closeness, draw_people, draw_visits
from recsys.simulation.tastes import Tastes

MONDAY = 1_789_948_800 // (7 * SECONDS_PER_DAY) * 7 * SECONDS_PER_DAY + 4 * SECONDS_PER_DAY


def tastes(count: int) -> Tastes:
    accounts = tuple(UserId(f"u{number}") for number in range(count))
    return Tastes(accounts, ({},) * count, np.ones((count, 3), np.float32), np.zeros((count, 1, 2), np.float32))


def test_each_taste_once_or_as_many_people_as_wanted() -> None:
    assert draw_people(tastes(3), None, 0).ids == ("u0", "u1", "u2")
    many = draw_people(tastes(3), 50, 0)
    assert len(set(many.ids)) == 50
    assert {unit.split("~")[0] for unit in many.ids} == {"u0", "u1", "u2"}
    with pytest.raises(ConfigError, match="users is 1"):
        draw_people(tastes(3), 1, 0)
    with pytest.raises(DataError, match="nobody"):
        tastes(0)


def test_visits_are_skewed_and_follow_the_week() -> None:
    people = draw_people(tastes(2_000), None, 0)
    visits = draw_visits(people, MONDAY, 70, 0)
    assert len(visits) / (70 * 2_000) == pytest.approx(VISITS_PER_DAY, rel=0.1)
    per_person = np.sort(np.bincount(visits.person, minlength=2_000))[::-1]
    assert per_person[:200].sum() > 0.3 * len(visits)
    weekday = (visits.time - MONDAY) // SECONDS_PER_DAY % 7
    shares = np.bincount(weekday, minlength=7) / len(visits)
    assert shares == pytest.approx(np.array(WEEK) / sum(WEEK), abs=0.01)
    assert np.all(np.diff(visits.time) >= 0)
    last = int(visits.person[-1])
    assert visits.number[visits.person == last].tolist() == list(range(per_person_of(visits.person, last)))


def per_person_of(person: np.ndarray, who: int) -> int:
    return int((person == who).sum())


def test_the_same_seed_gives_the_same_people_and_visits() -> None:
    one, two = (draw_visits(draw_people(tastes(20), None, 3), MONDAY, 7, 3) for _ in range(2))
    assert np.array_equal(one.time, two.time)
    assert np.array_equal(one.person, two.person)


def test_restyled_pictures_attract_most_at_the_strength_that_is_liked() -> None:
    visits, places = 20_000, 4
    shape = (visits, places)

    def clicks(picture: float, planted: float = 0.0) -> float:
        there = np.ones(shape, dtype=np.bool_)
        scene = Scene(
            relevance=np.full(shape, 0.4),
            prices=np.ones(shape),
            buyable=there,
            there=there,
            picture=np.full(visits, picture),
            planted=np.full(visits, planted),
            close=np.full(visits, np.nan),
        )
        acts = respond(scene, Draws.from_seed(visits, places, 0), PositionBased(), BehaviorParams())
        assert not acts.asked.any()
        assert not (acts.bought & ~acts.carted).any()
        assert not (acts.carted & ~acts.clicked).any()
        return float(acts.clicked.mean())

    assert closeness(0.4, np.array([0.4]))[0] == 1.0
    assert closeness(0.9, np.array([0.4]))[0] < closeness(0.5, np.array([0.4]))[0]
    assert clicks(1.2) / clicks(1.0) == pytest.approx(1.2, rel=0.03)
    assert clicks(1.0, planted=0.3) / clicks(1.0) == pytest.approx(1.3, rel=0.03)
