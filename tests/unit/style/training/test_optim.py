"""Schedule of the learning rate and running average of weights."""

from __future__ import annotations

import pytest
import torch

from style.training.optim import learning_rate, warming_average


def test_the_learning_rate_rises_then_falls_to_a_hundredth() -> None:
    rates = [learning_rate(step, 100, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)


def test_a_running_average_forgets_where_it_began() -> None:
    average, keep = [torch.zeros(1)], warming_average(0.999)
    for count in range(1, 21):
        keep(average, [torch.ones(1)], count)
    assert float(average[0]) > 0.95
    late = [torch.zeros(1)]
    keep(late, [torch.ones(1)], 10**6)
    assert float(late[0]) == pytest.approx(0.001, rel=1e-3)
