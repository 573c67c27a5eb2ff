"""Command `recsys experiment analyze`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.experiments.arguments import (
    ColumnOption,
    DatesOption,
    DecimalOption,
    EncodingOption,
    Key,
    parse_moment,
    parse_reading,
)
from recsys.cli.experiments.logs import describe_reading, load_variety, open_logs
from recsys.cli.shared import ProjectPath, open_project


def analyze(
    path: ProjectPath,
    key: Key,
    exposures: Annotated[
        Path | None, typer.Option(help="Log of exposures, as import reads it; needs --events.")
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
        str | None,
        typer.Option(metavar="DATE", help="Analyze the logs as they were then; with time zone, as 2026-12-24T09:00Z."),
    ] = None,
    assigned_elsewhere: Annotated[
        bool, typer.Option("--assigned-elsewhere", help="Do not check arms: another system assigned them.")
    ] = False,
    column: ColumnOption = None,
    decimal: DecimalOption = None,
    dates: DatesOption = None,
    encoding: EncodingOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read the files and say what was read.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the page: .html, .md or .json.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print all results as JSON.")] = False,
) -> None:
    """Analyze logs: health, effects and a decision; exit with 1 if the data are not sound."""
    from recsys.clock import now
    from recsys.experiments.analysis.analyze import analyze
    from recsys.experiments.analysis.log_health import declared_metrics
    from recsys.experiments.analysis.log_sources import FileLog
    from recsys.experiments.design.files import find_file, load_experiment
    from recsys.experiments.design.registry import Registry
    from recsys.reports.experiment_page import analysis_json, render_experiment, write_experiment_page

    if (exposures is None) != (events is None) or (feedback is not None and exposures is None):
        raise typer.BadParameter("give both --exposures and --events, or none of them; --feedback needs both")
    reading = parse_reading(column, decimal, dates, encoding)
    if (dry_run or reading is not None) and exposures is None:
        raise typer.BadParameter(
            "--dry-run, --column, --decimal, --dates and --encoding are for files; give --exposures and --events"
        )
    project = open_project(path)
    one = load_experiment(find_file(project.experiments, key))
    with open_logs(project, one.unit, exposures, events, feedback, reading) as logs:
        if dry_run:
            typer.echo("\n".join(describe_reading(logs)))
            return
        found = analyze(
            one,
            logs,
            now(),
            until=None if until is None else parse_moment(until, "--until"),
            diversity=load_variety(project, declared_metrics(one), vectors),
            planned_units=planned_units,
            assigned_here=not assigned_elsewhere,
            others=Registry(project.experiments).experiments.values(),
        )
        for log in (logs.exposures, logs.events, logs.feedback):
            for note in log.notes if isinstance(log, FileLog) else ():
                typer.echo(f"note: {note}", err=True)
    if out is not None:
        write_experiment_page(found, out)
    if json_:
        typer.echo(analysis_json(found))
    elif out is None:
        typer.echo(render_experiment(found, ".md", plots=False), nl=False)
    else:
        typer.echo(f"{key}: {found.decision.advice}; wrote {out}")
    raise typer.Exit(0 if found.healthy else 1)
