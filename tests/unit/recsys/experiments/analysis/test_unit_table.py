"""What a unit's rows add up to, on logs small enough to count by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys.errors import BadRowsError, DataError
from recsys.experiments.analysis.columnar_logs import read_logs
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.analysis.unit_table import UnitTable, build_unit_table
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.metric_names import MetricName

START, DAY = 1_790_000_000, 86_400
NOW = START + 20 * DAY

Maker = Callable[..., Experiment]


def shown(request: str, unit: str, arm: str, second: int, **given: Any) -> dict[str, Any]:
    """An exposure to three items."""
    return {
        "request_id": request,
        "unit": unit,
        "timestamp": START + second,
        "experiment": "mild",
        "arm": arm,
        "items": ["a", "b", "c"],
        **given,
    }


def done(unit: str, event: str, second: int, **given: Any) -> dict[str, Any]:
    """An event on item a."""
    row = {"unit": unit, "item_id": "a", "event": event, "timestamp": START + second}
    return {**row, "amount": None, "dwell_s": None, "request_id": None, "position": None, **given}


def table_of(
    experiment: Experiment,
    exposures: list[dict[str, Any]],
    events: list[dict[str, Any]],
    feedback: list[dict[str, Any]] | None = None,
) -> UnitTable:
    verdicts = None if feedback is None else pd.DataFrame(feedback)
    logs = Logs.from_frames(pd.DataFrame(exposures), pd.DataFrame(events), verdicts)
    return build_unit_table(read_logs(experiment, logs), experiment, NOW)


def sums(table: UnitTable, metric: MetricName, until: int | None = None) -> tuple[list[float], list[float] | None]:
    found = table.metrics[metric]
    denominator = None if found.denominator is None else found.denominator.sums(len(table), until).tolist()
    return found.numerator.sums(len(table), until).tolist(), denominator


EXPOSURES = [shown("r1", "u1", "now", 100), shown("r2", "u2", "mild", 200), shown("r3", "u1", "now", 5000)]
EVENTS = [
    done("u1", "purchase", 50, amount=7.0),
    done("u1", "click", 110, request_id="r1", position=1),
    done("u1", "click", 120, request_id="r1", position=1),
    done("u1", "click", 130, request_id="r1", position=2, item_id="b"),
    done("u2", "click", 140, request_id="r1", position=1),
    done("u2", "click", 250),
    done("u2", "cart", 260, request_id="r2", position=3, item_id="c"),
    done("u2", "purchase", 300, amount=10.5),
    done("u2", "purchase", 900, amount=2.25),
    done("u1", "view", 5010, dwell_s=4.0),
    done("u1", "view", 5020),
    done("u3", "purchase", 300, amount=1000.0),
]


def test_sums_after_the_first_exposure(trial: Maker) -> None:
    table = table_of(trial(), EXPOSURES, EVENTS, [{"unit": "u2", "satisfied": True, "timestamp": START + 300}])
    assert table.ids.to_pylist() == ["u1", "u2"]
    assert [table.arms[code] for code in table.arm] == ["now", "mild"]
    assert (table.first - START).tolist() == [100, 200]
    # A second click on the same item of a list is no other; u2 did not see r1; a click without a request joins nothing.
    assert sums(table, MetricName.CTR) == ([2.0, 0.0], [6.0, 3.0])
    assert sums(table, MetricName.ADD_TO_CART) == ([0.0, 1.0], [6.0, 3.0])
    assert sums(table, MetricName.CONVERSION) == ([0.0, 1.0], None)
    assert sums(table, MetricName.REVENUE_PER_USER) == ([0.0, 12.75], None)
    assert sums(table, MetricName.DWELL) == ([4.0, 0.0], [1.0, 0.0])
    assert sums(table, MetricName.SATISFACTION) == ([0.0, 1.0], [0.0, 1.0])
    assert "style_diversity" in table.unmeasured[MetricName.STYLE_DIVERSITY]
    assert table.known.tolist() == [True, True]
    before = table.metrics[MetricName.REVENUE_PER_USER].before
    assert before is not None
    # Revenue, days with a visit, days since the last one, and whether there was none; both were there in the last day.
    assert before[:, [0, 1, 3]].tolist() == [[7.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    assert before[:, 2] == pytest.approx([50 / 86_400, 60 / 86_400])


def test_habits_of_the_pre_period_are_covariates(trial: Maker) -> None:
    day = 86_400
    exposures = [shown(f"r{unit}", f"u{unit}", "now" if unit % 2 else "mild", 100) for unit in (1, 2, 3, 4)]
    events = [
        done("u1", "purchase", 100 - 3 * day, amount=5.0),
        done("u1", "view", 100 - 3 * day - 1),
        done("u1", "view", 100 - 3 * day - 2),
        done("u1", "view", 100 - 10 * day - 30),
        done("u2", "view", 100 - 28 * day),
        # Before the pre-period, and at the first exposure: neither counts.
        done("u3", "view", 100 - 28 * day - 1),
        done("u3", "view", 100),
        done("u4", "view", 99),
    ]
    table = table_of(trial(), exposures, events)
    before = table.metrics[MetricName.REVENUE_PER_USER].before
    assert before is not None
    # u1 was there 2 and 3 and 10 days before, counted in whole days back from the first exposure.
    assert before[:, :2].tolist() == [[5.0, 3.0], [0.0, 1.0], [0.0, 0.0], [0.0, 1.0]]
    assert before[:, 2] == pytest.approx([3.0, 28.0, 0.0, 1 / day])
    assert before[:, 3].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_sums_up_to_a_moment(trial: Maker) -> None:
    table = table_of(trial(), EXPOSURES, EVENTS)
    assert sums(table, MetricName.CTR, START + 120) == ([1.0, 0.0], [3.0, 0.0])
    assert sums(table, MetricName.REVENUE_PER_USER, START + 300) == ([0.0, 10.5], None)


def test_who_is_left_out(trial: Maker) -> None:
    exposures = [
        *EXPOSURES,
        shown("r4", "u4", "now", 10),
        shown("r5", "u4", "mild", 20),
        shown("r6", "qa", "mild", 30),
        shown("r7", "u5", "now", -10),
        {**shown("r8", "u1", "bold", 40), "experiment": "other"},
    ]
    table = table_of(trial(forced={"qa": "mild"}), exposures, EVENTS)
    assert table.ids.to_pylist() == ["u1", "u2"]
    assert (table.forced, table.exposures) == (1, 3)
    defects = table.defects
    assert (defects.multiple.found, defects.multiple.of, defects.multiple.first_row) == (1, 3, 3)
    assert (defects.outside.found, defects.outside.first_row) == (1, 6)


def test_what_is_odd_is_counted(trial: Maker) -> None:
    exposures = [*EXPOSURES, EXPOSURES[0]]
    events = [
        done("u1", "click", 90, request_id="r1", position=1),
        done("u1", "click", 6000, request_id="r3", position=4),
        done("u1", "click", 6000, request_id="gone", position=1),
        done("u2", "click", 21 * DAY, request_id="r2", position=1),
    ]
    defects = table_of(trial(), exposures, events).defects
    assert (defects.repeated.found, defects.early.found, defects.beyond.found, defects.late.found) == (1, 1, 1, 1)
    assert (defects.early.first_row, defects.beyond.first_row, defects.late.first_row) == (0, 1, 3)
    assert (defects.lost_rows.found, defects.lost_rows.first_row, defects.lost.tolist()) == (1, 2, [1.0, 0.0])


def test_a_repeated_exposure_counts_once(trial: Maker) -> None:
    table = table_of(trial(), [*EXPOSURES, EXPOSURES[0]], EVENTS)
    assert sums(table, MetricName.CTR) == ([2.0, 0.0], [6.0, 3.0])


def test_segments_are_of_the_first_exposure(trial: Maker) -> None:
    exposures = [{**row, "platform": name} for row, name in zip(EXPOSURES, ("web", None, "ios"), strict=True)]
    codes, names = table_of(trial(), exposures, EVENTS).segments["platform"]
    assert [names[code] if code >= 0 else None for code in codes] == ["web", None]


def test_missing_columns_are_told(trial: Maker) -> None:
    table = table_of(trial(), EXPOSURES, [done("u1", "purchase", 300), done("u1", "click", 300)])
    assert "request_id" in table.unmeasured[MetricName.CTR]
    assert "amount" in table.unmeasured[MetricName.REVENUE_PER_USER]
    assert "dwell_s" in table.unmeasured[MetricName.DWELL]
    assert "feedback" in table.unmeasured[MetricName.SATISFACTION]


def test_bad_exposures_are_named(trial: Maker) -> None:
    with pytest.raises(BadRowsError, match=r"exposures, row 3, column 'arm': the experiment has no arm 'bold'"):
        table_of(trial(), [*EXPOSURES, shown("r9", "u9", "bold", 10)], EVENTS)
    with pytest.raises(BadRowsError, match=r"row 3, column 'unit'"):
        table_of(trial(), [*EXPOSURES, {**shown("r9", "u9", "now", 10), "unit": None}], EVENTS)
    with pytest.raises(DataError, match="no exposure of experiment 'mild'"):
        table_of(trial(), [shown("r1", "u1", "now", 10, experiment="other")], EVENTS)
    with pytest.raises(DataError, match="no unit to analyze"):
        table_of(trial(), [shown("r1", "u1", "now", -10)], EVENTS)


def test_no_events_at_all(trial: Maker) -> None:
    empty = {name: pd.Series(dtype="object") for name in done("u", "view", 0)}
    logs = Logs.from_frames(pd.DataFrame(EXPOSURES), pd.DataFrame(empty))
    table = build_unit_table(read_logs(trial(), logs), trial(), NOW)
    assert sums(table, MetricName.CTR) == ([0.0, 0.0], [6.0, 3.0])
    assert np.array_equal(table.counts(), [1, 1])
