"""Plan of an experiment as text, as a plot, and as a self-contained page."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from recsys.errors import ConfigError, DataError
from recsys.experiments.analysis.experiment_plan import ExperimentPlan
from recsys.experiments.analysis.planning import LONGEST_PLAN_DAYS, MetricPlan
from recsys.experiments.design.definition import Looks
from recsys.reports.drawing import ACCENT, PLAIN, RULE, TEXT_SIZE, Drawing, new_figure, tidy
from recsys.reports.experiment_page import analysis_json
from recsys.reports.inline_images import write_file
from style.provenance.mark import ImageFormat

_COLORS = (PLAIN, "#8a6fae", "#2f7d4f", "#b59b4c", "#3f9aa3")


def plan_lines(plan: ExperimentPlan) -> list[str]:
    """Return the plan as lines of text: rules, units and days by metric, and the smallest effect by week."""
    arms = " / ".join(f"{name} {share:.3g}" for name, share in plan.shares.items())
    looks = "any look" if plan.looks is Looks.SEQUENTIAL else "one look"
    rate = "" if plan.units_per_day is None else f", {plan.units_per_day:,.0f} new units a day"
    lines = [
        f"{looks}, alpha {plan.alpha:g}, power {plan.power:g}, shares {arms} (control {plan.control})",
        f"baseline: {plan.source}{rate}",
        "",
        f"{'metric':<18} {'mean':>10} {'deviation':>10} {'effect':>8} {'units':>12} {'days':>5}  units by arm",
    ]
    for one in plan.metrics:
        effect = units = days = "–"
        by_arm = ""
        if one.needs is not None:
            effect, units = f"{one.needs.effect:.3g}", f"{one.needs.units:,}"
            days = _days(plan, one)
            by_arm = ", ".join(f"{name} {count:,}" for name, count in one.needs.units_by_arm.items())
        lines.append(
            f"{one.metric:<18} {one.mean:>10.4g} {one.deviation:>10.4g} {effect:>8} {units:>12} {days:>5}  {by_arm}"
        )
    first = plan.metrics[0].needs if plan.metrics else None
    if first is not None:
        word = "any" if plan.looks is Looks.SEQUENTIAL else "fixed"
        lines.append(f"declare this size, which the power assumes: --looks {word} --planned-units {first.units}")
    lines += [f"{name}: not in the logs: {why}" for name, why in plan.unmeasured.items()]
    curves = [one for one in plan.metrics if one.curve]
    if curves:
        lines += ["", "smallest detectable effect (share of the mean, or in the metric's unit)"]
        lines.append(f"{'day':>4} {'units':>10}  " + " ".join(f"{one.metric:>18}" for one in curves))
        last = len(curves[0].curve)
        for day in sorted({1, *range(7, last + 1, 7), last}):
            points = [one.curve[day - 1] for one in curves]
            cells = " ".join(f"{_smallest(point.relative, point.absolute):>18}" for point in points)
            lines.append(f"{day:>4} {points[0].units:>10,}  {cells}")
    return lines


def plan_chart(plan: ExperimentPlan) -> Drawing:
    """Plot the smallest detectable effect of each metric by day; dashed: the planned effect and its day.

    Raises:
        DataError: if the rate of new units is unknown, so that there are no days.
    """
    shown = [one for one in plan.metrics if any(point.relative is not None for point in one.curve)]
    if not shown:
        raise DataError("no curve to plot: give the number of new units a day, or logs")
    figure = new_figure(9.5, 4.2, "Smallest detectable effect by day")
    axes = figure.subplots()
    for one, color in zip(shown, _COLORS * len(shown), strict=False):
        points = [(point.day, 100 * point.relative) for point in one.curve if point.relative is not None]
        axes.plot(*zip(*points, strict=True), color=color, linewidth=2, label=one.metric)
        if one.needs is not None:
            axes.axhline(100 * one.needs.effect, color=ACCENT, linewidth=1, linestyle=(0, (4, 3)))
            if one.needs.days is not None and one.needs.days <= len(one.curve):
                axes.axvline(one.needs.days, color=ACCENT, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_ylim(0.0, None)
    tidy(axes, "days", y_label="smallest detectable effect, %")
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    axes.legend(frameon=False, fontsize=TEXT_SIZE)
    return Drawing(figure)


def write_plan(plan: ExperimentPlan, out: Path) -> None:
    """Write the plan to `out`: a page (.html), the plot only (.png), text (.md) or all numbers (.json).

    Raises:
        ConfigError: if the suffix is another one.
        DataError: for a plot without days.
        MissingExtraError: if matplotlib, which plots need, is missing.
    """
    suffix = out.suffix.lower()
    if suffix == ".json":
        write_file(out, analysis_json(plan).encode())
    elif suffix == ".png":
        plan_chart(plan).save(out)
    elif suffix == ".md":
        write_file(out, "\n".join(["```", *plan_lines(plan), "```", ""]).encode())
    elif suffix == ".html":
        write_file(out, render_plan(plan).encode())
    else:
        raise ConfigError(f"{out}: unknown suffix {suffix!r}; give .html, .png, .md or .json")


def render_plan(plan: ExperimentPlan) -> str:
    """Render the plan as a self-contained HTML page; needs matplotlib if there is a curve."""
    source = ""
    if any(one.curve for one in plan.metrics):
        png = plan_chart(plan).encode(ImageFormat.PNG)
        source = "data:image/png;base64," + base64.b64encode(png).decode()
    environment = Environment(
        loader=PackageLoader("recsys.reports"), autoescape=select_autoescape(("html.j2",)), undefined=StrictUndefined
    )
    return environment.get_template("plan.html.j2").render(lines="\n".join(plan_lines(plan)), plot=source)


def _days(plan: ExperimentPlan, one: MetricPlan) -> str:
    if one.needs is None or plan.units_per_day is None:
        return "–"
    return f">{LONGEST_PLAN_DAYS}" if one.needs.days is None else str(one.needs.days)


def _smallest(relative: float | None, absolute: float | None) -> str:
    if relative is not None:
        return f"{relative * 100:.2f} %"
    return "–" if absolute is None else f"{absolute:.4g}"
