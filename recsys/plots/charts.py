"""Charts of a comparison of models: accuracy, slices, properties beyond accuracy, and the effect of style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from recsys.errors import DataError
from recsys.evaluation.comparison import ComparisonReport, MetricValue, SliceReport
from recsys.evaluation.conclusions import FEW_PEOPLE, conclude, controls_of, metric_label
from recsys.evaluation.significance import Interval
from recsys.reports.drawing import (
    ACCENT,
    FAINT,
    INK,
    PLAIN,
    RULE,
    SMALL_SIZE,
    TEXT_SIZE,
    Drawing,
    draw_interval,
    label_rows,
    new_figure,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEYOND = {
    "style_diversity": "variety of styles in a list\n(style diversity: 1 - mean cosine)",
    "coverage": "share of the catalog\nthat is in some list",
    "novelty": "novelty of the items\n(bits)",
}
_ROW = 0.3
"""Height of a model's row, in inches."""
_NAME_GAP = 0.055
"""Height of a name, as a share of its panel."""


def accuracy_chart(report: ComparisonReport, metric: str = "ndcg") -> Drawing:
    """Plot each model's metric with its interval, and its paired difference from the report's baseline.

    Raises DataError for a metric that the report does not have.
    """
    _check_metric(report, metric)
    names = _by_figure(report.whole, metric)
    label = metric_label(report, metric)
    figure = new_figure(9.5, 1.3 + _ROW * len(names), f"How good are the lists? {label}, {report.whole.users:,} users")
    left, right = figure.subplots(1, 2, sharey=True)
    label_rows(left, names, report.baseline)
    for row, name in enumerate(names):
        _span(left, row, report.whole.figures[name][metric].interval, _color(report, name))
        difference = report.whole.figures[name][metric].difference
        if difference is not None:
            _span(right, row, difference, _color(report, name))
    tidy(left, f"{label} (95 % interval)")
    tidy(right, f"difference from {report.baseline}, same users (95 % interval)")
    left.set_xlim(left=0)
    right.axvline(0, color=ACCENT, linewidth=1)
    return Drawing(figure)


def slice_chart(report: ComparisonReport, metric: str = "ndcg") -> Drawing:
    """Plot each model's metric in each slice with enough users; the title names the slices that are left out.

    Raises DataError for a metric that the slices do not have, or if all slices have few users.
    """
    _check_metric(report, metric)
    names = _by_figure(report.whole, metric)
    label = metric_label(report, metric)
    parts = [part for part in report.slices if part.users >= FEW_PEOPLE]
    if not parts:
        raise DataError(f"no slice has {FEW_PEOPLE} users: there is nothing to draw")
    few = [f"{part.name}, {part.users}" for part in report.slices if part not in parts]
    left_out = f" (too few users to show: {'; '.join(few)})" if few else ""
    figure = new_figure(9.5, 1.8 + _ROW * len(names), f"For which users and items?{left_out}")
    panels = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    label_rows(panels[0], names, report.baseline)
    for axes, part in zip(panels, parts, strict=True):
        for row, name in enumerate(names):
            _span(axes, row, part.figures[name][metric].interval, _color(report, name))
        title = f"{part.name}\n{part.users:,} users, {part.relevant_items:,} items to find"
        tidy(axes, f"{label} (95 % interval)", title)
        axes.set_xlim(left=0)
    return Drawing(figure)


def beyond_chart(report: ComparisonReport, metric: str = "ndcg") -> Drawing:
    """Plot accuracy against style diversity, coverage and novelty; controls are left out.

    Raises DataError for a metric that the report does not have.
    """
    _check_metric(report, metric)
    names = [name for name in _by_figure(report.whole, metric) if name not in controls_of(report).values()]
    shown = {key: words for key, words in BEYOND.items() if key in report.whole.figures[report.baseline]}
    figure = new_figure(9.5, 4.2, "Accuracy against diversity, coverage and novelty (up and right is better)")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, (key, words) in zip(panels, shown.items(), strict=True):
        tidy(axes, words, y_label=metric_label(report, metric) if axes is panels[0] else "")
        axes.grid(axis="y", color=RULE, linewidth=0.7)
        axes.margins(0.1)
        points = [_mean_point(report.whole.figures[name], key, metric) for name in names]
        for name, (x, y) in zip(names, points, strict=True):
            axes.plot(x, y, "o", markersize=6, color=_color(report, name))
    for axes, key in zip(panels, shown, strict=True):
        _name_points(axes, {name: _mean_point(report.whole.figures[name], key, metric) for name in names})
    return Drawing(figure)


def style_chart(report: ComparisonReport, metric: str = "ndcg") -> Drawing:
    """Plot the effect of style: the baseline's lead over its controls, for all users and by slice.

    Slices with few users are left out.

    Raises DataError if the report has no controls.
    """
    _check_metric(report, metric)
    controls = controls_of(report)
    if not controls:
        raise DataError(f"the comparison has no controls of {report.baseline!r}: compare with controls=True")
    parts = [part for part in (report.whole, *report.slices) if part.users >= FEW_PEOPLE]
    figure = new_figure(9.5, 1.6 + 0.5 * len(parts), f"Effect of style: lead of {report.baseline}")
    axes = figure.subplots()
    for number, (control, name) in enumerate(controls.items()):
        shift, color = 0.13 * (1 - 2 * number), (PLAIN, FAINT)[number]
        for row, part in enumerate(parts):
            found = conclude(part, report.baseline, report.baseline, name, metric)
            if found is not None:
                _span(axes, row - shift, found.difference, color)
        axes.plot([], [], "o-", color=color, label=f"over itself with {control}")
    label_rows(axes, [f"{part.name}\n{part.users:,} users" for part in parts])
    axes.axvline(0, color=ACCENT, linewidth=1)
    tidy(
        axes,
        f"difference in {metric_label(report, metric)}, same users (95 % interval); right of the line: style helps",
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.22), ncols=2, frameon=False, fontsize=TEXT_SIZE)
    return Drawing(figure)


def _span(axes: Axes, row: float, interval: Interval, color: str) -> None:
    draw_interval(axes, row, (interval.low, interval.high), interval.mean, color)


def _name_points(axes: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Write the names of points (data units), highest first, in a column at the right, each joined to its point."""
    low, high = axes.get_ylim()
    heights = spread_out([(y - low) / (high - low) for _, y in points.values()], _NAME_GAP)
    for (name, point), height in zip(points.items(), heights, strict=True):
        axes.annotate(
            name,
            point,
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            fontsize=SMALL_SIZE,
            color=INK,
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 3},
        )


def spread_out(heights: Sequence[float], gap: float) -> list[float]:
    """Move falling heights in [0, 1] apart until they differ by `gap`: first down, then up from the lower end."""
    found = list(heights)
    for index in range(1, len(found)):
        found[index] = min(found[index], found[index - 1] - gap)
    for index in reversed(range(len(found))):
        found[index] = max(found[index], gap * (len(found) - 1 - index))
    return found


def _by_figure(part: SliceReport, metric: str) -> list[str]:
    """Return the names of the models, best first."""
    return sorted(part.figures, key=lambda name: (-part.figures[name][metric].interval.mean, name))


def _mean_point(figures: Mapping[str, MetricValue], x: str, y: str) -> tuple[float, float]:
    return figures[x].interval.mean, figures[y].interval.mean


def _color(report: ComparisonReport, name: str) -> str:
    if name == report.baseline:
        return ACCENT
    return FAINT if name in controls_of(report).values() else PLAIN


def _check_metric(report: ComparisonReport, metric: str) -> None:
    known = report.whole.figures[report.baseline]
    if metric not in known:
        raise DataError(f"{metric!r} is none of the metrics compared: {', '.join(known)}")
