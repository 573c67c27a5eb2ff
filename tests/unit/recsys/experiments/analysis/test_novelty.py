"""A trend by day since the first exposure is found if an effect fades, and not if it stays or is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.experiments.analysis.analyze import Analysis, analyze
from recsys.experiments.analysis.columnar_logs import read_logs
from recsys.experiments.analysis.comparisons import Rule
from recsys.experiments.analysis.effects.novelty import compute_novelty
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.analysis.unit_table import build_unit_table
from recsys.experiments.design.definition import Experiment, Looks
from recsys.experiments.design.metric_names import MetricName
from recsys.reports.experiment_view import build_view
from recsys.rng import generator

Maker = Callable[..., Experiment]
START, DAY, DAYS = 1_790_000_000, 86_400, 15
NOW = START + DAYS * DAY
IDS = [f"u{number:04d}" for number in range(700)]


def visits(seed: int, lift: Callable[[np.ndarray], np.ndarray], *, slowing: float = 0.9) -> Logs:
    """Lists and clicks of units that visit ever less often; `lift` is by day since the first exposure, from 0."""
    random = generator(seed, "novelty")
    first = random.integers(5 * DAY, size=len(IDS))
    taste = random.gamma(4.0, 0.25, len(IDS))
    # The number of lists of each unit on each of its days.
    lists = random.poisson(2.0 * slowing ** np.arange(10.0), (len(IDS), 10))
    lists[:, 0] += 1
    unit, day = (np.repeat(codes.ravel(), lists.ravel()) for codes in np.indices(lists.shape))
    # The first list of the first day is the first exposure; all others follow within their day.
    opens = np.flatnonzero(np.diff(unit, prepend=-1))
    time = first[unit] + day * DAY + random.integers(1, DAY - 60, size=len(unit))
    time[opens] = first
    arm = np.arange(len(IDS))[unit] % 2
    rate = 0.25 * taste[unit] * (1.0 + arm * lift(day))
    row, place = np.nonzero(random.random((len(unit), 4)) < np.minimum(rate, 0.9)[:, None])
    ids, requests = np.array(IDS)[unit], np.char.add("r", np.arange(len(unit)).astype(str))
    exposures = {
        "request_id": requests,
        "unit": ids,
        "timestamp": START + time,
        "experiment": "mild",
        "arm": np.array(["now", "mild"])[arm],
        "items": [["i0", "i1", "i2", "i3"]] * len(unit),
    }
    clicks = {
        "unit": ids[row],
        "item_id": np.char.add("i", place.astype(str)),
        "event": "click",
        "timestamp": START + time[row] + 30,
        "request_id": requests[row],
    }
    return Logs.from_frames(pd.DataFrame(exposures), pd.DataFrame(clicks))


def analyzed(trial: Maker, logs: Logs) -> Analysis:
    return analyze(trial(metrics=[{"name": "ctr"}], guardrails=[]), logs, NOW, assigned_here=False)


def test_an_effect_that_fades_is_found(trial: Maker) -> None:
    found = analyzed(trial, visits(0, lambda day: 0.6 / (1.0 + day)))
    (novelty,) = found.novelty
    assert novelty.finding == "fades"
    assert novelty.p_corrected < 0.001
    assert novelty.trend.low < novelty.trend.value < novelty.trend.high < 0.0
    assert novelty.first == pytest.approx(0.6, abs=0.15)
    assert abs(novelty.last) < 0.2
    assert [one.day for one in novelty.days] == list(range(1, len(novelty.days) + 1))
    assert novelty.units == len(IDS)
    (row,) = build_view(found).novelty
    assert row.finding.startswith("the effect fades")


def test_an_effect_that_stays_has_no_trend_though_users_get_less_active(trial: Maker) -> None:
    (novelty,) = analyzed(trial, visits(1, lambda day: np.full(day.shape, 0.4))).novelty
    assert novelty.finding is None
    assert novelty.trend.low < 0.0 < novelty.trend.high
    assert all(one.lift.low < 0.4 < one.lift.high or one.lift.value > 0.2 for one in novelty.days)


def test_an_effect_that_grows_is_no_fading(trial: Maker) -> None:
    (novelty,) = analyzed(trial, visits(2, lambda day: 0.08 * day)).novelty
    assert novelty.finding == "grows"
    assert novelty.last > novelty.first


def test_arms_drawn_anew_have_a_trend_no_more_often_than_stated(trial: Maker) -> None:
    experiment = trial(metrics=[{"name": "ctr"}], guardrails=[])
    table = build_unit_table(read_logs(experiment, visits(4, lambda day: np.zeros(day.shape))), experiment, NOW)
    random = generator(5, "novelty")
    rule = Rule(Looks.FIXED, 0.95, 1_000.0)
    drawn = [replace(table, arm=(random.random(len(table)) < 0.3).astype(np.int64)) for _ in range(60)]
    found = [one for table in drawn for one in compute_novelty(table, experiment, MetricName.CTR, rule, NOW)]
    assert len(found) == 60
    # 3 of 60 are expected; 8 or more have a probability below 1 %.
    assert sum(one.p_value <= 0.05 for one in found) < 8
    assert sum(one.finding is not None for one in found) < 8


def test_silent_with_too_few_days_or_values(trial: Maker) -> None:
    logs = visits(3, lambda day: np.zeros(day.shape))
    early = analyze(trial(metrics=[{"name": "ctr"}], guardrails=[], decision={}), logs, NOW, until=START + 4 * DAY)
    assert early.novelty == ()
    assert analyzed(trial, visits(3, lambda day: np.full(day.shape, -0.9), slowing=0.2)).novelty == ()
