"""Command `recsys experiment create`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from recsys.cli.experiments.arguments import Key, SegmentOption, parse_number, parse_ranges, parse_weights
from recsys.cli.shared import ProjectPath, open_project


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
    looks: Annotated[
        str, typer.Option(help="When results are read: any (or sequential) day, or fixed: once, at the declared end.")
    ] = "any",
    end: Annotated[
        str | None, typer.Option(metavar="DATE", help="Declared end with time zone, as 2026-12-24T09:00:00+01:00.")
    ] = None,
    planned_units: Annotated[int | None, typer.Option(help="Declared number of units of all arms.")] = None,
    alpha: Annotated[float, typer.Option(help="Two-sided type I error rate.")] = 0.05,
    power: Annotated[float, typer.Option(help="Power for which sample sizes are planned.")] = 0.8,
    minimal_effect: Annotated[
        float | None, typer.Option(help="Smallest change of the first metric that matters, as 0.05 for 5 %.")
    ] = None,
    time_zone: Annotated[
        str, typer.Option(help="Time zone in which days of the results begin and end, such as Europe/Berlin.")
    ] = "UTC",
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
    arms: dict[str, dict[str, Any]] = {name: {"weight": weight} for name, weight in parse_weights(arm).items()}
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
            for name, _, direction in (text.partition(":") for text in metric or ["ctr"])
        ],
        "guardrails": [
            {"metric": name, "margin": parse_number(margin, "--guardrail")}
            for name, _, margin in (text.partition("=") for text in guardrail or [])
        ],
        "decision": {
            "minimum_days": minimum_days,
            "looks": looks,
            "alpha": alpha,
            "power": power,
            "time_zone": time_zone,
            **({} if end is None else {"end_at": end}),
            **({} if planned_units is None else {"planned_units": planned_units}),
            **({} if minimal_effect is None else {"minimal_effect": minimal_effect}),
        },
    }
    if namespace is not None:
        raw["namespace"] = {"name": namespace, **({"segments": parse_ranges(segments)} if segments else {})}
    if holdout is not None:
        raw["holdout"] = {"share": holdout}
    try:
        draft = Experiment.model_validate(raw)
    except ValidationError as error:
        raise ExperimentError("; ".join(list_problems(error))) from None
    file = create_experiment(open_project(path).experiments, draft, now())
    typer.echo(f"wrote {file}; edit it as you like, then: recsys experiment start {path} {key}")


def _with_overrides(arms: dict[str, dict[str, Any]], texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Add the overrides given as ARM.OPTION=VALUE to arms; OPTION may be blend.FEATURE.

    Numbers and truth values are parsed as in TOML; other values stay text.
    """
    from recsys.config import parse_toml_value

    for text in texts:
        target, _, value = text.partition("=")
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
