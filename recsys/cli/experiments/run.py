"""Commands `recsys experiment start`, `ramp` and `stop`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.experiments.arguments import Key, SegmentOption, parse_ranges, print_state
from recsys.cli.shared import ProjectPath, open_project

if TYPE_CHECKING:
    from recsys.experiments.design.definition import Experiment


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

    print_state(change_without_conflict(project.experiments, key, start_servable))


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
    wider = parse_ranges(segments) if segments else None
    print_state(
        change_without_conflict(
            open_project(path).experiments,
            key,
            lambda one: lifecycle.ramp(one, now(), coverage=coverage, segments=wider),
        )
    )


def stop(path: ProjectPath, key: Key) -> None:
    """Stop an experiment for good; all users are served without it."""
    from recsys.clock import now
    from recsys.experiments.design.files import stop_experiment

    # No other file is checked: errors elsewhere must not prevent stopping a harmful experiment.
    print_state(stop_experiment(open_project(path).experiments, key, now()))
