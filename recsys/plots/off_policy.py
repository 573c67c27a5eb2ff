"""Charts of off-policy evaluations: estimates with intervals, concentration and bounds of weights, power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recsys.experiments.off_policy.evaluate import Evaluation
from recsys.experiments.off_policy.tuning import Tuned
from recsys.experiments.off_policy.weights import NO_LIMIT
from recsys.reports.drawing import (
    ACCENT,
    FAINT,
    INK,
    PLAIN,
    RULE,
    SMALL_SIZE,
    Drawing,
    draw_interval,
    label_rows,
    new_figure,
    tidy,
)

Values = NDArray[np.float64]
_ROW = 0.32
"""Height of an estimator's row, in inches."""


def estimates_chart(evaluation: Evaluation, truth: float | None = None, unit: str = "reward per decision") -> Drawing:
    """Plot each estimator's value with its interval, below that of the log; a line marks the `truth` if it is known."""
    figure = new_figure(9.5, 1.4 + _ROW * (1 + len(evaluation.estimates)), "Estimated reward of the new policy")
    axes = figure.subplots()
    rows = {"as logged": evaluation.logged} | {str(name): one.value for name, one in evaluation.estimates.items()}
    label_rows(axes, list(rows), str(evaluation.main))
    for row, (name, found) in enumerate(rows.items()):
        color = ACCENT if name == evaluation.main else FAINT if row == 0 else PLAIN
        draw_interval(axes, row, (found.low, found.high), found.value, color)
    if truth is not None:
        axes.axvline(truth, color=INK, linewidth=1, linestyle="--")
        axes.annotate("truth", (truth, 1.0), xycoords=("data", "axes fraction"), fontsize=SMALL_SIZE, color=INK)
    tidy(axes, f"{unit} ({evaluation.level:.0%} interval)")
    return Drawing(figure)


def weight_chart(weights: Mapping[str, Values]) -> Drawing:
    """Plot by policy the share of all weight that the heaviest decisions have; equal weights give the diagonal."""
    figure = new_figure(9.5, 3.6, "Concentration of weight: share of the heaviest decisions")
    axes = figure.subplots()
    for number, (name, found) in enumerate(weights.items()):
        heaviest = np.sort(found)[::-1]
        shares = np.concatenate([[0.0], heaviest.cumsum() / heaviest.sum()])
        axes.plot(np.linspace(0.0, 1.0, len(shares)), shares, color=_color(number), linewidth=1.6, label=name)
    axes.plot([0.0, 1.0], [0.0, 1.0], color=RULE, linewidth=1)
    tidy(axes, "share of decisions, heaviest first", y_label="share of weight")
    axes.legend(frameon=False, fontsize=SMALL_SIZE, loc="lower right")
    return Drawing(figure)


def tuning_chart(tuned: Mapping[str, Tuned]) -> Drawing:
    """Plot by estimator the variance, squared bias and their sum for each limit of weights; the choice is marked."""
    figure = new_figure(9.5, 3.4, "Bias and variance by the limit of weights")
    panels = figure.subplots(1, len(tuned), squeeze=False)[0]
    for axes, (name, found) in zip(panels, tuned.items(), strict=True):
        rows = sorted(found.candidates, key=lambda candidate: candidate.limit)
        positions = range(len(rows))
        parts = {
            "variance": ([one.variance for one in rows], FAINT),
            "bias²": ([one.bias**2 for one in rows], PLAIN),
            "estimated error": ([one.error for one in rows], ACCENT),
        }
        for label, (values, color) in parts.items():
            axes.plot(positions, values, "o-", markersize=3, linewidth=1.4, color=color, label=label)
        chosen = rows.index(found.best)
        axes.plot(chosen, found.best.error, "o", markersize=9, markerfacecolor="none", color=ACCENT)
        tidy(axes, "limit of weights", str(name))
        axes.set_xticks(positions, [limit_words(one.limit) for one in rows], rotation=60, fontsize=SMALL_SIZE)
    panels[0].legend(frameon=False, fontsize=SMALL_SIZE)
    return Drawing(figure)


def repeated_chart(
    estimates: Mapping[str, Sequence[float]], truth: float, unit: str = "reward per decision"
) -> Drawing:
    """Plot by estimator its values for many logs as points, their mean as a bar, and the truth."""
    figure = new_figure(9.5, 1.4 + 0.45 * len(estimates), "Estimates from many logs")
    axes = figure.subplots()
    for row, (_, values) in enumerate(estimates.items()):
        # Spread by their order, so that points of one row do not hide each other.
        heights = row + 0.3 * (np.arange(len(values)) / max(len(values) - 1, 1) - 0.5) * 2.0
        axes.plot(values, heights, "o", markersize=2, color=PLAIN, alpha=0.35, markeredgewidth=0)
        axes.plot([np.mean(values)] * 2, [row - 0.38, row + 0.38], color=ACCENT, linewidth=2)
    label_rows(axes, list(estimates))
    axes.axvline(truth, color=INK, linewidth=1, linestyle="--")
    tidy(axes, f"{unit}; dashed: truth, orange: mean of the estimates")
    return Drawing(figure)


def power_chart(found: Mapping[str, Mapping[int, float]]) -> Drawing:
    """Plot by method the share of experiments that find the better ranker, in [0, 1], by the number of users."""
    figure = new_figure(9.5, 3.4, "Users needed to find the better ranker")
    axes = figure.subplots()
    for number, (name, shares) in enumerate(found.items()):
        axes.plot(list(shares), list(shares.values()), "o-", color=_color(number), linewidth=1.6, label=name)
    axes.set_ylim(0.0, 1.05)
    axes.axhline(0.8, color=RULE, linewidth=1)
    tidy(axes, "users", y_label="share of experiments that find it")
    axes.legend(frameon=False, fontsize=SMALL_SIZE, loc="lower right")
    return Drawing(figure)


def limit_words(limit: float) -> str:
    """Format a limit of weights as a label."""
    if limit == NO_LIMIT:
        return "none"
    return f"{limit:,.0f}" if limit >= 10.0 else f"{limit:.2g}"


def _color(number: int) -> str:
    return (ACCENT, PLAIN, FAINT)[number % 3]
