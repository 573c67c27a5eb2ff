"""Charts of an experiment: effects with their intervals, the effect over time, segments, units against the split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import DataError
from recsys.experiments.analysis.analyze import Analysis
from recsys.experiments.analysis.decision import METRIC_WORDS
from recsys.experiments.design.definition import MarginScale
from recsys.experiments.design.metric_names import Direction
from recsys.experiments.stats.effect import Effect, Estimate
from recsys.reports.drawing import ACCENT, FAINT, INK, PLAIN, RULE, TEXT_SIZE, Drawing, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GOOD, BAD = "#2f7d4f", ACCENT
WIDTH = 9.5
_ROW = 0.42
_FAR = 1e3
"""Lift outside of every plot, drawn for an infinite bound."""
_COLORS = (PLAIN, "#8a6fae", "#2f7d4f", "#b59b4c", "#3f9aa3")
NOT_SHOWN = "no effect is shown: the data are not sound, or the primary metric is not in the logs"


def effect_chart(analysis: Analysis) -> Drawing:
    """Plot the lift of each metric and arm with its interval; green if better, orange if worse.

    Raises:
        DataError: if no effect is shown.
    """
    shown = [one for one in analysis.comparisons if one.effect.relative is not None]
    if not shown:
        raise DataError(NOT_SHOWN)
    guards = analysis.experiment.guardrails
    margins = {guard.metric: guard.margin for guard in guards if guard.scale is MarginScale.RELATIVE}
    figure = new_figure(WIDTH, 1.3 + _ROW * len(shown), "Effect on each metric")
    axes = figure.subplots()
    several = len({one.arm for one in analysis.comparisons}) > 1
    labels = []
    for row, one in enumerate(shown):
        color = GOOD if one.better else BAD if one.worse else FAINT
        if one.guardrail is not None:
            color = {"safe": GOOD, "harmed": BAD, "unclear": FAINT}[one.guardrail.verdict]
        _span(axes, row, one.effect.relative, color)
        labels.append(f"{METRIC_WORDS[one.metric]}{f', {one.arm}' if several else ''}  ({one.role.value})")
        share = margins.get(one.metric)
        if share is not None:
            edge = -share if one.direction is Direction.INCREASE else share
            axes.plot([100 * edge] * 2, [row - 0.3, row + 0.3], color=BAD, linewidth=1.6, linestyle=(0, (2, 1)))
    _names(axes, labels)
    axes.axvline(0, color=INK, linewidth=1)
    levels = {f"{one.effect.level * 100:g} %" for one in shown}
    tidy(axes, f"change against the control, % ({', '.join(sorted(levels))} interval; dashed: a guardrail's margin)")
    _limit(axes, [one.effect.relative for one in shown if one.effect.relative is not None])
    return Drawing(figure)


def time_chart(analysis: Analysis) -> Drawing:
    """Plot the primary metric's lift by day, with intervals that hold on all days together.

    Raises:
        DataError: if no effect is shown.
    """
    looks = [look for look in analysis.over_time if any(_finite(effect) for effect in look.effects.values())]
    if not looks:
        raise DataError(NOT_SHOWN)
    metric = METRIC_WORDS[analysis.experiment.primary.name]
    figure = new_figure(WIDTH, 4.0, f"Effect on {metric} over time")
    axes = figure.subplots()
    names = list(looks[-1].effects)
    for name, color in zip(names, _COLORS * len(names), strict=False):
        found = [(look.at, look.effects[name].relative) for look in looks if _finite(look.effects[name])]
        when = np.array([at for at, _ in found], dtype="datetime64[s]")
        bands = [estimate for _, estimate in found if estimate is not None]
        low, high = [100 * one.low for one in bands], [100 * one.high for one in bands]
        axes.fill_between(when, low, high, color=color, alpha=0.16, linewidth=0)
        axes.plot(when, [100 * one.value for one in bands], "o-", color=color, markersize=3.5, label=name)
    axes.axhline(0, color=INK, linewidth=1)
    tidy(axes, y_label="change against the control, %")
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    zone = analysis.experiment.decision.zone
    # matplotlib counts days since 1970.
    axes.xaxis.set_major_formatter(
        lambda days, _: datetime.fromtimestamp(days * SECONDS_PER_DAY, zone).strftime("%d %b")
    )
    axes.set_ylim(*_ends([look.effects[name].relative for look in looks[len(looks) // 4 :] for name in look.effects]))
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(names), frameon=False, fontsize=TEXT_SIZE)
    return Drawing(figure)


def novelty_chart(analysis: Analysis) -> Drawing:
    """Plot the primary metric's lift by day since the first exposure, with each day's own interval and the trend.

    Raises:
        DataError: if no arm has enough values on enough days.
    """
    if not analysis.novelty:
        raise DataError("no arm has enough values on enough days since the first exposure")
    figure = new_figure(WIDTH, 3.2, "Effect by day since the first exposure")
    axes = figure.subplots()
    for place, (one, color) in enumerate(zip(analysis.novelty, _COLORS * len(analysis.novelty), strict=False)):
        # Arms lie side by side within a day.
        days = np.array([day.day for day in one.days]) + 0.12 * place
        lifts = np.array([[day.lift.low, day.lift.value, day.lift.high] for day in one.days]).clip(-_FAR, _FAR)
        axes.vlines(days, 100 * lifts[:, 0], 100 * lifts[:, 2], color=color, alpha=0.45, linewidth=2)
        axes.plot(days, 100 * lifts[:, 1], "o", color=color, markersize=4, label=one.arm)
        fitted = np.interp(
            np.log(days - 0.12 * place), np.log([one.days[0].day, one.days[-1].day]), [one.first, one.last]
        )
        axes.plot(days, 100 * fitted, color=color, linewidth=1.4)
    axes.axhline(0, color=INK, linewidth=1)
    tidy(axes, "days since the first exposure", y_label="change against the control, %")
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    axes.set_ylim(*_ends([day.lift for one in analysis.novelty for day in one.days]))
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(analysis.novelty), frameon=False, fontsize=TEXT_SIZE
    )
    return Drawing(figure)


def segment_chart(analysis: Analysis) -> Drawing:
    """Plot the primary metric's lift in each segment, colored if significant after Benjamini-Hochberg.

    Raises:
        DataError: if no segment has enough units.
    """
    shown = [one for one in analysis.segments if one.effect.relative is not None]
    if not shown:
        raise DataError("no segment has enough units in every arm")
    figure = new_figure(WIDTH, 1.3 + _ROW * len(shown), "Effect in segments")
    axes = figure.subplots()
    for row, one in enumerate(shown):
        found = one.p_corrected <= analysis.experiment.decision.alpha
        rises = one.effect.absolute.value > 0
        good = rises == (analysis.experiment.primary.direction is Direction.INCREASE)
        _span(axes, row, one.effect.relative, (GOOD if good else BAD) if found else FAINT)
    several = len({one.arm for one in shown}) > 1
    _names(
        axes,
        [f"{one.column}: {one.value}{f', {one.arm}' if several else ''}  ({one.units:,} units)" for one in shown],
    )
    axes.axvline(0, color=INK, linewidth=1)
    metric = METRIC_WORDS[analysis.experiment.primary.name]
    tidy(axes, f"change of {metric} against the control, % (grey: not shown to differ from 0)")
    _limit(axes, [one.effect.relative for one in shown if one.effect.relative is not None])
    return Drawing(figure)


def health_chart(analysis: Analysis) -> Drawing:
    """Plot the units of each arm, and those expected by the declared split."""
    shares, units = analysis.experiment.shares, analysis.units
    total = sum(units.values())
    figure = new_figure(WIDTH, 1.2 + 0.45 * len(units), "Units of each arm")
    axes = figure.subplots()
    for row, (name, count) in enumerate(units.items()):
        axes.barh(row, count, height=0.55, color=PLAIN if name != analysis.experiment.control else FAINT)
        expected = shares[name] * total
        axes.plot([expected] * 2, [row - 0.38, row + 0.38], color=ACCENT, linewidth=2)
    _names(axes, [f"{name} (control)" if name == analysis.experiment.control else name for name in units])
    axes.set_xlim(0, 1.06 * max(max(units.values()), max(shares.values()) * total))
    tidy(axes, "units (orange: expected by the declared split)")
    return Drawing(figure)


def _names(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)


def _span(axes: Axes, row: int, estimate: Estimate | None, color: str) -> None:
    if estimate is None:
        return
    low, high = max(estimate.low, -_FAR), min(estimate.high, _FAR)
    axes.plot([100 * low, 100 * high], [row, row], color=color, linewidth=2.4, solid_capstyle="round")
    axes.plot(100 * estimate.value, row, "o", markersize=6.5, color=color)


def _finite(effect: Effect) -> bool:
    return effect.relative is not None and math.isfinite(effect.relative.low) and math.isfinite(effect.relative.high)


def _ends(estimates: Sequence[Estimate | None]) -> tuple[float, float]:
    """Return limits of the axis in %, including 0; infinite bounds run out of the plot."""
    bounds = [
        100 * bound
        for one in estimates
        if one is not None
        for bound in (one.low, one.value, one.high)
        if math.isfinite(bound)
    ]
    low, high = min([0.0, *bounds]), max([0.0, *bounds])
    pad = 0.06 * (high - low or 1.0)
    return low - pad, high + pad


def _limit(axes: Axes, estimates: Sequence[Estimate | None]) -> None:
    axes.set_xlim(*_ends(estimates))
