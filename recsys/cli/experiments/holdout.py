"""Command `recsys experiment holdout`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.experiments.arguments import (
    ColumnOption,
    DatesOption,
    DecimalOption,
    EncodingOption,
    parse_moment,
    parse_reading,
)
from recsys.cli.experiments.logs import load_variety, open_logs
from recsys.cli.shared import ProjectPath, choose, open_project


def holdout(
    path: ProjectPath,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Name of the holdout; not needed if there is one.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:decrease]", help="Metric, repeatable. Default: those of the experiments."),
    ] = None,
    exposures: Annotated[
        Path | None, typer.Option(help="Log of all lists, also outside of experiments; needs --events.")
    ] = None,
    events: Annotated[Path | None, typer.Option(help="Log of events. Default of all logs: the live data.")] = None,
    feedback: Annotated[Path | None, typer.Option(help="Log of ratings of restyled images.")] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="Style vectors, .parquet with item_id and vector. Default: the bundle's.")
    ] = None,
    planned_units: Annotated[
        int | None, typer.Option(min=1, help="Units at which always-valid intervals are narrowest.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Analyze the logs as they were then; with time zone.")
    ] = None,
    column: ColumnOption = None,
    decimal: DecimalOption = None,
    dates: DatesOption = None,
    encoding: EncodingOption = None,
    out: Annotated[Path | None, typer.Option(help="Write the page: .html, .md or .json.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print all results as JSON.")] = False,
) -> None:
    """Compare all other units with the held-out ones; exit with 1 if the data are not sound."""
    from recsys.clock import now
    from recsys.experiments.analysis.holdout import analyze_holdout, find_holdout
    from recsys.experiments.design.definition import Metric
    from recsys.experiments.design.metric_names import Direction, MetricName
    from recsys.experiments.design.registry import Registry
    from recsys.reports.experiment_page import analysis_json, render_experiment, write_experiment_page

    if (exposures is None) != (events is None) or (feedback is not None and exposures is None):
        raise typer.BadParameter("give both --exposures and --events, or none of them; --feedback needs both")
    reading = parse_reading(column, decimal, dates, encoding)
    if reading is not None and exposures is None:
        raise typer.BadParameter(
            "--column, --decimal, --dates and --encoding are for files; give --exposures and --events"
        )
    given = [text.partition(":") for text in metric or ()]
    metrics = [
        Metric(
            name=choose(MetricName, metric_name, "--metric"),
            direction=choose(Direction, direction or "increase", "--metric"),
        )
        for metric_name, _, direction in given
    ]
    project = open_project(path)
    registry = Registry(project.experiments)
    for problem in registry.problems.values():
        typer.secho(f"note: not in this report: {problem}", err=True)
    experiments = find_holdout(registry.experiments.values(), name)
    measured = [one.name for one in metrics] or [one.name for each in experiments for one in each.metrics]
    with open_logs(project, experiments[0].unit, exposures, events, feedback, reading) as logs:
        found = analyze_holdout(
            experiments,
            metrics,
            logs,
            now(),
            until=None if until is None else parse_moment(until, "--until"),
            diversity=load_variety(project, measured, vectors),
            planned_units=planned_units,
        )
    if out is not None:
        write_experiment_page(found, out)
    if json_:
        typer.echo(analysis_json(found))
    elif out is None:
        typer.echo(render_experiment(found, ".md", plots=False), nl=False)
    else:
        typer.echo(f"{found.experiment.key}: {found.decision.why[0]} Wrote {out}")
    raise typer.Exit(0 if found.healthy else 1)
