"""Command `recsys experiment`: create, start, ramp, stop, show and analyze experiments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli.shared import ProjectPath, open_project
from recsys.cli.simulate import simulate

if TYPE_CHECKING:
    from recsys.dataset.project import Project
    from recsys.experiments.analysis.analyze import Analysis
    from recsys.experiments.analysis.log_sources import Logs
    from recsys.experiments.analysis.style_diversity import StyleVariety
    from recsys.experiments.design.definition import Experiment, Ranges

Key = Annotated[str, typer.Argument(metavar="KEY", help="Key of the experiment.")]
SegmentOption = Annotated[
    list[str] | None, typer.Option("--segments", metavar="FIRST-LAST", help="Segments of the namespace, 0 to 999.")
]

experiment = typer.Typer(no_args_is_help=True, help="Run A/B tests on live traffic: create, start, stop, analyze.")
experiment.command()(simulate)


@experiment.command()
def create(
    path: ProjectPath,
    key: Key,
    title: Annotated[str, typer.Option(help="Title.")],
    hypothesis: Annotated[str, typer.Option(help="Expected effect, and why.")],
    arm: Annotated[
        list[str], typer.Option(metavar="NAME[=WEIGHT]", help="Arm; the first one is the control; repeatable.")
    ],
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="ARM.OPTION=VALUE", help="Override of an arm, as on.strength=0.3; repeatable."),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:DIRECTION]", help="Metric; the first one decides; repeatable. Default: ctr"),
    ] = None,
    guardrail: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=MARGIN",
            help="Metric that must not get worse by this share of the control's mean; repeatable.",
        ),
    ] = None,
    unit: Annotated[str, typer.Option(help="Unit of assignment, user or session.")] = "user",
    coverage: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of units that may be exposed.")] = 1.0,
    namespace: Annotated[
        str | None, typer.Option(help="Namespace; experiments of one namespace share no unit.")
    ] = None,
    segments: SegmentOption = None,
    holdout: Annotated[float | None, typer.Option(help="Share of units left out of all experiments.")] = None,
    minimum_days: Annotated[int, typer.Option(min=1, help="Days before the first decision.")] = 14,
) -> None:
    """Create an experiment as a draft: a file that can be edited until it starts."""
    from pydantic import ValidationError

    from recsys.clock import now
    from recsys.errors import ExperimentError
    from recsys.experiments.design.definition import Experiment
    from recsys.experiments.design.fields import list_problems
    from recsys.experiments.design.files import create_experiment

    if segments and namespace is None:
        raise typer.BadParameter("--segments needs --namespace; give both")
    arms = {name: {"weight": _number(weight or "1", "--arm")} for name, weight in (_split(text, "=") for text in arm)}
    raw: dict[str, Any] = {
        "key": key,
        "title": title,
        "hypothesis": hypothesis,
        "unit": unit,
        "coverage": coverage,
        "control": next(iter(arms)),
        "arms": _with_overrides(arms, override or []),
        "metrics": [
            {"name": name, **({"direction": direction} if direction else {})}
            for name, direction in (_split(text, ":") for text in metric or ["ctr"])
        ],
        "guardrails": [
            {"metric": name, "margin": _number(margin, "--guardrail")}
            for name, margin in (_split(text, "=") for text in guardrail or [])
        ],
        "decision": {"minimum_days": minimum_days},
    }
    if namespace is not None:
        raw["namespace"] = {"name": namespace, **({"segments": _ranges(segments)} if segments else {})}
    if holdout is not None:
        raw["holdout"] = {"share": holdout}
    try:
        draft = Experiment.model_validate(raw)
    except ValidationError as error:
        raise ExperimentError("; ".join(list_problems(error))) from None
    file = create_experiment(open_project(path).experiments, draft, now())
    typer.echo(f"wrote {file}; edit it as you like, then: recsys experiment start {path} {key}")


@experiment.command()
def start(path: ProjectPath, key: Key) -> None:
    """Start an experiment; its arms and its split are fixed from then on."""
    from recsys.clock import now
    from recsys.experiments.design import lifecycle
    from recsys.experiments.design.registry import change_without_conflict
    from recsys.serving.experiments import check_servable

    project = open_project(path)

    def start_servable(draft: Experiment) -> Experiment:
        check_servable(project, draft)
        return lifecycle.start(draft, now())

    _print_state(change_without_conflict(project.experiments, key, start_servable))


@experiment.command()
def ramp(
    path: ProjectPath,
    key: Key,
    coverage: Annotated[float | None, typer.Option(help="New share of units, not less than the present one.")] = None,
    segments: SegmentOption = None,
) -> None:
    """Expose more units; assigned units keep their arm."""
    from recsys.clock import now
    from recsys.experiments.design import lifecycle
    from recsys.experiments.design.registry import change_without_conflict

    if coverage is None and not segments:
        raise typer.BadParameter("give --coverage, --segments or both")
    wider = _ranges(segments) if segments else None
    _print_state(
        change_without_conflict(
            open_project(path).experiments,
            key,
            lambda one: lifecycle.ramp(one, now(), coverage=coverage, segments=wider),
        )
    )


@experiment.command()
def stop(path: ProjectPath, key: Key) -> None:
    """Stop an experiment for good; all users are served without it."""
    from recsys.clock import now
    from recsys.experiments.design.files import stop_experiment

    # No other file is checked: errors elsewhere must not prevent stopping a harmful experiment.
    _print_state(stop_experiment(open_project(path).experiments, key, now()))


@experiment.command("list")
def list_(path: ProjectPath) -> None:
    """List all experiments with their status; exit with 1 if a file is wrong."""
    from recsys.experiments.design.registry import Registry

    found = Registry(open_project(path).experiments)
    if not found.experiments and not found.problems:
        typer.echo(f"no experiments yet; create one with: recsys experiment create {path} KEY")
    for key, one in found.experiments.items():
        typer.echo(f"{key:<24} {one.status:<8} {one.coverage:>6.1%}  {_arms(one)}  {one.title}")
    for problem in found.problems.values():
        typer.secho(f"error: {problem}", err=True, fg=typer.colors.RED)
    raise typer.Exit(1 if found.problems else 0)


@experiment.command()
def show(path: ProjectPath, key: Key) -> None:
    """Show the arms, metrics and history of an experiment."""
    from recsys.experiments.design.fields import format_time
    from recsys.experiments.design.files import find_file, load_experiment

    one = load_experiment(find_file(open_project(path).experiments, key))
    _print_state(one)
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
    for guardrail in one.guardrails:
        typer.echo(f"guardrail {guardrail.metric}: margin {guardrail.margin:g} {guardrail.scale}")
    for change in one.history:
        typer.echo(f"{format_time(change.at)} {change.action} coverage {change.coverage:.1%}")


@experiment.command()
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


@experiment.command()
def analyze(
    path: ProjectPath,
    key: Key,
    exposures: Annotated[Path | None, typer.Option(help="Log of exposures, .parquet or .csv; needs --events.")] = None,
    events: Annotated[Path | None, typer.Option(help="Log of events. Default of all logs: the live data.")] = None,
    feedback: Annotated[Path | None, typer.Option(help="Log of ratings of restyled images.")] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="Style vectors, .parquet with item_id and vector. Default: the bundle's.")
    ] = None,
    planned_units: Annotated[
        int | None, typer.Option(min=1, help="Units at which always-valid intervals are narrowest.")
    ] = None,
    assigned_elsewhere: Annotated[
        bool, typer.Option("--assigned-elsewhere", help="Do not check arms: another system assigned them.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the page: .html, .md or .json.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print all results as JSON.")] = False,
) -> None:
    """Analyze logs: health, effects and a decision; exit with 1 if the data are not sound."""
    from recsys.clock import now
    from recsys.experiments.analysis.analyze import analyze
    from recsys.experiments.design.files import find_file, load_experiment
    from recsys.reports.experiment_page import analysis_json, render_experiment, write_experiment_page

    if (exposures is None) != (events is None) or (feedback is not None and exposures is None):
        raise typer.BadParameter("give both --exposures and --events, or none of them; --feedback needs both")
    project = open_project(path)
    one = load_experiment(find_file(project.experiments, key))
    with _logs(project, one, exposures, events, feedback) as logs:
        found = analyze(
            one,
            logs,
            now(),
            diversity=_variety(project, one, vectors),
            planned_units=planned_units,
            assigned_here=not assigned_elsewhere,
        )
    if out is not None:
        write_experiment_page(found, out)
    if json_:
        typer.echo(analysis_json(found))
    elif out is None:
        typer.echo(render_experiment(found, ".md", plots=False), nl=False)
    else:
        typer.echo(f"{key}: {found.decision.advice}; wrote {out}")
    raise typer.Exit(0 if found.healthy else 1)


def analyze_experiment(project: Project, key: str) -> Analysis:
    """Analyze an experiment from the project's live data."""
    from recsys.clock import now
    from recsys.experiments.analysis.analyze import analyze
    from recsys.experiments.design.files import find_file, load_experiment

    one = load_experiment(find_file(project.experiments, key))
    with _logs(project, one, None, None, None) as logs:
        return analyze(one, logs, now(), diversity=_variety(project, one, None))


@contextmanager
def _logs(
    project: Project, one: Experiment, exposures: Path | None, events: Path | None, feedback: Path | None
) -> Iterator[Logs]:
    from recsys.errors import ProjectError
    from recsys.experiments.analysis.log_sources import Logs

    if exposures is not None and events is not None:
        yield Logs.from_files(exposures, events, feedback)
        return
    from recsys.storage.database import Database

    if not project.has_live_data:
        raise ProjectError(
            f"{project.root}: no live data to analyze; run `recsys serve`, or give --exposures and --events"
        )
    database = Database.open(project.database_url)
    try:
        yield Logs.from_database(database, one.unit)
    finally:
        database.close()


def _variety(project: Project, one: Experiment, vectors: Path | None) -> StyleVariety | None:
    """Load style vectors from the given file or the current bundle; None if the experiment does not need them."""
    from recsys.bundle.store import load_bundle
    from recsys.errors import BundleError
    from recsys.experiments.analysis.log_health import declared_metrics
    from recsys.experiments.analysis.style_diversity import StyleVariety
    from recsys.experiments.design.metric_names import MetricName

    if vectors is not None:
        return StyleVariety.from_file(vectors)
    if MetricName.STYLE_DIVERSITY not in declared_metrics(one):
        return None
    try:
        bundle = load_bundle(project.bundles, project.root)
    except BundleError:
        # The log may have the column; if it does not, the analysis says so.
        return None
    return StyleVariety.from_vectors(list(bundle.catalog.ids.values), bundle.space.vectors)


def _with_overrides(arms: dict[str, dict[str, Any]], texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Add the overrides given as ARM.OPTION=VALUE to arms; OPTION may be blend.FEATURE.

    Numbers and truth values are parsed as in TOML; other values stay text.
    """
    from recsys.config import parse_toml_value

    for text in texts:
        target, value = _split(text, "=")
        name, _, option = target.partition(".")
        if not value or not option:
            raise typer.BadParameter(f"--set {text!r}: expected ARM.OPTION=VALUE")
        if name not in arms:
            raise typer.BadParameter(f"--set {text!r}: no arm {name!r}; known arms: {', '.join(arms)}")
        table = arms[name].setdefault("overrides", {})
        option, _, feature = option.partition(".")
        parsed = parse_toml_value(value)
        # A version stays text, even if it could be a number.
        if option == "model" or not isinstance(parsed, (int, float, bool)):
            parsed = value
        if feature:
            table.setdefault(option, {})[feature] = parsed
        else:
            table[option] = parsed
    return arms


def _ranges(texts: Sequence[str] | None) -> Ranges:
    ranges = []
    for text in texts or ():
        first, last = _split(text, "-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise typer.BadParameter(f"--segments {text!r}: expected FIRST-LAST, as 0-499")
        ranges.append((int(first), int(last or first)))
    return tuple(ranges)


def _split(text: str, sign: str) -> tuple[str, str]:
    left, _, right = text.partition(sign)
    return left, right


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{option}: {text!r} is not a number") from None


def _print_state(one: Experiment) -> None:
    typer.echo(f"{one.key}: {one.status}, coverage {one.coverage:.1%}, {_arms(one)}")


def _arms(one: Experiment) -> str:
    return " / ".join(f"{name} {share:.0%}" for name, share in one.shares.items())


@experiment.command("off-policy")
def off_policy(
    path: ProjectPath,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="CSV or Parquet: request_id, position, item_id[, probability] of a ranker; or action, strength, "
            "probability[, user_id] of restyling."
        ),
    ] = None,
    strength: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Evaluate restyling all images at this strength.")
    ] = None,
    action: Annotated[str, typer.Option(help="Style target for --strength, as taste or style:ID.")] = "taste",
    feedback: Annotated[Path | None, typer.Option(help="Ratings, instead of the project's.")] = None,
    exposures: Annotated[Path | None, typer.Option(help="Exposures, instead of the project's; needs --events.")] = None,
    events: Annotated[Path | None, typer.Option(help="Events, instead of the project's; needs --exposures.")] = None,
    event: Annotated[str, typer.Option(help="Reward of a list: click, cart, purchase, ...")] = "click",
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of folds and resamples.")] = 0,
) -> None:
    """Evaluate another ranker or restyling policy from logged propensities, without serving it."""
    from recsys.experiments.off_policy import lists, project_logs, restyling, tables, words

    if (policy is None) == (strength is None):
        raise typer.BadParameter("give --policy or --strength")
    if (exposures is None) != (events is None):
        raise typer.BadParameter("give both --exposures and --events, or none of them")
    table = None if policy is None else tables.read_table(policy, ())
    if table is not None and "item_id" in table:
        if exposures is not None and events is not None:
            shown = tables.read_table(exposures, lists.EXPOSURE_COLUMNS)
            done = tables.read_table(events, lists.EVENT_COLUMNS)
        else:
            shown, done = project_logs.load_lists(open_project(path))
        logged = lists.Lists.from_tables(shown, done, event)
        found = lists.evaluate_lists(logged, lists.build_ranking(logged, table), level=level, seed=seed)
        typer.echo(f"lists: {event}s per list, over the positions shown")
    else:
        if feedback is not None:
            frame = tables.read_table(feedback, restyling.COLUMNS)
        else:
            frame = project_logs.load_feedback(open_project(path))
        ratings = restyling.collect_ratings(frame)
        if table is not None:
            log, wanted = restyling.build_policy(ratings, table)
        else:
            log, wanted = restyling.always(ratings, action, strength or 0.0)
        found = restyling.evaluate_restyling(log, wanted, level=level, seed=seed)
        typer.echo(f"images: share of satisfied ratings; left out, because not random: {ratings.certain:,}")
    for line in words.format_evaluation(found):
        typer.echo(line)
