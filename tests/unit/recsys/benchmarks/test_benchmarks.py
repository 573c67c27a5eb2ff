"""The benchmarks run and print their rows, on sizes of seconds; nothing here depends on how long anything took."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.benchmarks.rank import EXHAUSTIVE, NEW_ITEM, STEPS, TOTAL, rank_lines
from recsys.benchmarks.scale import PLAIN_ALS, STAGES, scale_lines
from recsys.benchmarks.stopwatch import Stopwatch
from recsys.schema import ITEM_COLUMNS
from recsys.simulation.large_catalog import CATEGORIES, Size, synthetic_shop

SIZE = Size(users=3_000, items=2_000, events=30_000)


def test_rank_prints_each_step_and_the_recall_of_both_indexes() -> None:
    lines = list(rank_lines([300], requests=12))
    for step in (*STEPS.values(), TOTAL, EXHAUSTIVE):
        assert sum(line.strip().startswith(step) for line in lines) == 3, step
    found = [line for line in lines if line.startswith(("factors ", "style ")) and "at random" in line]
    assert len(found) == 6
    assert sum(line.startswith(NEW_ITEM) for line in lines) == 1
    # below the size from which lists are made the index is exact
    assert all("1.0000" in line for line in found)


def test_scale_prints_each_stage_of_each_size() -> None:
    lines = list(scale_lines([2e-4, 4e-4], iterations=1))
    for stage in {*STAGES.values(), *PLAIN_ALS.values(), "style space", "bundle, save", "bundle, load", "indexes"}:
        assert sum(line.startswith(stage) for line in lines) >= 2, stage
    assert [line.split(",")[0] for line in lines if "events; ALS with" in line] == ["200 items", "400 items"]
    assert sum(line.startswith("plain ALS / implicit's own fit") for line in lines) == 2


def test_a_shop_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    first, again, other = synthetic_shop(SIZE, 1), synthetic_shop(SIZE, 1), synthetic_shop(SIZE, 2)
    assert first.items.equals(again.items)
    np.testing.assert_array_equal(first.vectors, again.vectors)
    np.testing.assert_array_equal(first.interactions.items, again.interactions.items)
    assert not np.array_equal(first.interactions.items, other.interactions.items)


def test_a_shop_has_power_laws_categories_and_styles() -> None:
    shop = synthetic_shop(SIZE)
    assert list(shop.items.columns) == list(ITEM_COLUMNS)
    assert shop.items["category"].nunique() == CATEGORIES
    np.testing.assert_allclose(np.linalg.norm(shop.vectors, axis=1), 1.0, atol=1e-5)
    assert len(shop.interactions) == SIZE.events
    assert shop.interactions.shape == (SIZE.users, SIZE.items)
    assert (np.diff(shop.interactions.timestamps) >= 0).all()
    for rows, count in ((shop.interactions.items, SIZE.items), (shop.interactions.users, SIZE.users)):
        events = np.sort(np.bincount(rows, minlength=count))[::-1]
        assert events[: count // 10].sum() > 0.3 * SIZE.events
        assert events[0] > 5 * np.median(events)


class Worker:
    def work(self, amount: int) -> int:
        return 2 * amount

    @classmethod
    def make(cls) -> Worker:
        return cls()


class Apprentice(Worker):
    pass


def test_a_stopwatch_counts_calls_and_puts_everything_back() -> None:
    watch, work = Stopwatch(), Worker.work
    with watch.watching({(Worker, "work"): "working", (Worker, "make"): "making"}):
        assert Worker.make().work(3) == 6
        assert Worker().work(amount=4) == 8
    Worker().work(5)
    assert {step: len(laps) for step, laps in watch.laps.items()} == {"making": 1, "working": 2}
    assert all(lap.wall >= 0 and lap.cpu >= 0 and lap.peak > 0 for laps in watch.laps.values() for lap in laps)
    assert Worker.work is work


def test_a_stopwatch_times_inherited_functions_of_one_class_alone() -> None:
    watch = Stopwatch()
    with watch.watching({(Apprentice, "work"): "working"}):
        Worker().work(1)
        assert Apprentice().work(1) == 2
    assert len(watch.laps["working"]) == 1
    assert "work" not in vars(Apprentice)


def test_a_step_that_does_not_exist_is_named() -> None:
    with pytest.raises(AttributeError, match="rest"), Stopwatch().watching({(Worker, "rest"): "resting"}):
        pass
