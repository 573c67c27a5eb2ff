"""Chosen tastes: what was put stands until it is replaced, a reset stays in force, erased is as if never chosen."""

from __future__ import annotations

from recsys.storage.database import Database
from recsys.storage.live.tastes import ChosenTaste, TasteStore


def test_somebody_who_never_chose_has_chosen_nothing(database: Database) -> None:
    assert TasteStore(database).get("u1") == ChosenTaste((), None, None)


def test_a_choice_replaces_the_one_before(database: Database) -> None:
    tastes = TasteStore(database)
    tastes.put("u1", ["delft", 'a "quoted" ünï'], 0.4, 1)
    tastes.put("u2", ["linen"], None, 1)
    assert tastes.get("u1") == ChosenTaste(("delft", 'a "quoted" ünï'), 0.4, None)
    assert tastes.put("u1", [], 0.0, 2) == tastes.get("u1") == ChosenTaste((), 0.0, None)
    assert tastes.get("u2") == ChosenTaste(("linen",), None, None)


def test_a_reset_forgets_the_choice_and_outlives_the_next_one(database: Database) -> None:
    tastes = TasteStore(database)
    tastes.put("u1", ["delft"], 0.4, 1)
    assert tastes.reset("u1", 17, 2) == tastes.get("u1") == ChosenTaste((), None, 17)
    tastes.put("u1", ["linen"], 0.9, 3)
    assert tastes.get("u1") == ChosenTaste(("linen",), 0.9, 17)
    assert tastes.reset("u1", 12, 4).reset_seq == 17
    assert tastes.reset("new", 0, 4) == ChosenTaste((), None, 0)
