"""Charts of off-policy evaluations show the figures that they are given."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from recsys.experiments.off_policy.estimators import Estimator
from recsys.experiments.off_policy.evaluate import evaluate
from recsys.plots.off_policy import (
    estimates_chart,
    power_chart,
    repeated_chart,
    tuning_chart,
    weight_chart,
)
from recsys.reports.drawing import Drawing
from recsys.simulation.synthetic_policies import SyntheticBandit
from style.provenance.mark import ImageFormat

LOG = SyntheticBandit().draw_log(500, seed=1)
FOUND = evaluate(LOG, SyntheticBandit().target_policy(LOG.contexts))


def shown(drawing: Drawing) -> Drawing:
    picture = Image.open(io.BytesIO(drawing.encode(ImageFormat.PNG)))
    assert picture.width > 600
    return drawing


def test_every_estimator_has_its_interval_and_the_truth_its_line() -> None:
    axes = shown(estimates_chart(FOUND, 0.6)).figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["as logged", *Estimator]
    lines = [np.asarray(line.get_xydata()) for line in axes.get_lines()]
    spans = [line for line in lines if len(line) == 2 and line[0, 1] == line[1, 1]]
    drawn = {float(line[0, 1]): (line[0, 0], line[1, 0]) for line in spans}
    for row, one in enumerate(FOUND.estimates.values(), start=1):
        assert drawn[row] == pytest.approx((one.value.low, one.value.high))
    assert any((line[:, 0] == 0.6).all() for line in lines)
    assert len(estimates_chart(FOUND).figure.axes[0].get_lines()) == len(lines) - 1


def test_weights_climb_to_all_of_them() -> None:
    axes = shown(weight_chart({"even": np.ones(4), "one": np.array([0.0, 0.0, 0.0, 9.0])})).figure.axes[0]
    even, one = (np.asarray(line.get_ydata()) for line in axes.get_lines()[:2])
    assert even.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert one.tolist() == [0.0, 1.0, 1.0, 1.0, 1.0]


def test_the_choice_is_the_lowest_point() -> None:
    tuned = FOUND.estimates[Estimator.DROS].tuned
    assert tuned is not None
    axes = shown(tuning_chart({"DRos": tuned})).figure.axes[0]
    error, chosen = (np.asarray(line.get_ydata()) for line in axes.get_lines()[2:4])
    assert chosen[0] == error.min() == tuned.best.error
    assert [text.get_text() for text in axes.get_xticklabels()][-1] == "none"


def test_repeats_and_power() -> None:
    axes = shown(repeated_chart({"IPS": [1.0, 2.0, 6.0], "DM": [2.0]}, 2.5)).figure.axes[0]
    assert np.asarray(axes.get_lines()[1].get_xdata()).tolist() == [3.0, 3.0]
    axes = shown(power_chart({"A/B": {50: 0.1, 100: 0.4}})).figure.axes[0]
    assert np.asarray(axes.get_lines()[0].get_xydata()).tolist() == [[50.0, 0.1], [100.0, 0.4]]
