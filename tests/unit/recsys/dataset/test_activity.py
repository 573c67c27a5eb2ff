"""How much single users and days count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.activity import common_bound, damp_bursts, event_shares, user_shares, usual_bound
from recsys.dataset.identifiers import ItemIdentifiers
from recsys.dataset.interactions import Interactions
from recsys.dataset.splits import rolling_splits, split_by_time
from recsys.schema import INTERACTION_COLUMNS

DAY = 86_400
ITEMS = ItemIdentifiers("item", [f"i{n}" for n in range(10)])


def log(rows: list[tuple[str, str, int]]) -> Interactions:
    frame = pd.DataFrame([(user, item, "view", 1.0, time) for user, item, time in rows], columns=INTERACTION_COLUMNS)
    return Interactions.from_frame(frame, ITEMS)


def steady(users: int = 60, days: int = 30) -> list[tuple[str, str, int]]:
    """Each user has one event every fifth day; items take turns."""
    return [
        (f"u{user}", f"i{(user + day) % 10}", 1_700_000_000 + day * DAY + user)
        for day in range(days)
        for user in range(day % 5, users, 5)
    ]


def test_equal_counts_permit_four_and_a_half_times_more() -> None:
    assert usual_bound(np.full(120, 8)) == pytest.approx(8 * np.exp(1.5))


@pytest.mark.parametrize("extreme", [800, 8_000, 10**9])
def test_few_extreme_counts_do_not_move_the_bound(extreme: int) -> None:
    counts = np.random.default_rng(0).lognormal(2.5, 0.9, 600).astype(int) + 1
    bound = usual_bound(counts)
    assert counts.max() < bound < 100 * np.median(counts)
    assert usual_bound(np.append(counts, [extreme] * 5)) == pytest.approx(bound, rel=0.15)


def test_a_group_of_loyal_customers_is_usual() -> None:
    counts = np.append(np.ones(900, dtype=int), np.full(100, 200))
    assert usual_bound(counts) >= 200


def test_common_counts_are_those_of_all_but_five_percent_or_three() -> None:
    assert common_bound(np.arange(1, 101)) == 95
    assert common_bound(np.arange(1, 21)) == 17
    assert common_bound(np.array([4])) == 4
    assert common_bound(np.array([0, 0])) == usual_bound(np.array([0])) == np.inf


def test_users_count_in_full_up_to_the_bound_and_for_no_more_beyond() -> None:
    counts = np.append(np.full(50, 8), [50, 400])
    shares = user_shares(counts)
    assert (shares[:-1] == 1).all()
    assert shares[-1] * 400 == pytest.approx(8 * np.exp(2.0))


def test_every_event_of_a_steady_log_counts_in_full() -> None:
    events = log(steady())
    assert (event_shares(events) == 1).all()
    assert (damp_bursts(events).weights == events.weights).all()


def test_neither_a_crawler_nor_a_busy_day_moves_the_rounds_to_itself() -> None:
    people = steady()
    end = people[-1][2]
    crawler = [("bot", f"i{n % 10}", end - n) for n in range(5_000)]
    busy_day = [(f"v{n}", f"i{n % 10}", end - n) for n in range(5_000)]
    usual = rolling_splits(log(people), 0.1, 3)
    for extra in (crawler, busy_day):
        events = log(people + extra)
        for before, after in zip(usual, rolling_splits(events, 0.1, 3), strict=True):
            # By events alone, all three rounds would lie within the last two hours.
            assert abs(int(after.test.timestamps.min()) - int(before.test.timestamps.min())) < 5 * DAY
        test = split_by_time(events).test
        assert end - int(test.timestamps.min()) > 3 * DAY


def test_an_item_of_one_day_counts_in_the_trend_for_as_much_as_is_usual() -> None:
    people = steady()
    burst = [(f"v{n}", "i3", people[-1][2] - n) for n in range(1_000)]
    events = log(people + burst)
    damped = damp_bursts(events)
    last_day = events.timestamps // DAY == people[-1][2] // DAY
    assert damped.weights[last_day & (events.items == 3)].sum() == pytest.approx(6 * np.exp(1.5), rel=1e-4)
    assert (damped.weights[~last_day | (events.items != 3)] == 1).all()


def test_without_several_days_nothing_is_a_burst() -> None:
    events = log([(f"u{n}", f"i{n % 2}", 0) for n in range(500)])
    assert damp_bursts(events) is events


def test_empty_logs_stay_empty() -> None:
    empty = log([])
    assert len(event_shares(empty)) == len(damp_bursts(empty)) == 0
    assert empty.present == 0


def test_one_event_in_the_future_does_not_make_the_others_old() -> None:
    people = log(steady())
    assert people.present == people.timestamps.max()
    stray = log(
        [*steady(), ("x", "i1", int(people.present) + 7_000 * DAY), ("y", "i2", int(people.present) + 400 * DAY)]
    )
    assert stray.present == people.present
    known = stray.select(stray.timestamps <= stray.present)
    old, new = (each.matrix(half_life_days=7.0).toarray() for each in (known, stray))
    np.testing.assert_array_equal(new[:60], old[:60])
    assert new[stray.user_ids.row("x")].max() == 1.0  # type: ignore[arg-type]


def test_the_present_of_few_users_is_their_latest_event() -> None:
    assert log([("u", "i1", 5), ("v", "i2", 9 * DAY)]).present == 9 * DAY
