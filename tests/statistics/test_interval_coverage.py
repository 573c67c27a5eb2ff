"""Intervals contain the truth as often as they say, over generators of metrics per user and of money.

Run with `pytest -m statistics_grid`. `tests/benchmarks/interval_coverage.py` prints the same numbers as a table.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.benchmarks.interval_coverage import SHOPS, Shop, metric_coverage, money_coverage

LOGS = 1_000
"""Standard error of a coverage of 95 %: 0.7 points. The bounds of 94 and 93.5 % are allowed two of them."""
Record = Callable[[str, object], None]


@pytest.mark.statistics_grid
@pytest.mark.timeout(900)
@pytest.mark.parametrize("users", [20, 50, 200])
def test_few_users_with_many_zeros(users: int, record_property: Record) -> None:
    for hits in (0.05, 0.1, 0.2, 0.3, 0.5, 0.8):
        for row in metric_coverage(LOGS, users, hits):
            record_property("measured", str(row))
            assert row.now >= 0.94 - 0.014, row


@pytest.mark.statistics_grid
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("shop", SHOPS, ids=str)
def test_money(shop: Shop, record_property: Record) -> None:
    """Wherever the support check has no objection, and at most as many wrong intervals as 6.5 % of logs are silent."""
    for row in money_coverage(shop, LOGS):
        record_property("measured", str(row))
        assert row.silent_miss <= 0.065 + 0.014, row
        assert row.now >= 0.935 - 0.014 or row.spoken < 0.5, row
