"""Assignment is a pure function of salt and unit: golden, the same everywhere, and never moved by a ramp."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.experiments.design.assignment import OUTSIDE, WHOLE, Assignment, Hash, Plan, Reason, encode_unit, uniform
from recsys.experiments.design.definition import SEGMENTS, Experiment
from recsys.experiments.design.targeting import Context

Maker = Callable[..., Experiment]

# By `printf '%s' '5:split4:mild2:u1' | sha1sum | cut -c1-15`, for each message.
GOLDEN = {
    ("split", "mild", "u1"): 0x3A48F9A27123936,
    ("coverage", "mild", "u1"): 0xFAB1573BA4C1BAF,
    ("segment", "lists", "u1"): 0xCDB6D13DCCBEC8E,
    ("holdout", "all", "u1"): 0x25EEDBB0BBA0CEC,
    ("split", "mild", "Zoë-9"): 0x84C906D498D59E5,
    ("split", "mild", ""): 0x8F49744572BE30C,
}
UNITS = [f"u{n}" for n in range(4000)]
WEIGHTS = st.lists(st.floats(0, 1e6) | st.just(0.0), min_size=2, max_size=6)


@pytest.mark.parametrize(("parts", "point"), GOLDEN.items())
def test_golden_numbers(parts: tuple[str, str, str], point: int) -> None:
    purpose, salt, unit = parts
    assert Hash.from_salt(purpose, salt).point(encode_unit(unit)) == point
    assert Hash.from_salt(purpose, salt).points([encode_unit("x"), encode_unit(unit)]).tolist()[1] == point
    assert uniform(purpose, salt, unit) == pytest.approx(point / WHOLE, abs=2**-53)


def test_golden_arms(running: Maker) -> None:
    plan = Plan.from_experiment(running(arms={"a": {"weight": 1}, "b": {"weight": 2}, "c": {"weight": 1}}, control="a"))
    found = [plan.assign(f"u{n}").arm for n in range(12)]
    # By the first digit of the same sha1sum: 0-3 is a, 4-b is b, c-f is c.
    assert found == ["b", "a", "a", "b", "b", "b", "a", "a", "c", "b", "c", "b"]


def test_the_same_in_a_fresh_process_with_another_hash_seed() -> None:
    code = (
        "from recsys.experiments.design.assignment import Hash, encode_unit\n"
        "print(*Hash.from_salt('split', 'mild').points([encode_unit(f'u{n}') for n in range(50)]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "4242")
    }
    here = Hash.from_salt("split", "mild").points([encode_unit(f"u{n}") for n in range(50)])
    assert outputs == {" ".join(map(str, here.tolist())) + "\n"}


def test_parts_cannot_be_confused() -> None:
    assert Hash.from_salt("split", "ab").point(encode_unit("c")) != Hash.from_salt("split", "a").point(
        encode_unit("bc")
    )
    assert Hash.from_salt("a", "b.c").point(encode_unit("d")) != Hash.from_salt("a", "b").point(encode_unit("c.d"))
    assert encode_unit("\ud800") == b"3:\xed\xa0\x80"


def test_more_coverage_moves_nobody(running: Maker) -> None:
    arms = {"now": {"weight": 1}, "b": {"weight": 2}, "c": {"weight": 0.5}}
    before: dict[str, str] = {}
    for coverage in (0.0, 0.01, 0.2, 0.5, 1.0):
        plan = Plan.from_experiment(running(arms=arms, coverage=coverage))
        now = {unit: arm for unit in UNITS if (arm := plan.assign(unit).arm) is not None}
        assert before.items() <= now.items()
        assert len(now) == pytest.approx(coverage * len(UNITS), abs=100)
        before = now
    assert len(before) == len(UNITS)


def test_more_segments_move_nobody(running: Maker) -> None:
    before: dict[str, str] = {}
    for segments in ([[0, 99]], [[0, 299]], [[0, 299], [700, 799]], [[0, 999]]):
        plan = Plan.from_experiment(running(namespace={"name": "lists", "segments": segments}))
        now = {unit: arm for unit in UNITS if (arm := plan.assign(unit).arm) is not None}
        assert before.items() <= now.items()
        before = now
    assert len(before) == len(UNITS)


def test_segments_exclude_each_other_and_leave_nobody_out(running: Maker) -> None:
    parts = [
        Plan.from_experiment(running(key=f"e{start}", namespace={"name": "lists", "segments": [[start, start + 249]]}))
        for start in range(0, SEGMENTS, 250)
    ]
    inside = np.array([plan.assign_many(UNITS) != OUTSIDE for plan in parts])
    assert (inside.sum(axis=0) == 1).all()
    assert inside.mean(axis=1) == pytest.approx(0.25, abs=0.03)


def test_a_holdout_is_the_same_in_all_its_experiments(running: Maker) -> None:
    plans = [Plan.from_experiment(running(key=key, holdout={"share": 0.1})) for key in ("one", "two")]
    held = [{unit for unit in UNITS if plan.assign(unit).reason is Reason.HELD_OUT} for plan in plans]
    assert held[0] == held[1]
    assert len(held[0]) == pytest.approx(400, abs=60)


def test_coverage_says_nothing_of_the_split(running: Maker) -> None:
    codes = Plan.from_experiment(running(coverage=0.3)).assign_many(UNITS)
    assert (codes[codes != OUTSIDE] == 0).mean() == pytest.approx(0.5, abs=0.05)


def test_the_order_of_arms_in_a_file_says_nothing(running: Maker) -> None:
    arms = {"now": {"weight": 1}, "b": {"weight": 2}, "c": {"weight": 3}}
    backwards = dict(reversed(arms.items()))
    one, other = Plan.from_experiment(running(arms=arms)), Plan.from_experiment(running(arms=backwards))
    assert [one.assign(unit) for unit in UNITS[:200]] == [other.assign(unit) for unit in UNITS[:200]]


def test_forced_units_get_their_arm_and_do_not_count(running: Maker, experiment: Maker) -> None:
    changes = {"forced": {"qa": "mild"}, "coverage": 0.0, "targeting": {"country": ["DE"]}}
    forced = Assignment("mild", "mild", 1.0, True, Reason.FORCED)
    for one in (running(**changes), experiment(**changes)):
        assert Plan.from_experiment(one).assign("qa") == forced
        assert not forced.counts
        assert Plan.from_experiment(one).assign_many(["qa"]).tolist() == [OUTSIDE]
    stopped = experiment(status="stopped", started_at=1, stopped_at=2, **changes)
    assert Plan.from_experiment(stopped).assign("qa").reason is Reason.NOT_RUNNING


def test_reasons(running: Maker, experiment: Maker) -> None:
    def reason(one: Experiment, unit: str | None = "u1", context: Context | None = None) -> Reason:
        found = Plan.from_experiment(one).assign(unit, context or Context())
        assert (found.arm is None) == (found.propensity == 0.0) == (not found.counts)
        return found.reason

    assert reason(experiment()) is Reason.NOT_RUNNING
    assert reason(running()) is Reason.SPLIT
    assert reason(running(), None) is Reason.NO_UNIT
    assert reason(running(coverage=0.0)) is Reason.NOT_COVERED
    assert reason(running(holdout={"share": 0.9})) is Reason.HELD_OUT
    assert reason(running(namespace={"name": "lists", "segments": [[0, 1]]})) is Reason.OTHER_SEGMENT
    assert reason(running(targeting={"country": ["DE"]})) is Reason.NOT_TARGETED
    assert reason(running(targeting={"country": ["DE"]}), context=Context(country="de")) is Reason.SPLIT


def test_propensities_are_the_shares(running: Maker) -> None:
    one = running(arms={"now": {"weight": 1}, "b": {"weight": 3}})
    plan = Plan.from_experiment(one)
    assert {(found.arm, found.propensity) for found in map(plan.assign, UNITS[:100])} == {("now", 0.25), ("b", 0.75)}


@given(weights=WEIGHTS, unit=st.text(max_size=20), coverage=st.floats(0, 1), held_out=st.floats(0.01, 0.99))
def test_one_by_one_and_all_at_once_agree(
    experiment: Maker, weights: list[float], unit: str, coverage: float, held_out: float
) -> None:
    arms = {f"a{n}": {"weight": weight} for n, weight in enumerate([1.0, 1.0, *weights])}
    one = experiment(
        status="running",
        started_at=1,
        arms=arms,
        control="a0",
        coverage=coverage,
        holdout={"share": held_out},
        namespace={"name": "n", "segments": [[0, 600], [650, 990]]},
    )
    plan = Plan.from_experiment(one)
    units = [unit, *UNITS[:20]]
    arm_names = [found.arm for found in map(plan.assign, units)]
    assert arm_names == [None if code == OUTSIDE else plan.arms[code] for code in plan.assign_many(units)]
    assert all(arm is None or arms[arm]["weight"] > 0 for arm in arm_names)
    assert plan.bounds[-1] == WHOLE
    assert list(plan.bounds) == sorted(plan.bounds)


def test_nobody_is_nobody(running: Maker) -> None:
    assert Plan.from_experiment(running()).assign_many([]).tolist() == []
