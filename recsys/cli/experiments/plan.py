"""Command `recsys experiment plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.experiments.arguments import (
    ColumnOption,
    DatesOption,
    DecimalOption,
    EncodingOption,
    parse_reading,
    parse_weights,
)
from recsys.cli.experiments.logs import load_variety, open_logs
from recsys.cli.shared import choose, open_project

if TYPE_CHECKING:
    from recsys.dataset.project import Project
    from recsys.experiments.analysis.experiment_plan import ExperimentPlan, Goal
    from recsys.experiments.analysis.log_sources import Reading
    from recsys.experiments.analysis.planning import Rules
    from recsys.experiments.design.definition import Experiment, UnitKind
    from recsys.experiments.stats.power import Baseline


def plan(
    path: Annotated[
        Path | None, typer.Argument(metavar="[PROJECT]", help="Project folder; not needed with numbers.")
    ] = None,
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="Experiment whose arms, metrics and rules are planned.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME[:DIRECTION]", help="Metric; the first one decides; repeatable.")
    ] = None,
    effect: Annotated[
        float | None, typer.Option(help="Smallest change of the first metric that matters, as 0.05 for 5 %.")
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=WEIGHT]", help="Arm; the first one is the control; repeatable. Default: 2 equal."),
    ] = None,
    baseline: Annotated[
        float | None, typer.Option(help="Mean of the metric, instead of logs; alone it is a rate in (0, 1).")
    ] = None,
    deviation: Annotated[
        float | None, typer.Option(help="Standard deviation of a unit's value, for metrics that are no rates.")
    ] = None,
    units_per_day: Annotated[float | None, typer.Option(help="New units a day; needs --baseline.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=365, help="Planned length in days.")] = None,
    looks: Annotated[str | None, typer.Option(help="any (or sequential), or fixed for one look. Default: any.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Two-sided type I error rate. Default: 0.05.")] = None,
    power: Annotated[float | None, typer.Option(help="Probability to find the effect. Default: 0.8.")] = None,
    coverage: Annotated[
        float | None, typer.Option(min=0.0001, max=1.0, help="Share of units in the experiment. Default: 1.")
    ] = None,
    unit: Annotated[str, typer.Option(help="Unit of assignment, user or session.")] = "user",
    exposures: Annotated[Path | None, typer.Option(help="Log of exposures; needs --events.")] = None,
    events: Annotated[Path | None, typer.Option(help="Log of events. Default of both: the live data.")] = None,
    column: ColumnOption = None,
    decimal: DecimalOption = None,
    dates: DatesOption = None,
    encoding: EncodingOption = None,
    out: Annotated[Path | None, typer.Option(help="Write the plan with its plot: .html, .png, .md or .json.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")] = False,
) -> None:
    """Plan an experiment: units and days that it needs, and the smallest effect that each day can find."""
    from dataclasses import replace

    from recsys.experiments.analysis.experiment_plan import Goal, list_goals, plan_from_numbers
    from recsys.experiments.analysis.planning import Rules
    from recsys.experiments.design.definition import Looks, UnitKind
    from recsys.experiments.design.files import find_file, load_experiment
    from recsys.experiments.design.metric_names import Direction, MetricName
    from recsys.reports.experiment_page import analysis_json
    from recsys.reports.plan_page import plan_lines, write_plan

    if (exposures is None) != (events is None):
        raise typer.BadParameter("give both --exposures and --events, or none of them")
    reading = parse_reading(column, decimal, dates, encoding)
    if reading is not None and exposures is None:
        raise typer.BadParameter("--column, --decimal, --dates and --encoding are for files; give --exposures")
    if baseline is None and (deviation is not None or units_per_day is not None):
        raise typer.BadParameter("--deviation and --units-per-day need --baseline; logs have their own")
    project = None if path is None else open_project(path)
    one = None if project is None or key is None else load_experiment(find_file(project.experiments, key))
    default = "ctr" if baseline is None or deviation is not None else "conversion"
    given = [text.partition(":") for text in metric or ([] if one else [default])]
    goals = [
        Goal(
            choose(MetricName, name, "--metric"),
            effect if number == 0 else None,
            choose(Direction, direction or "increase", "--metric"),
        )
        for number, (name, _, direction) in enumerate(given)
    ]
    if one is not None:
        goals = goals or list_goals(one, effect)
    rules = _rules(arm) if one is None or arm else Rules.from_experiment(one)
    monitoring = None if looks is None else Looks.SEQUENTIAL if looks == "any" else choose(Looks, looks, "--looks")
    rules = replace(
        rules,
        alpha=rules.alpha if alpha is None else alpha,
        power=rules.power if power is None else power,
        looks=monitoring or rules.looks,
    )
    if baseline is not None or project is None:
        if deviation is None and goals[0].metric is not MetricName.CONVERSION:
            raise typer.BadParameter(
                f"{goals[0].metric} is no share of units, so its mean does not tell its variance: give --deviation, or "
                "a PROJECT with logs"
            )
        given_baseline = _parse_baseline(baseline, deviation)
        found = plan_from_numbers(given_baseline, goals[0], rules, units_per_day=units_per_day, days=days)
    else:
        kind = choose(UnitKind, unit, "--unit") if one is None else one.unit
        found = _from_logs(project, one, goals, rules, kind, coverage, days, exposures, events, reading)
    if out is not None:
        write_plan(found, out)
    if json_:
        typer.echo(analysis_json(found))
    else:
        for line in plan_lines(found):
            typer.echo(line)


def _rules(arms: list[str] | None) -> Rules:
    from recsys.experiments.analysis.planning import Rules

    weights = parse_weights(arms or ["control", "treatment"])
    total = sum(weights.values())
    if total <= 0.0 or min(weights.values()) < 0.0:
        raise typer.BadParameter("--arm: give weights above 0")
    return Rules({name: weight / total for name, weight in weights.items()}, next(iter(weights)))


def _parse_baseline(mean: float | None, deviation: float | None) -> Baseline:
    from recsys.experiments.stats.power import Baseline

    if mean is None:
        raise typer.BadParameter("give a PROJECT with logs, or --baseline with numbers")
    if deviation is None:
        return Baseline.from_rate(mean)
    if deviation <= 0.0:
        raise typer.BadParameter(f"--deviation {deviation:g}: give a number above 0")
    return Baseline(mean, deviation**2)


def _from_logs(
    project: Project,
    one: Experiment | None,
    goals: list[Goal],
    rules: Rules,
    unit: UnitKind,
    coverage: float | None,
    days: int | None,
    exposures: Path | None,
    events: Path | None,
    reading: Reading | None,
) -> ExperimentPlan:
    from recsys.experiments.analysis.baselines import build_logs
    from recsys.experiments.analysis.experiment_plan import MEASURED_DAYS, plan_from_logs

    share = coverage
    if share is None:
        share = 1.0 if one is None else one.exposed_share
    if exposures is None and not project.has_live_data and project.interactions_file.exists():
        # A shop that has not served yet has its imported events: they tell who comes and who buys.
        imported = build_logs(project.load_imported_interactions(), days or MEASURED_DAYS)
        return plan_from_logs(imported, goals, rules, coverage=share, days=days, unit=unit, name="imported events")
    with open_logs(project, unit, exposures, events, None, reading) as logs:
        variety = load_variety(project, [goal.metric for goal in goals], None)
        return plan_from_logs(logs, goals, rules, coverage=share, days=days, unit=unit, diversity=variety)
