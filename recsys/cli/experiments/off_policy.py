"""Command `recsys experiment off-policy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.shared import ProjectPath, open_project


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
