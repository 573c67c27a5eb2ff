"""Commands `recsys experiment list`, `show` and `assign`."""

from __future__ import annotations

from typing import Annotated

import typer

from recsys.cli.experiments.arguments import Key, describe_arms, print_state
from recsys.cli.shared import ProjectPath, open_project


def list_(path: ProjectPath) -> None:
    """List all experiments with their status; exit with 1 if a file is wrong."""
    from recsys.experiments.design.registry import Registry

    found = Registry(open_project(path).experiments)
    if not found.experiments and not found.problems:
        typer.echo(f"no experiments yet; create one with: recsys experiment create {path} KEY")
    for key, one in found.experiments.items():
        typer.echo(f"{key:<24} {one.status:<8} {one.coverage:>6.1%}  {describe_arms(one)}  {one.title}")
    for problem in found.problems.values():
        typer.secho(f"error: {problem}", err=True, fg=typer.colors.RED)
    raise typer.Exit(1 if found.problems else 0)


def show(path: ProjectPath, key: Key) -> None:
    """Show the arms, metrics and history of an experiment."""
    from recsys.experiments.design.fields import format_time
    from recsys.experiments.design.files import find_file, load_experiment

    one = load_experiment(find_file(open_project(path).experiments, key))
    print_state(one)
    typer.echo(f"{one.title}\n{one.hypothesis}\nunit {one.unit}, salt {one.salt}")
    if one.namespace is not None:
        typer.echo(f"namespace {one.namespace.name}: {one.namespace.share:.1%} of units")
    if one.holdout is not None:
        typer.echo(f"holdout {one.holdout.name}: {one.holdout.share:.1%} of units left out")
    for name, share in one.shares.items():
        options = one.arms[name].overrides.model_dump(mode="json", exclude_none=True)
        changes = ", ".join(f"{option}={value}" for option, value in options.items()) or "no overrides"
        typer.echo(f"arm {name} ({share:.1%}{', control' if name == one.control else ''}): {changes}")
    for metric in one.metrics:
        typer.echo(f"metric {metric.name}: {metric.direction}")
    decision = one.decision
    end = "" if decision.end_at is None else f", end {format_time(decision.end_at)}"
    units = "" if decision.planned_units is None else f", {decision.planned_units:,} planned units"
    typer.echo(f"looks {decision.looks}{end}{units}, alpha {decision.alpha:g}, power {decision.power:g}")
    for guardrail in one.guardrails:
        typer.echo(f"guardrail {guardrail.metric}: margin {guardrail.margin:g} {guardrail.scale}")
    for change in one.history:
        typer.echo(f"{format_time(change.at)} {change.action} coverage {change.coverage:.1%}")


def assign(
    path: ProjectPath,
    unit: Annotated[str | None, typer.Option(help="Id of a user.")] = None,
    session: Annotated[str | None, typer.Option(help="Id of a session.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Category that the request is limited to.")] = None,
    platform: Annotated[str, typer.Option(help="Platform: ios, android, web, ...")] = "",
    country: Annotated[str, typer.Option(help="Country, two letters.")] = "",
    language: Annotated[str, typer.Option(help="Language, as de or pt-BR.")] = "",
    known: Annotated[bool, typer.Option("--known/--unknown", help="User with or without a history.")] = True,
) -> None:
    """Show the arm of a user or session in each experiment, and why."""
    from recsys.experiments.design.registry import Identity, load_experiments
    from recsys.experiments.design.targeting import Context

    if unit is None and session is None:
        raise typer.BadParameter("give --unit, --session or both")
    context = Context(frozenset(category or ()), platform, country, language, known)
    found = load_experiments(open_project(path).experiments).assign(Identity(unit, session), context)
    if not found:
        typer.echo("no experiment is a draft or running")
    for key, one in found.items():
        arm = f"{one.arm} ({one.reason}, propensity {one.propensity:.3g})" if one.arm else f"in no arm: {one.reason}"
        typer.echo(f"{key:<24} {arm}")
