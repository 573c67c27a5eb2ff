"""Off-policy evaluations as charts: estimates with intervals, who carries the weight, what bounding weights costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recsys.experiments.off_policy.evaluate import Evaluation
from recsys.experiments.off_policy.tuning import Tuned
from recsys.experiments.off_policy.weights import NO_LIMIT
from recsys.experiments.stats.effect import Estimate
from recsys.reports.drawing import (
    ACCENT,
    FAINT,
    INK,
    PLAIN,
    RULE,
    SMALL_SIZE,
    TEXT_SIZE,
    Drawing,
    new_figure,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[np.float64]
_ROW = 0.32
"""Inches an estimator's row takes."""


def estimates_chart(evaluation: Evaluation, truth: float | None = None, unit: str = "reward a decision") -> Drawing:
    """Each estimator's value with its interval, the log's own above; a line at the `truth` where that is known."""
    figure = new_figure(9.5, 1.4 + _ROW * (1 + len(evaluation.estimates)), "What would the new policy earn?")
    axes = figure.subplots()
    rows = {"as logged": evaluation.logged} | {str(name): one.value for name, one in evaluation.estimates.items()}
    _spans(axes, rows, str(evaluation.main))
    if truth is not None:
        axes.axvline(truth, color=INK, linewidth=1, linestyle="--")
        axes.annotate("truth", (truth, 1.0), xycoords=("data", "axes fraction"), fontsize=SMALL_SIZE, color=INK)
    tidy(axes, f"{unit} ({evaluation.level:.0%} interval)")
    return Drawing(figure)


def weight_chart(weights: Mapping[str, Values]) -> Drawing:
    """For each of some policies, the share of all weight that the heaviest decisions carry; evenly: the diagonal."""
    figure = new_figure(9.5, 3.6, "Who decides? The share of weight by the heaviest decisions")
    axes = figure.subplots()
    for number, (name, found) in enumerate(weights.items()):
        heaviest = np.sort(found)[::-1]
        shares = np.concatenate([[0.0], heaviest.cumsum() / heaviest.sum()])
        axes.plot(np.linspace(0.0, 1.0, len(shares)), shares, color=_color(number), linewidth=1.6, label=name)
    axes.plot([0.0, 1.0], [0.0, 1.0], color=RULE, linewidth=1)
    tidy(axes, "share of decisions, heaviest first")
    axes.set_ylabel("share of weight", fontsize=TEXT_SIZE, color=INK)
    axes.legend(frameon=False, fontsize=SMALL_SIZE, loc="lower right")
    return Drawing(figure)


def tuning_chart(tuned: Mapping[str, Tuned]) -> Drawing:
    """For each of some estimators, variance, squared bias and their sum by the limit; the choice is marked."""
    figure = new_figure(9.5, 3.4, "What does bounding weights cost, and what does it save?")
    panels = figure.subplots(1, len(tuned), squeeze=False)[0]
    for axes, (name, found) in zip(panels, tuned.items(), strict=True):
        rows = sorted(found.candidates, key=lambda candidate: candidate.limit)
        places = range(len(rows))
        parts = {
            "variance": ([one.variance for one in rows], FAINT),
            "bias²": ([one.bias**2 for one in rows], PLAIN),
            "estimated error": ([one.error for one in rows], ACCENT),
        }
        for label, (values, color) in parts.items():
            axes.plot(places, values, "o-", markersize=3, linewidth=1.4, color=color, label=label)
        chosen = rows.index(found.best)
        axes.plot(chosen, found.best.error, "o", markersize=9, markerfacecolor="none", color=ACCENT)
        tidy(axes, "limit of weights", str(name))
        axes.set_xticks(places, [limit_words(one.limit) for one in rows], rotation=60, fontsize=SMALL_SIZE)
    panels[0].legend(frameon=False, fontsize=SMALL_SIZE)
    return Drawing(figure)


def repeated_chart(estimates: Mapping[str, Sequence[float]], truth: float, unit: str = "reward a decision") -> Drawing:
    """For each of some estimators, its values over many logs as points, their mean as a bar, and the truth."""
    figure = new_figure(9.5, 1.4 + 0.45 * len(estimates), "The same question asked of many logs")
    axes = figure.subplots()
    for row, (_, values) in enumerate(estimates.items()):
        # Spread by their order, so that points of one row do not hide each other.
        heights = row + 0.3 * (np.arange(len(values)) / max(len(values) - 1, 1) - 0.5) * 2.0
        axes.plot(values, heights, "o", markersize=2, color=PLAIN, alpha=0.35, markeredgewidth=0)
        axes.plot([np.mean(values)] * 2, [row - 0.38, row + 0.38], color=ACCENT, linewidth=2)
    axes.set_yticks(range(len(estimates)), list(estimates))
    axes.set_ylim(len(estimates) - 0.5, -0.5)
    axes.axvline(truth, color=INK, linewidth=1, linestyle="--")
    tidy(axes, f"{unit}; dashed: truth, orange: mean of the estimates")
    return Drawing(figure)


def power_chart(found: Mapping[str, Mapping[int, float]]) -> Drawing:
    """For each of some methods, how often it finds the better ranker (0 to 1), by the number of people."""
    figure = new_figure(9.5, 3.4, "How many people does it take to find the better ranker?")
    axes = figure.subplots()
    for number, (name, shares) in enumerate(found.items()):
        axes.plot(list(shares), list(shares.values()), "o-", color=_color(number), linewidth=1.6, label=name)
    axes.set_ylim(0.0, 1.05)
    axes.axhline(0.8, color=RULE, linewidth=1)
    tidy(axes, "people")
    axes.set_ylabel("share of experiments that find it", fontsize=TEXT_SIZE, color=INK)
    axes.legend(frameon=False, fontsize=SMALL_SIZE, loc="lower right")
    return Drawing(figure)


def limit_words(limit: float) -> str:
    """Format a limit of weights as a label."""
    if limit == NO_LIMIT:
        return "none"
    return f"{limit:,.0f}" if limit >= 10.0 else f"{limit:.2g}"


def _spans(axes: Axes, rows: Mapping[str, Estimate], main: str) -> None:
    for row, (name, found) in enumerate(rows.items()):
        color = ACCENT if name == main else FAINT if row == 0 else PLAIN
        axes.plot([found.low, found.high], [row, row], color=color, linewidth=2, solid_capstyle="round")
        axes.plot(found.value, row, "o", markersize=6, color=color, clip_on=False)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    for text, name in zip(axes.get_yticklabels(), rows, strict=True):
        text.set_fontweight("bold" if name == main else "normal")


def _color(number: int) -> str:
    return (ACCENT, PLAIN, FAINT)[number % 3]
