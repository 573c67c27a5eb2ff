"""Interleaving: every list is fair to both rankers, credit goes to whom it is due, and people are counted once."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recsys.errors import ConfigError, DataError
from recsys.experiments.analysis.interleaving import Credit, Interleaved, Team, credit, interleave, outcome

RANKINGS = st.lists(st.sampled_from([f"i{n}" for n in range(12)]), unique=True, max_size=10)


@given(RANKINGS, RANKINGS, st.integers(1, 12), st.integers(0, 50))
def test_what_holds_for_every_list(a: list[str], b: list[str], k: int, request_number: int) -> None:
    found = interleave(a, b, k, 1, "user", request_number)
    assert len(set(found.items)) == len(found.items) == len(found.teams)
    assert len(found.items) == min(k, len({*a, *b}))
    for end in range(len(found.items) + 1):
        teams = found.teams[:end]
        assert abs(teams.count(Team.A) - teams.count(Team.B)) <= 1
    for place, (item, team) in enumerate(zip(found.items, found.teams, strict=True)):
        ranking = {Team.A: a, Team.B: b}.get(team)
        if ranking is not None:
            # the team's best that was not there yet
            assert item == next(one for one in ranking if one not in found.items[:place])
    assert Team.NONE not in found.teams or set(found.teams[found.teams.index(Team.NONE) :]) == {Team.NONE}


@given(RANKINGS, RANKINGS, st.integers(0, 50))
def test_a_longer_list_begins_as_a_shorter_one(a: list[str], b: list[str], request_number: int) -> None:
    long, short = (interleave(a, b, k, 1, "user", request_number) for k in (9, 4))
    assert (long.items[:4], long.teams[:4]) == (short.items, short.teams)


def test_the_same_user_and_request_get_the_same_list_in_any_process() -> None:
    a, b = [str(n) for n in range(20)], [str(n) for n in range(19, -1, -1)]
    code = (
        f"from recsys.experiments.analysis.interleaving import interleave; print(interleave({a}, {b}, 20, 3, 'u', 'r'))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == str(interleave(a, b, 20, 3, "u", "r"))
    assert len({interleave(a, b, 20, 3, "u", f"r{n}").teams for n in range(20)}) > 10


def test_by_hand() -> None:
    """Both put x first: one takes it, the other goes on with its next, and then has none left."""
    seen = {interleave(["x", "a"], ["x", "b"], 3, 1, n) for n in range(40)}
    assert seen == {
        Interleaved(("x", "b", "a"), (Team.A, Team.B, Team.NONE)),
        Interleaved(("x", "a", "b"), (Team.B, Team.A, Team.NONE)),
    }


def test_the_toss_is_fair() -> None:
    """20,000 lists: the standard error is 0.0035."""
    first = [interleave(["a"], ["b"], 2, seed, n).teams[0] for seed in range(4) for n in range(5_000)]
    assert first.count(Team.A) / len(first) == pytest.approx(0.5, abs=0.0125)


def test_credit_counts_each_place_once() -> None:
    shown = Interleaved(("x", "y", "z", "q"), (Team.A, Team.B, Team.B, Team.NONE))
    assert credit(shown, [1, 1, 2, 3]) == Credit(1, 2)
    assert credit(shown, [4]) == Credit(0, 0)
    assert [credit(shown, places).winner for places in ([1], [2, 3], [1, 2])] == [1, -1, 0]
    with pytest.raises(DataError, match="position 5 is not in a list of 4"):
        credit(shown, [5])
    with pytest.raises(DataError, match="position 0"):
        credit(shown, [0])


def test_people_count_once() -> None:
    """u1 sees many lists, all won by a; u2 and u3 prefer b; u4 is undecided."""
    people = ["u1"] * 50 + ["u2", "u2", "u3", "u4", "u4"]
    won = [Credit(1, 0)] * 50 + [Credit(0, 1), Credit(0, 0), Credit(0, 3), Credit(1, 0), Credit(0, 1)]
    found = outcome(people, won)
    assert (found.users, found.for_a, found.for_b, found.ties) == (4, 1, 2, 1)
    means = np.array([1.0, -0.5, -1.0, 0.0])
    assert found.preference.value == means.mean()
    expected = stats.ttest_1samp(means, 0.0).confidence_interval(0.95)
    assert (found.preference.low, found.preference.high) == pytest.approx((expected.low, expected.high))
    assert found.sign_p == stats.binomtest(1, 3).pvalue
    assert found.wilcoxon_p == stats.wilcoxon(means, method="approx", correction=True).pvalue


def test_ties_alone_say_nothing() -> None:
    found = outcome(["u", "v"], [Credit(0, 0)] * 2)
    assert (found.sign_p, found.wilcoxon_p, found.preference.value) == (1.0, 1.0, 0.0)


def test_wrong_asks() -> None:
    with pytest.raises(DataError, match="ranking b has an item twice"):
        interleave(["a"], ["b", "b"], 2, 1)
    with pytest.raises(DataError, match="k is 0"):
        interleave(["a"], ["b"], 0, 1)
    with pytest.raises(DataError, match="1 units and 2 credits"):
        outcome(["u"], [Credit(0, 0)] * 2)
    with pytest.raises(DataError, match="lists of 1 users"):
        outcome(["u", "u"], [Credit(0, 0)] * 2)
    with pytest.raises(DataError, match="lists of 0 users"):
        outcome([], [])
    with pytest.raises(ConfigError, match="level"):
        outcome(["u", "v"], [Credit(0, 0)] * 2, level=0.0)
