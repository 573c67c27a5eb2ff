"""Command `recsys experiment simulate`: run an experiment on simulated users, and compare it with the truth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from recsys.dataset.project import Project
    from recsys.ranking.recommender import Recommender
    from recsys.simulation.run import Run, Truth
    from recsys.simulation.tastes import Tastes

DEFAULT_USERS = 600


class Clicks(StrEnum):
    """Click model, by its name in `recsys.simulation.clicks.MODELS`."""

    POSITION = "position"
    CASCADE = "cascade"


def simulate(
    path: Annotated[Path, typer.Argument(metavar="PROJECT", help="Project folder, built.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="Key of the experiment, of any status.")],
    days: Annotated[int, typer.Option(min=1, max=365, help="Length in days.")] = 28,
    users: Annotated[
        int | None,
        typer.Option(min=2, help="Number of users; tastes are drawn. Default: each taste once."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of users and events.")] = 0,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a project with its logs, for `analyze`.")
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Train on early events; items of a user's later events are relevant.")
    ] = False,
    clicks: Annotated[Clicks, typer.Option(help="Click model.")] = Clicks.POSITION,
    plant: Annotated[
        list[str] | None,
        typer.Option(metavar="ARM=LIFT", help="Make items of an arm more attractive, as on=0.1; repeatable."),
    ] = None,
    still: Annotated[
        bool, typer.Option("--still", help="Keep lists fixed during the simulation: much faster.")
    ] = False,
    replicates: Annotated[int, typer.Option(min=1, help="Random courses over which the truth is averaged.")] = 1,
) -> None:
    """Run an experiment on simulated users: print the truth, the estimates and the decision.

    Users with hidden tastes get lists of the real pipeline and click with position bias. The project's live data are
    neither read nor written.
    """
    from recsys.clock import SECONDS_PER_DAY, now
    from recsys.dataset.project import Project
    from recsys.experiments.analysis.log_health import declared_metrics
    from recsys.experiments.design.files import find_file, load_experiment
    from recsys.simulation.clicks import MODELS
    from recsys.simulation.lists import Lists
    from recsys.simulation.run import Plan, run_experiment, true_effects
    from recsys.simulation.run_logs import write_run

    project = Project.open(path)
    one = load_experiment(find_file(project.experiments, key))
    recommender, tastes = _load_users(project, seed, users, replay=replay)
    plan = Plan(
        start=now() // SECONDS_PER_DAY * SECONDS_PER_DAY - days * SECONDS_PER_DAY,
        days=days,
        users=users,
        seed=seed,
        adaptive=not still,
        planted=_parse_lifts(plant or []),
        model=MODELS[clicks.value],
    )
    run = run_experiment(one, Lists(recommender), tastes, plan)
    effects = true_effects(run, tuple(declared_metrics(one)), replicates)
    for line in _report_lines(run, effects):
        typer.echo(line)
    if output is not None:
        write_run(run, project, output)
        typer.echo(f"wrote {output}; recsys experiment analyze {output} {key} --out page.html")


def _load_users(project: Project, seed: int, users: int | None, *, replay: bool) -> tuple[Recommender, Tastes]:
    from recsys.bundle.store import load_bundle
    from recsys.ranking.recommender import Recommender
    from recsys.simulation.replay import build_replay
    from recsys.simulation.tastes import draw_tastes, is_sample, load_sample_tastes

    if replay:
        recommender, tastes = build_replay(project)
        typer.echo(f"users: {len(tastes)} who came back; relevant items are those of their later events")
        return recommender, tastes
    bundle = load_bundle(project.bundles, project.root)
    if is_sample(bundle):
        typer.echo("users: the sample's, with their true tastes")
        return Recommender(bundle), load_sample_tastes(bundle, seed)
    typer.echo("users: drawn; each likes the style of one or two items of the catalog")
    return Recommender(bundle), draw_tastes(bundle, users or DEFAULT_USERS, seed)


def _parse_lifts(texts: list[str]) -> dict[str, float]:
    lifts = {}
    for text in texts:
        arm, _, lift = text.partition("=")
        try:
            lifts[arm] = float(lift)
        except ValueError:
            raise typer.BadParameter(f"--plant {text!r}: expected ARM=LIFT, as on=0.1") from None
    return lifts


def _report_lines(run: Run, true_effects: list[Truth]) -> list[str]:
    from recsys.experiments.analysis.decision import METRIC_WORDS, percent
    from recsys.simulation.run_logs import analyze_run

    found = analyze_run(run)
    counts = ", ".join(f"{name} {count:,}" for name, count in found.units.items())
    lines = [f"{len(run.trace.visits):,} visits, {int(run.exposed.sum()):,} of them exposures; users: {counts}", ""]
    estimates = {(one.metric, one.arm): one.effect for one in found.comparisons}
    lines.append(f"{'metric':<36} {'arm':<14} {'true lift':>12} {'estimated':>10}   95 % interval")
    for one in true_effects:
        effect = estimates.get((one.metric, one.arm))
        lift = effect.relative if effect is not None else None
        estimate = (
            "not measured"
            if lift is None
            else f"{percent(lift.value):>10}   {percent(lift.low)} to {percent(lift.high)}"
            + ("" if lift.low <= one.lift <= lift.high else "   (the truth is outside)")
        )
        lines.append(f"{METRIC_WORDS[one.metric]:<36} {one.arm:<14} {percent(one.lift):>12} {estimate}")
    why = " ".join(found.decision.why)
    shipped = f" {found.decision.arm}" if found.decision.arm else ""
    return [*lines, "", f"decision: {found.decision.advice}{shipped}. {why}"]
