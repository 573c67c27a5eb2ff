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
    new_figure,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEYOND = {
    "style_diversity": "variety of looks in a list\n(style diversity: 1 less mean cosine)",
    "coverage": "share of the catalog\nthat is shown to somebody",
    "novelty": "how little known the items are\n(novelty, bits)",
}
_ROW = 0.3
"""Inches a model's row takes."""
_NAME_GAP = 0.055
"""What a name takes of a panel's height."""


def accuracy_chart(report: ComparisonReport, metric: str = "ndcg") -> Drawing:
    """Every model's figure with its interval, and its paired difference from the report's baseline.

    Raises DataError for a metric that the report does not have.
    """
    _check_metric(report, metric)
    names = _by_figure(report.whole, metric)
    label = metric_label(report, metric)
    figure = new_figure(9.5, 1.3 + _ROW * len(names), f"How good are the lists? {label}, {report.whole.users:,} people")
    left, right = figure.subplots(1, 2, sharey=True)
    _rows(left, names, report)
    for row, name in enumerate(names):
        _span(left, row, report.whole.figures[name][metric].interval, _color(report, name))
        difference = report.whole.figures[name][metric].difference
        if difference is not None:
            _span(right, row, difference, _color(report, name))
    tidy(left, f"{label} (95 % interval)")
    tidy(right, f"difference from {report.baseline}, same people (95 % interval)")
    left.set_xlim(left=0)
    right.axvline(0, color=ACCENT, linewidth=1)
    return Drawing(figure)


def slice_chart(report: ComparisonReport, metric: str = "ndcg") -> Drawing:
    """Every model's figure in each slice of enough people to say something; the title names those left out.

    Raises DataError for a metric that slices are not measured by, or where all slices are of few people.
    """
    _check_metric(report, metric)
    names = _by_figure(report.whole, metric)
    label = metric_label(report, metric)
    parts = [part for part in report.slices if part.users >= FEW_PEOPLE]
    if not parts:
        raise DataError(f"no slice has {FEW_PEOPLE} people: there is nothing to draw")
    few = [f"{part.name}, {part.users}" for part in report.slices if part not in parts]
    left_out = f" (too few people to show: {'; '.join(few)})" if few else ""
    figure = new_figure(9.5, 1.8 + _ROW * len(names), f"For whom, and for which items?{left_out}")
    panels = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    _rows(panels[0], names, report)
    for axes, part in zip(panels, parts, strict=True):
        for row, name in enumerate(names):
            _span(axes, row, part.figures[name][metric].interval, _color(report, name))
        title = f"{part.name}\n{part.users:,} people, {part.relevant_items:,} items to find"
        tidy(axes, f"{label} (95 % interval)", title)
        axes.set_xlim(left=0)
    return Drawing(figure)


def beyond_chart(report: ComparisonReport, metric: str = "ndcg") -> Drawing:
    """Accuracy against what else a list should be: varied, wide in the catalog, new; controls are left out.

    Raises DataError for a metric that the report does not have.
    """
    _check_metric(report, metric)
    names = [name for name in _by_figure(report.whole, metric) if name not in controls_of(report).values()]
    shown = {key: words for key, words in BEYOND.items() if key in report.whole.figures[report.baseline]}
    figure = new_figure(9.5, 4.2, "Accuracy against what else a list should be (up and right is better)")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, (key, words) in zip(panels, shown.items(), strict=True):
        tidy(axes, words)
        axes.grid(axis="y", color=RULE, linewidth=0.7)
        axes.margins(0.1)
        points = [_mean_point(report.whole.figures[name], key, metric) for name in names]
        for name, (x, y) in zip(names, points, strict=True):
            axes.plot(x, y, "o", markersize=6, color=_color(report, name))
    panels[0].set_ylabel(metric_label(report, metric), fontsize=TEXT_SIZE, color=INK)
    for axes, key in zip(panels, shown, strict=True):
        _name_points(axes, {name: _mean_point(report.whole.figures[name], key, metric) for name in names})
    return Drawing(figure)


def style_chart(report: ComparisonReport, metric: str = "ndcg") -> Drawing:
    """Plot the effect of style: the baseline's lead over its controls, among all and in each slice of enough people.

    Raises DataError where the report has no controls.
    """
    _check_metric(report, metric)
    controls = controls_of(report)
    if not controls:
        raise DataError(f"the comparison has no controls of {report.baseline!r}: ask for them by controls=True")
    parts = [part for part in (report.whole, *report.slices) if part.users >= FEW_PEOPLE]
    figure = new_figure(9.5, 1.6 + 0.5 * len(parts), f"What does the style add? Lead of {report.baseline}")
    axes = figure.subplots()
    for place, (control, name) in enumerate(controls.items()):
        shift, color = 0.13 * (1 - 2 * place), (PLAIN, FAINT)[place]
        for row, part in enumerate(parts):
            found = conclude(part, report.baseline, report.baseline, name, metric)
            if found is not None:
                _span(axes, row - shift, found.difference, color)
        axes.plot([], [], "o-", color=color, label=f"over itself with {control}")
    axes.set_yticks(range(len(parts)), [f"{part.name}\n{part.users:,} people" for part in parts])
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.axvline(0, color=ACCENT, linewidth=1)
    tidy(
        axes,
        f"difference in {metric_label(report, metric)}, same people (95 % interval); right of the line: style helps",
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.22), ncols=2, frameon=False, fontsize=TEXT_SIZE)
    return Drawing(figure)


def _rows(axes: Axes, names: Sequence[str], report: ComparisonReport) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    for text, name in zip(axes.get_yticklabels(), names, strict=True):
        text.set_fontweight("bold" if name == report.baseline else "normal")


def _span(axes: Axes, row: float, interval: Interval, color: str) -> None:
    axes.plot([interval.low, interval.high], [row, row], color=color, linewidth=2, solid_capstyle="round")
    axes.plot(interval.mean, row, "o", markersize=6, color=color, clip_on=False)


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
    """Falling heights in [0, 1], moved as little as it takes to be `gap` apart: down first, then up off the floor."""
    found = list(heights)
    for place in range(1, len(found)):
        found[place] = min(found[place], found[place - 1] - gap)
    for place in reversed(range(len(found))):
        found[place] = max(found[place], gap * (len(found) - 1 - place))
    return found


def _by_figure(part: SliceReport, metric: str) -> list[str]:
    """Model names, best first."""
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
